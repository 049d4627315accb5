"""What we could not take or send: kept whole and sealed, shown to operators, replayed at their word."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_OPEN = text(
    """
    select id::text as letter_id, source, session, message_id, reason, received_at
    from dead_letters where replayed_at is null
    union all
    select 'inbox:' || seq, 'inbox', session, message_id, coalesce(last_error, 'parked'), received_at
    from inbox where state = 'parked'
    order by received_at desc
    limit :limit
    """
)
_PAYLOAD = text("select payload from dead_letters where id = :letter_id and replayed_at is null")
_REPLAYED = text("update dead_letters set replayed_at = :at where id = :letter_id")
_REOPEN = text(
    """
    with reopened as (
        update inbox set state = 'open', attempts = 0, deaths = 0, last_error = null
        where seq = :seq and state = 'parked'
        returning tenant_id, instance_id, chat_id
    )
    insert into chat_leases (tenant_id, instance_id, chat_id, due_at, first_at)
    select tenant_id, instance_id, chat_id, :at, :at from reopened
    on conflict (tenant_id, instance_id, chat_id) do update set due_at = excluded.due_at, first_at = excluded.first_at
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter, or (as `inbox:<seq>`) a message that no attempt could answer."""

    letter_id: str
    source: str
    session: str | None
    message_id: str | None
    reason: str
    received_at: datetime


async def waiting(transaction: AsyncConnection, *, limit: int = 100) -> list[Letter]:
    """The newest first (platform transaction)."""
    return [Letter(**row) for row in (await transaction.execute(_OPEN, {"limit": limit})).mappings()]


async def payload(transaction: AsyncConnection, letter_id: UUID) -> bytes | None:
    """The sealed webhook of a letter not replayed yet; the platform's cipher opens it under the letter's id."""
    found = (await transaction.execute(_PAYLOAD, {"letter_id": letter_id})).scalar_one_or_none()
    return None if found is None else bytes(found)


async def replayed(transaction: AsyncConnection, letter_id: UUID, *, at: datetime) -> None:
    await transaction.execute(_REPLAYED, {"letter_id": letter_id, "at": at})


async def reopen(transaction: AsyncConnection, seq: int, *, at: datetime) -> bool:
    """Give a parked message to the workers once more; whether there was one."""
    return (await transaction.execute(_REOPEN, {"seq": seq, "at": at})).rowcount > 0
