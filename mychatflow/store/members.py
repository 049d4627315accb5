"""Which people belong to which tenants, and as what: asked anew for every request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.role import Role

_OF_SUBJECT = text(
    """
    select
        team_members.tenant_id, team_members.id as member_id, team_members.role, users.is_platform_staff,
        organizations.clerk_organization_id as organization
    from users
    join team_members on team_members.user_id = users.id and team_members.removed_at is null
    join tenants on tenants.id = team_members.tenant_id
    left join organizations on organizations.id = tenants.organization_id
    where users.clerk_user_id = :subject
        and users.deleted_at is null
        and tenants.deleted_at is null
        and tenants.suspended_at is null
    order by tenants.name, tenants.id
    """
)
_OF_TENANT = text(
    """
    select team_members.id, team_members.email, users.name, team_members.role, team_members.is_on_duty,
        team_members.invited_at, team_members.joined_at, team_members.created_at
    from team_members left join users on users.id = team_members.user_id
    where team_members.tenant_id = :tenant_id
        and team_members.removed_at is null
        and (
            cast(:before_at as timestamptz) is null
            or (team_members.created_at, team_members.id)
                < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by team_members.created_at desc, team_members.id desc limit :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One person in one tenant; `organization` is the identity provider's name of the tenant's organization."""

    tenant_id: UUID
    member_id: UUID
    role: Role
    is_platform_staff: bool
    organization: str | None


async def of_subject(transaction: AsyncConnection, subject: str) -> list[Membership]:
    """The memberships of the person the identity provider names (platform transaction)."""
    found = await transaction.execute(_OF_SUBJECT, {"subject": subject})
    return [Membership(**{**row, "role": Role(row["role"])}) for row in found.mappings()]


async def of_tenant(transaction: AsyncConnection, tenant_id: UUID, **window: Any) -> list[Mapping[str, Any]]:
    """The tenant's people, newest first; `window` is before_at, before_id and limit."""
    found = await transaction.execute(_OF_TENANT, {"tenant_id": tenant_id, **window})
    return [dict(row) for row in found.mappings()]
