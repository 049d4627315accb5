"""Step one: what the gateway told us is on disk before it hears 200, many messages in one commit."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import msgspec
import psycopg
from psycopg_pool import PoolTimeout

from mychatflow.rules import settling
from realtime.engine.batcher import Batcher
from realtime.engine.pool import BROKEN_OFF, Pool

Outcome = Literal["stored", "known"]
# Rows are sorted by chat: two processes that lock the same chats in another order would wait for each other for ever.
# Our own message coming back, by an id that the outbox fixed before it was sent, is done as it arrives: no worker need
# claim its chat and read all that a turn starts from.
# A chat is left alone from the moment its row is written: counted from the statement's begin, a slow one took it away.
# With a debounce it is due at the next mark after that.
# A row without first_at (our own message, a reaction, an edit) wakes its chat but never shortens a pending debounce.
# A chat that is due, as all are after an outage, waits for us and not for its customer: it keeps its place in line,
# however often the customer writes. Yet the message that comes now is left alone like any other, or the one before it,
# whose webhook the gateway tries again, would be answered after it: who claims the chat learns by first_at since when.
_INSERT: Final = """
with

given as materialized (
    select
        given.*,
        case when given.lane = 'message' and given.is_own then coalesce((
            select true from outbox
            where
                outbox.tenant_id = given.tenant_id
                and outbox.wa_message_id = split_part(given.message_id, '_', 3)
            limit 1
        ), false) else false end as is_echo
    from unnest(
        %(tenant_ids)b::uuid[], %(instance_ids)b::uuid[], %(sessions)b::text[], %(message_ids)b::text[],
        %(lanes)b::text[], %(kinds)b::text[], %(chat_ids)b::text[], %(are_own)b::bool[], %(sent)b::timestamptz[],
        %(received)b::timestamptz[], %(bodies)b::bytea[], %(traces)b::text[], %(debounces)b::int4[]
    ) as given (
        tenant_id, instance_id, session, message_id, lane, kind, chat_id, is_own, sent_at, received_at, body,
        trace_id, debounce_ms
    )
),

inserted as (
    insert into inbox (
        tenant_id, instance_id, session, message_id, lane, kind, chat_id, is_own, sent_at, received_at, body, trace_id,
        state, done_at
    )
    select
        tenant_id, instance_id, session, message_id, lane, kind, chat_id, is_own, sent_at, received_at, body, trace_id,
        case when is_echo then 'done' else 'open' end, case when is_echo then now() end
    from given
    order by instance_id, chat_id, sent_at
    on conflict (session, message_id) do nothing
    returning tenant_id, instance_id, session, message_id, chat_id, lane, kind, is_own, state
),

woken as (
    select
        inserted.tenant_id,
        inserted.instance_id,
        inserted.chat_id,
        bool_or(inserted.kind = 'message' and not inserted.is_own) as is_customer,
        max(given.debounce_ms) * interval '1 millisecond' as debounce
    from inserted
    inner join given on given.session = inserted.session and given.message_id = inserted.message_id
    where inserted.lane = 'message' and inserted.state = 'open'
    group by inserted.tenant_id, inserted.instance_id, inserted.chat_id
),

leases as (
    insert into chat_leases (tenant_id, instance_id, chat_id, due_at, first_at)
    select
        tenant_id,
        instance_id,
        chat_id,
        case
            when is_customer and debounce > interval '0'
                then date_bin(%(mark)s, clock_timestamp() + debounce, timestamptz 'epoch') + %(mark)s
            else clock_timestamp()
        end,
        case when is_customer then clock_timestamp() end
    from woken
    order by tenant_id, instance_id, chat_id
    on conflict (tenant_id, instance_id, chat_id) do update set
        due_at = case
            when excluded.first_at is null then coalesce(chat_leases.due_at, excluded.due_at)
            when chat_leases.due_at <= excluded.first_at then chat_leases.due_at
            else least(excluded.due_at, chat_leases.first_at + %(longest)s)
        end,
        first_at = case
            when chat_leases.due_at <= excluded.first_at then excluded.first_at
            else coalesce(chat_leases.first_at, excluded.first_at)
        end
)

