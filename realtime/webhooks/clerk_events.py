"""Applies the identity provider's events to people, organizations and teams: any order, any number of times."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.role import Role
from mychatflow.store import directory, team, tenants
from mychatflow.store.cipher import KeyRing

_ROLES: Final = {"admin": Role.ADMIN, "member": Role.AGENT}


class Malformed(Exception):
    """Signed, but without what its kind of event must say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamChange:
    """Who came into a team, left it or has another role there: for the record."""

    tenant_id: UUID
    member_id: UUID
    action: str
    role: str | None = None


async def apply(
    transaction: AsyncConnection, ring: KeyRing, event: Mapping[str, Any], *, at: datetime
) -> list[TeamChange] | None:
    """What it changed in which teams; None when it is no kind we follow (platform transaction). Raises Malformed."""
    kind, data = event.get("type"), event.get("data")
    if not isinstance(kind, str) or not isinstance(data, Mapping):
        raise Malformed("type and data")
    subject, _, verb = kind.partition(".")
    if verb not in {"created", "updated", "deleted"}:
        return None
    match subject:
        case "user":
            return await _user(transaction, ring, data, is_gone=verb == "deleted", at=at)
        case "organization":
            return await _organization(transaction, ring, data, is_gone=verb == "deleted", at=at)
        case "organizationMembership":
            return await _membership(transaction, ring, data, is_gone=verb == "deleted", at=at)
        case _:
            return None


def role_of(directory_role: str, *, is_creator: bool) -> Role:
    """`org:admin` or `admin`; a role we do not know may only look."""
    name = directory_role.removeprefix("org:")
    if name == "admin" and is_creator:
        return Role.OWNER
    return _ROLES.get(name) or (Role(name) if name in set(Role) else Role.VIEWER)


async def _user(
    transaction: AsyncConnection, ring: KeyRing, data: Mapping[str, Any], *, is_gone: bool, at: datetime
) -> list[TeamChange]:
    subject = _text(data, "id")
    if is_gone:
        await directory.user_is_gone(transaction, subject, at=at)
    else:
        email, is_verified = _primary_address(data)
        await directory.tell_user(transaction, subject, email=email, name=_name(data), at=_instant(data))
    person = await directory.locked_person(transaction, subject)
    if person is None:
        return []
    changes: list[TeamChange] = []
    if person.deleted_at is not None:
        left = await team.leave_everywhere(transaction, person.user_id, at=at)
        changes += [TeamChange(**row, action="member.left") for row in left]
    else:
        # The address that is known now: an older event must not open invitations to an older address.
        if is_verified and email == person.email:
            joined = await team.welcome(transaction, user_id=person.user_id, email=email, at=at)
            changes += [TeamChange(**row, action="member.joined") for row in joined]
        if not await team.is_anywhere(transaction, person.user_id):
            await tenants.create_for_user(transaction, ring, subject=subject, person=person)
    for organization in await directory.organizations_of(transaction, subject):
        changes += await _project(transaction, ring, organization, subject, at=at)
    return changes


async def _organization(
    transaction: AsyncConnection, ring: KeyRing, data: Mapping[str, Any], *, is_gone: bool, at: datetime
) -> list[TeamChange]:
    name = _text(data, "id")
    if is_gone:
        await directory.organization_is_gone(transaction, name, at=at)
    else:
        await directory.tell_organization(
            transaction, name, name=_text(data, "name"), created_by=data.get("created_by"), at=_instant(data)
        )
    await _tenant_of(transaction, ring, name, at=at)
    changes: list[TeamChange] = []
    for subject in await directory.members_of(transaction, name):
        changes += await _project(transaction, ring, name, subject, at=at)
    return changes


async def _membership(
    transaction: AsyncConnection, ring: KeyRing, data: Mapping[str, Any], *, is_gone: bool, at: datetime
) -> list[TeamChange]:
    organization, person = data.get("organization"), data.get("public_user_data")
    if not isinstance(organization, Mapping) or not isinstance(person, Mapping):
        raise Malformed("organization and public_user_data")
    subject, name = _text(person, "user_id"), _text(organization, "id")
    await directory.tell_membership(
        transaction,
        membership=_text(data, "id"),
        organization=name,
        subject=subject,
        role=_text(data, "role"),
        at=_instant(data),
        deleted_at=at if is_gone else None,
    )
    await directory.tell_user(
        transaction, subject, email=str(person.get("identifier") or ""), name=_name(person), at=None
    )
    await directory.tell_organization(
        transaction, name, name=str(organization.get("name") or name), created_by=None, at=_instant(organization)
    )
    return await _project(transaction, ring, name, subject, at=at)


