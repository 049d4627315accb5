"""Who may look at which tenant's pages: memberships by the person's verified subject, asked anew on every look."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_WORKSPACE = """
    tenants.id as tenant_id, tenants.name, coalesce(settings.timezone, 'UTC') as timezone, tenants.plan, tenants.is_demo
"""
_OF_SUBJECT = text(
    f"""
    select {_WORKSPACE}, team_members.id as member_id, team_members.role, users.is_platform_staff
    from users
    join team_members on team_members.user_id = users.id and team_members.removed_at is null
    join tenants on tenants.id = team_members.tenant_id
    left join settings on settings.tenant_id = tenants.id
    where users.clerk_user_id = :subject
        and users.deleted_at is null
        and tenants.deleted_at is null
        and tenants.suspended_at is null
    order by tenants.name, tenants.id
    """  # noqa: S608 - constant columns
)
_ALL = text(
    f"""
    select {_WORKSPACE}, null::uuid as member_id, 'owner' as role, true as is_platform_staff
    from tenants left join settings on settings.tenant_id = tenants.id
    where tenants.deleted_at is null
    order by tenants.is_demo desc, tenants.created_at, tenants.name, tenants.id
    """  # noqa: S608 - constant columns
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A tenant as one person may see it."""

    tenant_id: UUID
    name: str
    timezone: str
    plan: str
    is_demo: bool
    role: str
    is_platform_staff: bool
    member_id: UUID | None = None


async def of_subject(transaction: AsyncConnection, subject: str) -> list[Workspace]:
    """The workspaces of the person the identity provider names; none when they are unknown or were removed."""
    found = await transaction.execute(_OF_SUBJECT, {"subject": subject})
    return [Workspace(**row) for row in found.mappings()]


async def all_workspaces(transaction: AsyncConnection) -> list[Workspace]:
    """Every workspace, for the local owner of a development machine."""
    found = await transaction.execute(_ALL)
    return [Workspace(**row) for row in found.mappings()]
