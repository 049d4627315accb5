"""What colleagues at one desk see of each other: who can be given a chat, and who took it when."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_COLLEAGUES = text(
    """
    select id as member_id, email as name, is_on_duty
    from team_members
    where tenant_id = :tenant_id and removed_at is null and role <> 'viewer'
    order by is_on_duty desc, email, id
    """
)
_ACTIONS = text(
    """
    select ownership_history.changed_at, ownership_history.owner, ownership_history.reason, team_members.email as name
    from ownership_history
    left join team_members
        on team_members.tenant_id = ownership_history.tenant_id and team_members.id = ownership_history.member_id
    where ownership_history.tenant_id = :tenant_id and ownership_history.contact_id = :contact_id
    order by ownership_history.changed_at desc
    limit :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Somebody who may be given a chat."""

    member_id: UUID
    name: str
    is_on_duty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A chat changed hands; `name` is missing when no colleague did it."""

    changed_at: datetime
    owner: str
    reason: str
    name: str | None


async def colleagues(transaction: AsyncConnection, tenant_id: UUID) -> list[Colleague]:
    """Who answers customers, those on duty first."""
    return [Colleague(**row) for row in (await transaction.execute(_COLLEAGUES, {"tenant_id": tenant_id})).mappings()]


async def actions(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, limit: int = 20) -> list[Action]:
    """Every time the chat changed hands, the newest first."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "limit": limit}
    return [Action(**row) for row in (await transaction.execute(_ACTIONS, values)).mappings()]