async def _tenant_of(transaction: AsyncConnection, ring: KeyRing, name: str, *, at: datetime) -> UUID | None:
    """The organization's tenant, made when it is missing; None once the organization is deleted."""
    found = await directory.locked_organization(transaction, name)
    if found is None:
        return None
    if found.deleted_at is not None:
        if found.tenant_id is not None:
            await tenants.end(transaction, found.tenant_id, at=at)
        return None
    return found.tenant_id or await tenants.create_for_organization(transaction, ring, found)


async def _project(
    transaction: AsyncConnection, ring: KeyRing, organization: str, subject: str, *, at: datetime
) -> list[TeamChange]:
    """Make the team what the memberships known now say, whichever event came last."""
    tenant_id = await _tenant_of(transaction, ring, organization, at=at)
    known = await directory.locked_organization(transaction, organization)
    person = await directory.locked_person(transaction, subject)
    if tenant_id is None or person is None or known is None:
        return []
    standing = await directory.standing(transaction, organization, subject)
    member = await team.of_user(transaction, tenant_id, user_id=person.user_id, email=person.email)
    if standing is None or person.deleted_at is not None:
        is_theirs = member is not None and member["user_id"] == person.user_id
        if member is None or not is_theirs or not await team.leave(transaction, tenant_id, member["id"], at=at):
            return []
        return [TeamChange(tenant_id=tenant_id, member_id=member["id"], action="member.left")]
    if member is not None and member["dismissed_at"] is not None and standing.directory_at <= member["dismissed_at"]:
        # Removed here since. Their other events (a new name, a new address) say nothing about this team.
        return []
    is_founder = known.created_by == subject
    role = role_of(standing.role, is_creator=is_founder)
    # Who founded it may become known after their membership, which then changes what the provider says.
    said = f"{standing.role}, founder" if is_founder else standing.role
    if member is None or (member["user_id"] is None and member["removed_at"] is not None):
        made = await team.join(
            transaction,
            tenant_id,
            email=person.email or subject,
            role=role,
            user_id=person.user_id,
            directory_role=said,
            joined_at=at,
        )
        return [TeamChange(tenant_id=tenant_id, member_id=made["id"], action="member.joined", role=role)]
    # Another role that was given here stays until the provider's own changes.
    is_settled = member["directory_role"] == said and member["removed_at"] is None
    role = Role(member["role"]) if is_settled else role
    await team.change(
        transaction, tenant_id, member["id"], role=role, directory_role=said, user_id=person.user_id, at=at
    )
    was_in = member["user_id"] is not None and member["removed_at"] is None
    if was_in and role == member["role"]:
        return []
    action = "member.changed" if was_in else "member.joined"
    return [TeamChange(tenant_id=tenant_id, member_id=member["id"], action=action, role=role)]


def _primary_address(data: Mapping[str, Any]) -> tuple[str, bool]:
    listed = data.get("email_addresses")
    for address in listed if isinstance(listed, list) else []:
        if isinstance(address, Mapping) and address.get("id") == data.get("primary_email_address_id"):
            verification = address.get("verification")
            is_verified = isinstance(verification, Mapping) and verification.get("status") == "verified"
            return str(address.get("email_address") or ""), is_verified
    return "", False


def _name(data: Mapping[str, Any]) -> str | None:
    return " ".join(str(data[key]) for key in ("first_name", "last_name") if data.get(key))[:200] or None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value or "\x00" in value or len(value) > 500:
        raise Malformed(key)
    return value


def _instant(data: Mapping[str, Any]) -> datetime:
    value = data.get("updated_at")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 4_102_444_800_000:
        raise Malformed("updated_at")
    return datetime.fromtimestamp(value / 1000, tz=UTC)
