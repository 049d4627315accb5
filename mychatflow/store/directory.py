"""What the identity provider says of people and organizations; the newest word counts, and a deletion is final."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# An event that is older than what is known, or speaks of the deleted, changes nothing. A stub (no instant) is made
# where a membership names somebody we have not heard of yet.
_USER = text(
    """
    insert into users (clerk_user_id, email, name, directory_at) values (:subject, :email, :name, :at)
    on conflict (clerk_user_id) do update set
        email = excluded.email, name = excluded.name, directory_at = excluded.directory_at, updated_at = now()
    where users.deleted_at is null
        and excluded.directory_at is not null
        and (users.directory_at is null or users.directory_at <= excluded.directory_at)
    """
)
_USER_GONE = text(
    """
    insert into users (clerk_user_id, email, deleted_at) values (:subject, '', :at)
    on conflict (clerk_user_id) do update set
        email = '', name = null, deleted_at = coalesce(users.deleted_at, excluded.deleted_at)
    """
)
_LOCK_USER = text("select id as user_id, email, name, deleted_at from users where clerk_user_id = :subject for update")
_ORGANIZATION = text(
    """
    insert into organizations (clerk_organization_id, name, created_by, directory_at)
    values (:organization, :name, :created_by, :at)
    on conflict (clerk_organization_id) do update set
        name = excluded.name,
        created_by = coalesce(excluded.created_by, organizations.created_by),
        directory_at = excluded.directory_at,
        updated_at = now()
    where organizations.deleted_at is null
        and excluded.directory_at is not null
        and (organizations.directory_at is null or organizations.directory_at <= excluded.directory_at)
    """
)
_ORGANIZATION_GONE = text(
    """
    insert into organizations (clerk_organization_id, name, deleted_at) values (:organization, '', :at)
    on conflict (clerk_organization_id) do update set
        deleted_at = coalesce(organizations.deleted_at, excluded.deleted_at)
    """
)
_LOCK_ORGANIZATION = text(
    """
    select organizations.id as organization_id, organizations.name, organizations.created_by,
        organizations.deleted_at, tenants.id as tenant_id
    from organizations left join tenants on tenants.organization_id = organizations.id
    where organizations.clerk_organization_id = :organization
    for update of organizations
    """
)
_MEMBERSHIP = text(
    """
    insert into directory_memberships (id, clerk_organization_id, clerk_user_id, role, directory_at, deleted_at)
    values (:membership, :organization, :subject, :role, :at, :deleted_at)
    on conflict (id) do update set
        role = excluded.role,
        directory_at = excluded.directory_at,
        deleted_at = coalesce(directory_memberships.deleted_at, excluded.deleted_at)
    where excluded.deleted_at is not null
        or (directory_memberships.deleted_at is null and directory_memberships.directory_at <= excluded.directory_at)
    """
)
_STANDING = text(
    """
    select role, directory_at from directory_memberships
    where clerk_organization_id = :organization and clerk_user_id = :subject and deleted_at is null
    order by directory_at desc, id desc limit 1
    """
)
_MEMBERS_OF = text(
    "select distinct clerk_user_id from directory_memberships where clerk_organization_id = :organization"
)
_ORGANIZATIONS_OF = text(
    "select distinct clerk_organization_id from directory_memberships where clerk_user_id = :subject"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    user_id: UUID
    email: str
    name: str | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    organization_id: UUID
    name: str
    created_by: str | None
    deleted_at: datetime | None
    tenant_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The provider's role of a person, and the time it speaks of."""

    role: str
    directory_at: datetime


async def tell_user(
    transaction: AsyncConnection, subject: str, *, email: str, name: str | None, at: datetime | None
) -> None:
    await transaction.execute(_USER, {"subject": subject, "email": email, "name": name, "at": at})


async def user_is_gone(transaction: AsyncConnection, subject: str, *, at: datetime) -> None:
    await transaction.execute(_USER_GONE, {"subject": subject, "at": at})


async def tell_organization(
    transaction: AsyncConnection, organization: str, *, name: str, created_by: str | None, at: datetime | None
) -> None:
    values = {"organization": organization, "name": name, "created_by": created_by, "at": at}
    await transaction.execute(_ORGANIZATION, values)


async def organization_is_gone(transaction: AsyncConnection, organization: str, *, at: datetime) -> None:
    await transaction.execute(_ORGANIZATION_GONE, {"organization": organization, "at": at})


async def tell_membership(transaction: AsyncConnection, **facts: Any) -> None:
    """`facts`: membership, organization, subject, role, at, deleted_at."""
    await transaction.execute(_MEMBERSHIP, facts)


async def locked_person(transaction: AsyncConnection, subject: str) -> Person | None:
    row = (await transaction.execute(_LOCK_USER, {"subject": subject})).mappings().one_or_none()
    return None if row is None else Person(**row)


async def locked_organization(transaction: AsyncConnection, organization: str) -> Organization | None:
    row = (await transaction.execute(_LOCK_ORGANIZATION, {"organization": organization})).mappings().one_or_none()
    return None if row is None else Organization(**row)


async def standing(transaction: AsyncConnection, organization: str, subject: str) -> Standing | None:
    """What that person is there now, or None."""
    values = {"organization": organization, "subject": subject}
    row = (await transaction.execute(_STANDING, values)).mappings().one_or_none()
    return None if row is None else Standing(**row)


async def members_of(transaction: AsyncConnection, organization: str) -> list[str]:
    return list((await transaction.execute(_MEMBERS_OF, {"organization": organization})).scalars())


async def organizations_of(transaction: AsyncConnection, subject: str) -> list[str]:
    return list((await transaction.execute(_ORGANIZATIONS_OF, {"subject": subject})).scalars())
