"""A message id that comes again with other words: the first words stay, and the difference is on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from mychatflow.store import audit
from mychatflow.store.cipher import Unreadable
from mychatflow.store.session import AWAY, Store
from realtime import metrics
from realtime.engine.batcher import Batcher
from realtime.engine.pool import BROKEN_OFF, Pool
from realtime.webhooks import messages
from realtime.webhooks.directory import Instance
from realtime.webhooks.messages import IncomingMessage

_MOST_REMEMBERED: Final = 10_000
_KEPT: Final = """
select inbox.session, inbox.message_id, inbox.body
from unnest(%(sessions)b::text[], %(message_ids)b::text[]) as asked (session, message_id)
inner join inbox on inbox.session = asked.session and inbox.message_id = asked.message_id
where inbox.body is not null
"""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    message: IncomingMessage
    instance: Instance

    @property
    def key(self) -> tuple[str, str]:
        return self.instance.session, self.message.inbox_id


class Duplicates:
    """Looks after the answer has gone out, many at once: a storm of replays costs a query for each hundred."""

    def __init__(self, pool: Pool, store: Store) -> None:
        self._pool = pool
        self._store = store
        self._batcher: Batcher[_Again, None] = Batcher(self._compare, max_size=100)
        # What this process stored lately: a gateway tells of every message twice, mostly within a moment.
        self._stored: dict[str, int] = {}
        # On record already; a replay a thousand times over is one line.
        self._recorded: set[tuple[str, str]] = set()

    def look(self, message: IncomingMessage, instance: Instance, *, is_first: bool) -> None:
        """Without waiting. What cannot be compared now is let go: the message itself is safe."""
        if is_first:
            if len(self._stored) >= _MOST_REMEMBERED:
                self._stored.clear()
            self._stored[message.inbox_id] = hash((message.type, message.text))
        elif self._stored.get(message.inbox_id) != hash((message.type, message.text)):
            self._batcher.submit(_Again(message=message, instance=instance))

    async def drain(self) -> None:
        await self._batcher.drain()

    async def _compare(self, again: list[_Again]) -> Sequence[None]:
        try:
            kept = await self._kept(again)
            for each in again:
                body = kept.get(each.key)
                if body is not None and each.key not in self._recorded and _differs(each, body):
                    await self._record(each)
        except (*BROKEN_OFF, *AWAY) as error:
            log.warning("duplicates not compared", cause=type(error).__name__)
        return [None] * len(again)

    async def _kept(self, again: list[_Again]) -> dict[tuple[str, str], bytes]:
        keys = {each.key for each in again}
        asked = {"sessions": [session for session, _ in keys], "message_ids": [name for _, name in keys]}
        async with self._pool.connection() as connection:
            found = await (await connection.execute(_KEPT, asked)).fetchall()
        return {(row[0], row[1]): row[2] for row in found}

    async def _record(self, each: _Again) -> None:
        if len(self._recorded) >= _MOST_REMEMBERED:
            self._recorded.clear()
        async with self._store.audit_transaction() as transaction:
            await audit.record(
                transaction,
                each.instance.tenant_id,
                actor="gateway",
                action="message.altered",
                # WhatsApp's own part of the id alone: the rest of it is the customer's number.
                subject=each.message.bare_id,
                detail={"instance_id": str(each.instance.instance_id), "length": len(each.message.text)},
                at=datetime.now(UTC),
            )
        self._recorded.add(each.key)
        metrics.altered_messages.inc()
        log.warning("message came again with other words", tenant_id=str(each.instance.tenant_id))


def _differs(again: _Again, body: bytes) -> bool:
    session, inbox_id = again.key
    try:
        first = messages.unseal_message(body, again.instance.cipher, session=session, inbox_id=inbox_id)
    except Unreadable:
        return False
    return (first.type, first.text) != (again.message.type, again.message.text)
