"""Which numbers have their history read now, by which worker, and until when nothing of them is missing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from mychatflow.store.cipher import wa_hash
from realtime.channels.gateway_types import Account, HistoryMessage
from realtime.engine.pool import Pool
from realtime.engine.work import Number
from realtime.webhooks.directory import Instance

# Claimed by moving the due time on a little; whoever reads moves it on again and again. So a worker that is killed in
# the middle costs half a minute, and the next one goes on where it was.
_CLAIM: Final = """
update instances set catch_up_due_at = now() + interval '30 seconds'
from (
    select instances.tenant_id, instances.id
    from instances
    inner join tenants on tenants.id = instances.tenant_id and tenants.deleted_at is null
    where instances.session_status is not null and instances.catch_up_due_at <= now()
    order by instances.catch_up_due_at
    limit %(most)s
    for update of instances skip locked
) as due
where instances.tenant_id = due.tenant_id and instances.id = due.id
returning
    instances.tenant_id, instances.id as instance_id, instances.session, instances.engine, instances.status,
    instances.session_status, instances.sends_per_minute, instances.restricted_until, instances.last_event_at,
    instances.base_url, instances.api_key, coalesce(instances.caught_up_at, instances.created_at) as caught_up_at
"""
_ALL_DUE: Final = "update instances set catch_up_due_at = now() where session_status is not null"
# A due time that has come by meanwhile is news (the number connected again) and stays.
_REST: Final = """
update instances set catch_up_due_at = now() + interval '5 minutes'
where tenant_id = %(tenant_id)s and id = %(instance_id)s and catch_up_due_at > now()
"""
_HOLD: Final = """
update instances set catch_up_due_at = now() + interval '30 seconds'
where
    tenant_id = %(tenant_id)s
    and id = %(instance_id)s
    and catch_up_due_at > now()
    and catch_up_due_at < now() + interval '20 seconds'
"""
_CAUGHT_UP: Final = """
update instances set
    caught_up_at = greatest(caught_up_at, %(at)s),
    wa_id = coalesce(%(wa_id)s, wa_id),
    phone_number = coalesce(%(phone_number)s, phone_number),
    -- The session works and took our key: what an earlier send said of the number is over.
    status = case when status in ('disconnected', 'auth_failed') then 'connected' else status end
where tenant_id = %(tenant_id)s and id = %(instance_id)s
"""
_GO_ON: Final = "update instances set catch_up_due_at = now() where tenant_id = %(tenant_id)s and id = %(instance_id)s"
_PROGRESS: Final = """
select chat_id, read_until from catch_up_progress where tenant_id = %(tenant_id)s and instance_id = %(instance_id)s
"""
_READ_UNTIL: Final = """
insert into catch_up_progress (tenant_id, instance_id, chat_id, read_until)
select %(tenant_id)s, %(instance_id)s, chat_id, read_until
from unnest(%(chats)b::text[], %(times)b::timestamptz[]) as behind (chat_id, read_until)
on conflict (tenant_id, instance_id, chat_id) do update set
    read_until = greatest(catch_up_progress.read_until, excluded.read_until)
