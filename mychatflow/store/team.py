"""Who joins, changes and leaves a tenant's team; nobody keeps a key that may do more than they."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import role as roles
from mychatflow.rules.role import Role

_COLUMNS = """
    id, tenant_id, user_id, email, null as name, role, is_on_duty, invited_at, joined_at, removed_at, created_at,
    directory_role, dismissed_at
"""
_OF_USER = text(
    f"""
    select {_COLUMNS} from team_members
    where tenant_id = :tenant_id and (user_id = :user_id or (user_id is null and lower(email) = lower(:email)))
    order by user_id nulls last, removed_at nulls first limit 1
    """  # noqa: S608 - constant columns
)
_JOIN = text(
    f"""
    insert into team_members (tenant_id, user_id, email, role, directory_role, invited_at, joined_at)
    values (:tenant_id, :user_id, :email, :role, :directory_role, :invited_at, :joined_at)
    on conflict (tenant_id, email) do update set
        user_id = excluded.user_id, role = excluded.role, directory_role = excluded.directory_role,
        invited_at = excluded.invited_at, joined_at = excluded.joined_at, removed_at = null, dismissed_at = null
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_CHANGE = text(
    f"""
    update team_members set
        role = :role, directory_role = coalesce(:directory_role, directory_role),
        user_id = coalesce(cast(:user_id as uuid), user_id),
        joined_at = coalesce(joined_at, cast(:at as timestamptz)), removed_at = null, dismissed_at = null
    where tenant_id = :tenant_id and id = :member_id
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_SET_ROLE = text("update team_members set role = :role where tenant_id = :tenant_id and id = :member_id")
_LEAVE = text(
    """
    update team_members set removed_at = :at, is_on_duty = false
    where tenant_id = :tenant_id and id = :member_id and removed_at is null
    """
)
_TAKE_KEYS = text(
    """
    update api_keys set revoked_at = :at
    where tenant_id = :tenant_id and created_by = :member_id and revoked_at is null
    """
)
_TAKE_GREATER_KEYS = text(
    """
    update api_keys set revoked_at = :at
    where tenant_id = :tenant_id and created_by = :member_id and revoked_at is null and role = any(:greater)
    """
)
_DISMISS = text("update team_members set dismissed_at = :at where tenant_id = :tenant_id and id = :member_id")
_LEAVE_EVERYWHERE = text(
    """
    with gone as (
        update team_members set removed_at = :at, is_on_duty = false
        where user_id = :user_id and removed_at is null
        returning tenant_id, id
    ),

    their_keys as (
        update api_keys set revoked_at = :at from gone
        where api_keys.tenant_id = gone.tenant_id and api_keys.created_by = gone.id and api_keys.revoked_at is null
    )

    select tenant_id, id as member_id from gone
    """
)
# Nobody is left who could look after it, so it stops answering; an operator may give it to somebody.
_SUSPEND = text(
    """
    update tenants set suspended_at = coalesce(suspended_at, :at)
    where clerk_user_id = (select clerk_user_id from users where id = :user_id)
        and not exists (
            select 1 from team_members
            where team_members.tenant_id = tenants.id and team_members.removed_at is null
        )
    """
)
_ANYWHERE = text("select exists (select 1 from team_members where user_id = :user_id)")
# An owner whom an operator named has no end to come in by; an invitation has seven days.
_AWAITED = """
    user_id is null and removed_at is null and lower(email) = lower(:email)
    and (joined_at is not null or invited_at > cast(:at as timestamptz) - interval '7 days')
"""
_IS_AWAITED = text(f"select exists (select 1 from team_members where {_AWAITED})")  # noqa: S608 - a constant
_WELCOME = text(
    f"""
    update team_members set user_id = :user_id, joined_at = coalesce(joined_at, :at)
    where {_AWAITED} and not exists (
        select 1 from team_members as theirs
        where theirs.tenant_id = team_members.tenant_id and theirs.user_id = :user_id and theirs.removed_at is null
    )
    returning tenant_id, id as member_id, role
    """  # noqa: S608 - a constant
)


async def of_user(
    transaction: AsyncConnection, tenant_id: UUID, *, user_id: UUID, email: str
) -> Mapping[str, Any] | None:
    values = {"tenant_id": tenant_id, "user_id": user_id, "email": email}
    row = (await transaction.execute(_OF_USER, values)).mappings().one_or_none()
    return None if row is None else dict(row)


async def join(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    email: str,
    role: Role,
    user_id: UUID | None = None,
    directory_role: str | None = None,
    invited_at: datetime | None = None,
    joined_at: datetime | None = None,
) -> Mapping[str, Any]:
    values = {
        "tenant_id": tenant_id,
        "user_id": user_id,
        "email": email,
        "role": role.value,
        "directory_role": directory_role,
        "invited_at": invited_at,
        "joined_at": joined_at,
    }
    return dict((await transaction.execute(_JOIN, values)).mappings().one())


async def change(
    transaction: AsyncConnection,
    tenant_id: UUID,
    member_id: UUID,
    *,
    role: Role,
    directory_role: str | None = None,
    user_id: UUID | None = None,
    at: datetime,
) -> Mapping[str, Any] | None:
    """As the provider says; who was awaited has joined then."""
    values = {
        "tenant_id": tenant_id,
        "member_id": member_id,
        "role": role.value,
        "directory_role": directory_role,
        "user_id": user_id,
        "at": at,
    }
    row = (await transaction.execute(_CHANGE, values)).mappings().one_or_none()
    await _take_greater_keys(transaction, tenant_id, member_id, role=role, at=at)
    return None if row is None else dict(row)


async def set_role(transaction: AsyncConnection, tenant_id: UUID, member_id: UUID, *, role: Role, at: datetime) -> None:
    """As somebody decided here; the provider's next change of it counts more."""
    await transaction.execute(_SET_ROLE, {"tenant_id": tenant_id, "member_id": member_id, "role": role.value})
    await _take_greater_keys(transaction, tenant_id, member_id, role=role, at=at)


async def _take_greater_keys(
    transaction: AsyncConnection, tenant_id: UUID, member_id: UUID, *, role: Role, at: datetime
) -> None:
    """A key cannot hold more than whoever made it, later on neither."""
    values = {"tenant_id": tenant_id, "member_id": member_id, "greater": [*roles.above(role)], "at": at}
    await transaction.execute(_TAKE_GREATER_KEYS, values)


async def leave(transaction: AsyncConnection, tenant_id: UUID, member_id: UUID, *, at: datetime) -> bool:
    """Whether they were in; their API keys stop with them."""
    values = {"tenant_id": tenant_id, "member_id": member_id, "at": at}
    done = await transaction.execute(_LEAVE, values)
    await transaction.execute(_TAKE_KEYS, values)
    return done.rowcount > 0


async def dismiss(transaction: AsyncConnection, tenant_id: UUID, member_id: UUID, *, at: datetime) -> bool:
    """Removed by a colleague: only what the identity provider says of a later time brings them back."""
    await transaction.execute(_DISMISS, {"tenant_id": tenant_id, "member_id": member_id, "at": at})
    return await leave(transaction, tenant_id, member_id, at=at)


async def is_awaited(transaction: AsyncConnection, email: str, *, at: datetime) -> bool:
    """Whether any team waits for whoever shows that this address is theirs (platform transaction)."""
    return bool((await transaction.execute(_IS_AWAITED, {"email": email, "at": at})).scalar_one())


async def welcome(transaction: AsyncConnection, *, user_id: UUID, email: str, at: datetime) -> list[Mapping[str, Any]]:
    """Every team that waits for that verified address takes them in (platform transaction)."""
    found = await transaction.execute(_WELCOME, {"user_id": user_id, "email": email, "at": at})
    return [dict(row) for row in found.mappings()]


async def leave_everywhere(transaction: AsyncConnection, user_id: UUID, *, at: datetime) -> list[Mapping[str, Any]]:
    """The person is deleted at the identity provider (platform transaction); the memberships that ended."""
    values = {"user_id": user_id, "at": at}
    left = (await transaction.execute(_LEAVE_EVERYWHERE, values)).mappings().all()
    await transaction.execute(_SUSPEND, values)
    return [dict(row) for row in left]


async def is_anywhere(transaction: AsyncConnection, user_id: UUID) -> bool:
    """Whether the person is or was in a team (platform transaction)."""
    return bool((await transaction.execute(_ANYWHERE, {"user_id": user_id})).scalar_one())