select session, message_id, state = 'open' and lane = 'message' as wakes from inserted
"""


class RateExceeded(Exception):
    """The number has sent more than its rate; nothing was stored, and the gateway may come again."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"retry after {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row for the inbox."""

    tenant_id: UUID
    instance_id: UUID
    session: str
    message_id: str
    lane: str
    kind: str
    chat_id: str
    is_own: bool
    sent_at: datetime
    received_at: datetime
    # Nothing for statuses: all they say stands in their columns.
    body: bytes | None
    trace_id: str | None
    debounce_ms: int

    @property
    def key(self) -> tuple[str, str]:
        return self.session, self.message_id

    @property
    def is_due_later(self) -> bool:
        """Only after the workers have looked by themselves, so no bell need tell them of it."""
        is_customer = self.kind == "message" and not self.is_own
        return is_customer and timedelta(milliseconds=self.debounce_ms) >= settling.LOOK


class Admission(Protocol):
    """Says how many arrivals of each number may be stored, and when one more would be."""

    async def __call__(self, asked: Mapping[UUID, int]) -> Mapping[UUID, tuple[int, int]]: ...


class Acceptor:
    """Stores arrivals by group commit and rings once for each batch in which something is due soon."""

    def __init__(
        self,
        pool: Pool,
        *,
        ring: Callable[[], None],
        admission: Admission | None = None,
        max_size: int = 256,
        concurrency: int = 1,
    ) -> None:
        self._pool = pool
        self._ring = ring
        self._admission = admission
        self._batcher: Batcher[Arrival, Outcome] = Batcher(
            self._store,
            max_size=max_size,
            concurrency=concurrency,
            # A row that Postgres refuses: the others of its batch must not suffer.
            splits_on=(psycopg.DataError, psycopg.IntegrityError),
            tenant=lambda arrival: arrival.tenant_id,
            # Here it is the commit that takes the time, however few rows there are.
            crowd=4,
        )

    async def accept(self, arrival: Arrival) -> Outcome:
        """Returns when the row is committed.

        Raises RateExceeded, pool.BROKEN_OFF (Postgres is away: try again) and psycopg.DataError or
        psycopg.IntegrityError (this row can never be stored).
        """
        return await self._batcher.submit(arrival)

    @property
    def batches(self) -> int:
        """How many commits there were."""
        return self._batcher.batches

    async def drain(self) -> None:
        await self._batcher.drain()

    async def _store(self, arrivals: list[Arrival]) -> Sequence[Outcome | Exception]:
        refused = await self._refused(arrivals) if self._admission else {}
        admitted = [arrival for position, arrival in enumerate(arrivals) if position not in refused]
        new = await self._insert(admitted) if admitted else {}
        if any(new.get(arrival.key) and not arrival.is_due_later for arrival in admitted):
            self._ring()
        outcomes: list[Outcome | Exception] = []
        for position, arrival in enumerate(arrivals):
            outcomes.append(refused.get(position) or ("stored" if arrival.key in new else "known"))
            new.pop(arrival.key, None)
        return outcomes

    async def _refused(self, arrivals: Sequence[Arrival]) -> dict[int, Exception]:
        """Position → refusal of those beyond their number's rate, the latest first."""
        if self._admission is None:
            return {}
        verdicts = await self._admission(Counter(arrival.instance_id for arrival in arrivals))
        left = {instance_id: admitted for instance_id, (admitted, _) in verdicts.items()}
        refused: dict[int, Exception] = {}
        for position, arrival in enumerate(arrivals):
            left[arrival.instance_id] -= 1
            if left[arrival.instance_id] < 0:
                refused[position] = RateExceeded(verdicts[arrival.instance_id][1])
        return refused

    async def _insert(self, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], bool]:
        """The new ones by their keys, and whether each wakes its chat."""
        parameters = _columns(arrivals) | {"longest": settling.LONGEST, "mark": settling.MARK}
        try:
            return await self._execute(parameters)
        except PoolTimeout:
            raise
        except BROKEN_OFF:
            # Connections that died since their last use; the statement is safe to repeat.
            await self._pool.check()
            return await self._execute(parameters)

    async def _execute(self, parameters: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
        async with self._pool.connection() as connection:
            found = await connection.execute(_INSERT, parameters)
            return {(row[0], row[1]): row[2] for row in await found.fetchall()}


def _columns(arrivals: Sequence[Arrival]) -> dict[str, list[Any]]:
    return {
        "tenant_ids": [arrival.tenant_id for arrival in arrivals],
        "instance_ids": [arrival.instance_id for arrival in arrivals],
        "sessions": [arrival.session for arrival in arrivals],
        "message_ids": [arrival.message_id for arrival in arrivals],
        "lanes": [arrival.lane for arrival in arrivals],
        "kinds": [arrival.kind for arrival in arrivals],
        "chat_ids": [arrival.chat_id for arrival in arrivals],
        "are_own": [arrival.is_own for arrival in arrivals],
        "sent": [arrival.sent_at for arrival in arrivals],
        "received": [arrival.received_at for arrival in arrivals],
        "bodies": [arrival.body for arrival in arrivals],
        "traces": [arrival.trace_id for arrival in arrivals],
        "debounces": [arrival.debounce_ms for arrival in arrivals],
    }