"""
_ERASED: Final = """
select wa_hash, erased_at from erase_list where tenant_id = %(tenant_id)s and wa_hash = any(%(hashes)s)
"""
_CAUGHT_ALL: Final = """
delete from catch_up_progress where tenant_id = %(tenant_id)s and instance_id = %(instance_id)s
"""
# Under another form of the chat's id (phone or hidden) a message has another inbox id, but WhatsApp's own is the same.
# One that no worker has taken up yet stands in the inbox alone.
_KNOWN: Final = """
select wanted.message_id, coalesce(said.occurred_at, queued.created_at, waiting.sent_at) as written_at
from unnest(%(message_ids)b::text[], %(inbox_ids)b::text[]) as wanted (message_id, inbox_id)
left join lateral (
    select interactions.occurred_at from interactions
    where interactions.tenant_id = %(tenant_id)s and interactions.message_id = wanted.message_id
    limit 1
) as said on true
left join lateral (
    select outbox.created_at from outbox
    where outbox.tenant_id = %(tenant_id)s and outbox.wa_message_id = wanted.message_id
    limit 1
) as queued on true
left join inbox as waiting on waiting.session = %(session)s and waiting.message_id = wanted.inbox_id
where coalesce(said.occurred_at, queued.created_at, waiting.sent_at) is not null
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueNumber:
    """A number whose history is to be read; before `caught_up_at` nothing is missing."""

    tenant_id: UUID
    instance_id: UUID
    session: str
    engine: str
    status: str
    session_status: str
    sends_per_minute: int
    restricted_until: datetime | None
    last_event_at: datetime | None
    base_url: str | None
    api_key: bytes | None = field(repr=False)
    caught_up_at: datetime

    @property
    def place(self) -> dict[str, Any]:
        return {"tenant_id": self.tenant_id, "instance_id": self.instance_id}

    @property
    def number(self) -> Number:
        return Number(
            session=self.session,
            engine=self.engine,
            status=self.status,
            sends_per_minute=self.sends_per_minute,
            restricted_until=self.restricted_until,
            last_event_at=self.last_event_at,
            base_url=self.base_url,
            api_key=self.api_key,
        )


class Schedule:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def everything(self) -> None:
        """Nobody listened until a moment ago: every number may have missed something."""
        async with self._pool.connection() as connection:
            await connection.execute(_ALL_DUE)

    async def claim(self, *, most: int) -> list[DueNumber]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(DueNumber)) as cursor:
            await cursor.execute(_CLAIM, {"most": most})
            return await cursor.fetchall()

    async def caught_up(self, due: DueNumber, account: Account | None, *, at: datetime) -> None:
        """Nothing is missing until then; and whose phone is paired."""
        wa_id = account.wa_id if account else None
        paired = {"wa_id": wa_id, "phone_number": f"+{wa_id.partition('@')[0]}" if wa_id else None}
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_CAUGHT_UP, due.place | paired | {"at": at})
            await connection.execute(_REST, due.place)
            await connection.execute(_CAUGHT_ALL, due.place)

    async def progress(self, due: DueNumber) -> dict[str, datetime]:
        """Chats that an unfinished round has read, and until when nothing of them is missing."""
        async with self._pool.connection() as connection:
            found = await connection.execute(_PROGRESS, due.place)
            return {row[0]: row[1] for row in await found.fetchall()}

    async def erased(self, due: DueNumber, chats: Collection[str], *, master: bytes) -> dict[str, datetime]:
        """Those of the chats whose people were forgotten, and when: what they wrote before is nobody's to read."""
        hashes = {wa_hash(master, due.tenant_id, chat_id): chat_id for chat_id in chats}
        async with self._pool.connection() as connection:
            found = await connection.execute(_ERASED, {"tenant_id": due.tenant_id, "hashes": list(hashes)})
            return {hashes[row[0]]: row[1] for row in await found.fetchall()}

    async def read_until(self, due: DueNumber, behind: Mapping[str, datetime]) -> None:
        """Nothing of these chats is missing until then; the number stays ours."""
        read = {"chats": list(behind), "times": list(behind.values())}
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_READ_UNTIL, due.place | read)
            await connection.execute(_HOLD, due.place)

    async def rest(self, due: DueNumber) -> None:
        """Nothing is to be read of it now."""
        async with self._pool.connection() as connection:
            await connection.execute(_REST, due.place)

    async def go_on(self, due: DueNumber) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(_GO_ON, due.place)

    async def known(self, instance: Instance, messages: Sequence[HistoryMessage]) -> dict[str, datetime]:
        """Those of WhatsApp's ids that were received or sent already, and when they were written."""
        parameters = {
            "tenant_id": instance.tenant_id,
            "session": instance.session,
            "message_ids": [message.message_id for message in messages],
            "inbox_ids": [message.id for message in messages],
        }
        async with self._pool.connection() as connection:
            found = await connection.execute(_KNOWN, parameters)
            return {row[0]: row[1] for row in await found.fetchall()}
