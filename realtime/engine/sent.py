"""Step five: what became of a message at the gateway, with its event, and the chat is free again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

from realtime.engine import receipts, sql
from realtime.engine.batcher import Batcher
from realtime.engine.commit import Notification
from realtime.engine.facts import LeaseLost
from realtime.engine.pool import Pool
from realtime.engine.records import EventEntry, Record
from realtime.engine.work import Lease

State = Literal["pending", "sending", "sent", "ambiguous", "failed"]


class NumberChange(Record, frozen=True, kw_only=True):
    """What the gateway's answer says of the number."""

    status: str
    restricted_until: datetime | None = None


class Dispatch(Record, frozen=True, kw_only=True):
    """The state of one outbox row after an attempt."""

    lease: Lease
    outbox_id: UUID
    state: State
    at: datetime
    wa_message_id: str | None = None
    next_try_at: datetime | None = None
    error: str | None = None
    usage_subject: str | None = None
    releases: bool = False
    due_at: datetime | None = None
    events: tuple[EventEntry, ...] = ()
    number: NumberChange | None = None
    notification: Notification | None = None


class Start(Record, frozen=True, kw_only=True):
    """A queued message that is about to be sent for the first time, or again after a crash."""

    lease: Lease
    outbox_id: UUID
    wa_message_id: str | None
    quiet_seconds: float = 0.0


class Started(Record, frozen=True, kw_only=True):
    """`obstacle` says why the message may not go out any more."""

    wa_message_id: str | None
    first_try_at: datetime
    obstacle: str | None


_KNOWN: Final = """
select wa_message_id from outbox where tenant_id = %(tenant_id)s and wa_message_id = any(%(message_ids)s)
"""
# Somebody cancelled it meanwhile, or the chat is another worker's by now.
_GONE: Final = Started(wa_message_id=None, first_try_at=datetime.max.replace(tzinfo=UTC), obstacle="gone")


class DispatchBook:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._dispatches: Batcher[Dispatch, bool] = Batcher(
            self._mark, max_size=200, splits_on=sql.SPLITS_ON, tenant=lambda dispatch: dispatch.lease.tenant_id
        )
        self._starts: Batcher[Start, Started] = Batcher(
            self._start, max_size=200, splits_on=sql.SPLITS_ON, tenant=lambda start: start.lease.tenant_id
        )

    @property
    def pending(self) -> int:
        return self._dispatches.pending + self._starts.pending

    async def mark(self, dispatch: Dispatch) -> bool:
        """Whether more work waits in a chat that was released with it. Raises LeaseLost."""
        return await self._dispatches.submit(dispatch)

    async def start(self, start: Start) -> Started:
        """Fix the id and ask once more whether it may go."""
        return await self._starts.submit(start)

    async def known(self, tenant_id: UUID, message_ids: Sequence[str]) -> frozenset[str]:
        """Those of WhatsApp's ids that belong to messages which were marked already."""
        async with self._pool.connection() as connection:
            found = await connection.execute(_KNOWN, {"tenant_id": tenant_id, "message_ids": list(message_ids)})
            return frozenset(row[0] for row in await found.fetchall())

    async def _mark(self, batch: list[Dispatch]) -> Sequence[bool | Exception]:
        turns = sql.numbered((n, _head(each)) for n, each in enumerate(batch))
        parameters = {
            "turns": turns,
            "events": sql.numbered((n, event) for n, each in enumerate(batch) for event in each.events),
            "numbers": sql.numbered((n, each.number) for n, each in enumerate(batch) if each.number),
            "notifications": sql.numbered((n, each.notification) for n, each in enumerate(batch) if each.notification),
        }
        # A crash that forgets it is the crash between sending and writing down: sent again with the same id.
        _, rows = await sql.run(self._pool, ("lock", {"turns": turns}), ("sent", parameters), is_durable=False)
        found = {row["n"]: row for row in rows}
        early = [batch[n] for n, row in found.items() if row["is_acknowledged"] and batch[n].state == "sent"]
        if early:
            await self._apply_receipts(early)
        return [bool(found[n]["is_due"]) if n in found else LeaseLost() for n in range(len(batch))]

    async def _apply_receipts(self, dispatches: Sequence[Dispatch]) -> None:
        keys = [
            (each.lease.tenant_id, each.lease.instance_id, each.wa_message_id)
            for each in dispatches
            if each.wa_message_id is not None
        ]
        async with self._pool.connection() as connection, connection.transaction():
            await receipts.apply_waiting(connection, keys)

    async def _start(self, batch: list[Start]) -> Sequence[Started | Exception]:
        turns = sql.rows([_start_head(start) for start in batch])
        _, rows = await sql.run(self._pool, ("lock", {"turns": turns}), ("start_sending", {"turns": turns}))
        found = {row.pop("id"): Started(**row) for row in rows}
        return [found.get(start.outbox_id, _GONE) for start in batch]


class _Head(Record, frozen=True, kw_only=True):
    tenant_id: UUID
    instance_id: UUID
    chat_id: str
    fence: int
    outbox_id: UUID
    state: State
    wa_message_id: str | None
    at: datetime
    next_try_at: datetime | None
    error: str | None
    releases: bool
    due_at: datetime | None
    usage_subject: str | None


def _head(dispatch: Dispatch) -> _Head:
    lease = dispatch.lease
    return _Head(
        tenant_id=lease.tenant_id,
        instance_id=lease.instance_id,
        chat_id=lease.chat_id,
        fence=lease.fence,
        outbox_id=dispatch.outbox_id,
        state=dispatch.state,
        wa_message_id=dispatch.wa_message_id,
        at=dispatch.at,
        next_try_at=dispatch.next_try_at,
        error=dispatch.error,
        releases=dispatch.releases,
        due_at=dispatch.due_at,
        usage_subject=dispatch.usage_subject,
    )


def _start_head(start: Start) -> dict[str, Any]:
    return {
        "tenant_id": start.lease.tenant_id,
        "instance_id": start.lease.instance_id,
        "chat_id": start.lease.chat_id,
        "fence": start.lease.fence,
        "outbox_id": start.outbox_id,
        "wa_message_id": start.wa_message_id,
        "quiet_seconds": start.quiet_seconds,
    }
