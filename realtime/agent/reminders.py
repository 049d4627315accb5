"""Reminds customers of their appointments: looks every few seconds what has come due, and sends each once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mychatflow.rules import appointment_text
from mychatflow.rules.reminder import ReminderDecision
from mychatflow.store import notices
from mychatflow.store import reminders as store_reminders
from mychatflow.store.cipher import Unreadable
from mychatflow.store.reminders import DueReminder
from mychatflow.store.session import AWAY, Store
from realtime import rounds

_EVERY_SECONDS: Final = 10.0
_MOST: Final = 200
log = structlog.get_logger(__name__)


class Reminders:
    def __init__(self, store: Store, ring: Callable[[], None]) -> None:
        self._store = store
        self._ring = ring

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop."""
        await rounds.keep_looking(
            lambda: self.send_due(at=datetime.now(UTC)),
            seconds=_EVERY_SECONDS,
            stopping=stopping,
            while_away="reminders wait for Postgres",
        )

    async def send_due(self, *, at: datetime) -> int:
        """Decide every due reminder; returns how many were queued to be sent."""
        async with self._store.platform_transaction() as transaction:
            due = await store_reminders.due(transaction, at=at, limit=_MOST)
        sent = 0
        for each in due:
            try:
                sent += await self._decide(each, each.decide(at=at), at=at)
            except AWAY:
                raise
            except (SQLAlchemyError, Unreadable) as error:
                # Nothing of theirs can be written, and everybody else's must go on.
                log.warning("reminder not decided", tenant_id=str(each.tenant_id), cause=type(error).__name__)
        if sent:
            self._ring()
        return sent

    async def _decide(self, due: DueReminder, decision: ReminderDecision, *, at: datetime) -> bool:
        key = f"reminder:{due.id}"
        is_sent = decision.action == "send"
        async with self._store.tenant_transaction(due.tenant_id) as transaction:
            outbox_id = notices.outbox_id(due.tenant_id, key) if is_sent else None
            if not await store_reminders.decide(transaction, due, decision, outbox_id=outbox_id, at=at) or not is_sent:
                return False
            words = appointment_text.say(
                "reminder",
                language=due.language,
                service=due.service,
                starts_at=due.starts_at,
                timezone=due.timezone,
            )
            cipher = await self._store.key_ring.for_tenant(due.tenant_id, transaction)
            return await notices.queue(
                transaction, due.contact_id, words, cipher=cipher, key=key, language=due.language, at=at
            )
