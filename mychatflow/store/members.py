"""Which people belong to which tenants, and as what: asked anew for every request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.plan import Plan
from mychatflow.rules.role import Role
from mychatflow.rules.team import Team

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
# Changes of one team wait for one another: two owners cannot leave at once. Not `for update`: the row of the audit
# log refers to the tenant, and is written by a connection of its own before this one ends.
_LOCK = text("select plan from tenants where id = :tenant_id for no key update")
# Who was invited and removed again was written to all the same.
_SIZE = text(
    """
    select
        count(*) filter (where removed_at is null) as users,
        count(*) filter (where removed_at is null and role = 'owner' and joined_at is not null) as owners,
        count(*) filter (where invited_at > now() - interval '1 day') as invited_lately
    from team_members where tenant_id = :tenant_id
    """
)
_COLUMNS = """
    team_members.id, team_members.email, users.name, team_members.role, team_members.is_on_duty,
    team_members.invited_at, team_members.joined_at, team_members.created_at
"""
_ONE = text(
    f"""
    select {_COLUMNS} from team_members left join users on users.id = team_members.user_id
    where team_members.tenant_id = :tenant_id and team_members.removed_at is null
        and (team_members.id = cast(:member_id as uuid) or lower(team_members.email) = lower(cast(:email as text)))
    """  # noqa: S608 - constant columns
)
# Nobody is written to again within an hour.
_INVITE = text(
    """
    insert into team_members (tenant_id, email, role, invited_at, invite_email_due_at)
    values (
        :tenant_id,
        -- However somebody writes their address, it is one: the row that has it already is the one to change.
        coalesce(
            (
                select known.email from team_members as known
                where known.tenant_id = :tenant_id and lower(known.email) = lower(:email)
                order by known.removed_at desc nulls first, known.created_at limit 1
            ),
            :email
        ),
        :role, :at, :at
    )
    on conflict (tenant_id, email) do update set
        user_id = null, role = excluded.role, directory_role = null, invited_at = excluded.invited_at,
        joined_at = null, removed_at = null, dismissed_at = null, is_on_duty = true,
        invite_email_due_at = case
            when team_members.invited_at > excluded.invited_at - interval '1 hour' then team_members.invite_email_due_at
            else excluded.invite_email_due_at
        end
    returning id
    """
)
_DUTY = text("update team_members set is_on_duty = :is_on_duty where tenant_id = :tenant_id and id = :member_id")
_OF_TENANT = text(
    f"""
    select {_COLUMNS} from team_members left join users on users.id = team_members.user_id
    where team_members.tenant_id = :tenant_id
        and team_members.removed_at is null
        and (
            cast(:before_at as timestamptz) is null
            or (team_members.created_at, team_members.id)
                < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by team_members.created_at desc, team_members.id desc limit :limit
    """  # noqa: S608 - constant columns
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


async def locked_team(transaction: AsyncConnection, tenant_id: UUID) -> Team:
    """The team as it is until this transaction ends."""
    plan = (await transaction.execute(_LOCK, {"tenant_id": tenant_id})).scalar_one()
    size = (await transaction.execute(_SIZE, {"tenant_id": tenant_id})).one()
    return Team(users=size.users, owners=size.owners, plan=Plan(plan), invited_lately=size.invited_lately)


async def find(
    transaction: AsyncConnection, tenant_id: UUID, *, member_id: UUID | None = None, email: str | None = None
) -> dict[str, Any] | None:
    values = {"tenant_id": tenant_id, "member_id": member_id, "email": email}
    row = (await transaction.execute(_ONE, values)).mappings().first()
    return None if row is None else dict(row)


async def invite(transaction: AsyncConnection, tenant_id: UUID, *, email: str, role: Role, at: datetime) -> UUID:
    """The member to be; a worker tells them by e-mail."""
    values = {"tenant_id": tenant_id, "email": email, "role": role.value, "at": at}
    return UUID(str((await transaction.execute(_INVITE, values)).scalar_one()))


async def set_duty(transaction: AsyncConnection, tenant_id: UUID, member_id: UUID, *, is_on_duty: bool) -> None:
    values = {"tenant_id": tenant_id, "member_id": member_id, "is_on_duty": is_on_duty}
    await transaction.execute(_DUTY, values)
