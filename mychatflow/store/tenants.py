"""The platform's customers: a tenant with its settings, its first member and its own encryption key."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.plan import Plan
from mychatflow.store.cipher import KeyRing
from mychatflow.store.directory import Organization, Person

_INSERT_TENANT = text(
    "insert into tenants (id, email, name, plan, is_demo) values (:tenant_id, :email, :name, :plan, :is_demo)"
)
_INSERT_SETTINGS = text(
    "insert into settings (tenant_id, business_name, timezone) values (:tenant_id, :name, :timezone)"
)
# Nobody yet: whoever shows at their sign-in that the address is theirs. A known person's may never have been verified.
_INSERT_OWNER = text(
    """
    insert into team_members (tenant_id, id, email, role, joined_at)
    values (:tenant_id, :member_id, :email, 'owner', now())
    """
)
_FOUND = """
    select tenants.id as tenant_id, tenants.name, tenants.plan, tenants.is_demo,
        coalesce(settings.timezone, 'UTC') as timezone
    from tenants left join settings on settings.tenant_id = tenants.id
    where tenants.deleted_at is null and tenants.suspended_at is null
"""
_BY_ID = text(f"{_FOUND} and tenants.id = :tenant_id")
_ALL = text(f"{_FOUND} order by tenants.created_at, tenants.id")
_FIRST = text(f"{_FOUND} order by tenants.is_demo desc, tenants.created_at, tenants.id limit 1")


_INSERT_DIRECTORY_TENANT = text(
    """
    insert into tenants (id, email, name, clerk_user_id, organization_id)
    values (:tenant_id, :email, :name, :subject, :organization_id)
    """
)
_INSERT_PERSON = text(
    """
    insert into team_members (tenant_id, user_id, email, role, joined_at)
    values (:tenant_id, :user_id, :email, 'owner', now())
    """
)
_KNOWN_BEFORE = text("select id from tenants where id = any(cast(:tenant_ids as uuid[])) and created_at < now()")
_HOLD = text("select is_on_legal_hold from tenants where id = :tenant_id")
_SET_HOLD = text("update tenants set is_on_legal_hold = :is_on where id = :tenant_id and is_on_legal_hold <> :is_on")
_END = text("update tenants set deleted_at = coalesce(deleted_at, :at) where id = :tenant_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer of the platform who may work."""

    tenant_id: UUID
    name: str
    plan: Plan
    is_demo: bool
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new tenant and the member who owns it."""

    tenant_id: UUID
    owner_id: UUID


async def create(
    transaction: AsyncConnection,
    key_ring: KeyRing,
    *,
    name: str,
    email: str,
    plan: Plan = Plan.FREE,
    timezone: str = "UTC",
    is_demo: bool = False,
) -> Created:
    """A tenant that can work at once: settings, owner and encryption key (platform transaction)."""
    created = Created(tenant_id=uuid4(), owner_id=uuid4())
    values = {
        "tenant_id": created.tenant_id,
        "member_id": created.owner_id,
        "name": name,
        "email": email,
        "plan": plan.value,
        "timezone": timezone,
        "is_demo": is_demo,
    }
    await transaction.execute(_INSERT_TENANT, values)
    await transaction.execute(_INSERT_SETTINGS, values)
    await transaction.execute(_INSERT_OWNER, values)
    await key_ring.for_tenant(created.tenant_id, transaction)
    return created


async def create_for_user(transaction: AsyncConnection, key_ring: KeyRing, *, subject: str, person: Person) -> UUID:
    """The tenant of somebody who signed up for themselves, and owns it (platform transaction)."""
    name = person.name or person.email.partition("@")[0] or "Workspace"
    values = {"email": person.email or subject, "name": name, "subject": subject, "organization_id": None}
    tenant_id = await _create_from_directory(transaction, key_ring, values)
    await transaction.execute(_INSERT_PERSON, values | {"tenant_id": tenant_id, "user_id": person.user_id})
    return tenant_id


async def create_for_organization(transaction: AsyncConnection, key_ring: KeyRing, organization: Organization) -> UUID:
    """The tenant of an organization, whose members come by their own events (platform transaction)."""
    values = {
        "email": "",
        "name": organization.name,
        "subject": None,
        "organization_id": organization.organization_id,
    }
    return await _create_from_directory(transaction, key_ring, values)


async def end(transaction: AsyncConnection, tenant_id: UUID, *, at: datetime) -> None:
    """Nobody gets in any more, and nothing is answered (platform transaction)."""
    await transaction.execute(_END, {"tenant_id": tenant_id, "at": at})


async def _create_from_directory(transaction: AsyncConnection, key_ring: KeyRing, values: dict[str, Any]) -> UUID:
    tenant_id = uuid4()
    await transaction.execute(_INSERT_DIRECTORY_TENANT, values | {"tenant_id": tenant_id})
    await transaction.execute(_INSERT_SETTINGS, {"tenant_id": tenant_id, "name": values["name"], "timezone": "UTC"})
    await key_ring.for_tenant(tenant_id, transaction)
    return tenant_id


async def by_id(transaction: AsyncConnection, tenant_id: UUID) -> Tenant | None:
    """That tenant, unless it is deleted or suspended."""
    row = (await transaction.execute(_BY_ID, {"tenant_id": tenant_id})).mappings().one_or_none()
    return None if row is None else _tenant(row)


async def known_before(transaction: AsyncConnection, tenant_ids: Collection[UUID]) -> set[UUID]:
    """Those of them that this transaction did not make: nobody else can see, or refer to, the others yet."""
    found = await transaction.execute(_KNOWN_BEFORE, {"tenant_ids": list(tenant_ids)})
    return set(found.scalars())


async def is_on_legal_hold(transaction: AsyncConnection, tenant_id: UUID) -> bool:
    """Whether the law forbids to delete anything of theirs for now."""
    return bool((await transaction.execute(_HOLD, {"tenant_id": tenant_id})).scalar_one_or_none())


async def set_legal_hold(transaction: AsyncConnection, tenant_id: UUID, *, is_on: bool) -> bool:
    """Whether that changed anything."""
    return (await transaction.execute(_SET_HOLD, {"tenant_id": tenant_id, "is_on": is_on})).rowcount > 0


async def everyone(transaction: AsyncConnection) -> list[Tenant]:
    """All who may work, the oldest first (platform transaction)."""
    found = await transaction.execute(_ALL)
    return [_tenant(row) for row in found.mappings()]


async def first(transaction: AsyncConnection) -> Tenant | None:
    """The tenant that a development machine opens with: a demo one before others (platform transaction)."""
    row = (await transaction.execute(_FIRST)).mappings().one_or_none()
    return None if row is None else _tenant(row)


def _tenant(row: RowMapping) -> Tenant:
    return Tenant(**{**row, "plan": Plan(row["plan"])})
