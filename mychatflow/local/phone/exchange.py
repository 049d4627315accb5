"""What both sides of the sandbox phone share: its memory, the news for pages and the words to webhooks."""

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mychatflow.local.phone import payloads, views
from mychatflow.local.phone.chats import ChatBook
from mychatflow.local.phone.feed import Feed
from mychatflow.local.phone.files import FileStore
from mychatflow.local.phone.hooks import Hooks, OnHandover
from mychatflow.local.phone.ids import bare
from mychatflow.local.phone.journal import Journal
from mychatflow.local.phone.records import Ack, Customer, Engine, GatewayRefusal, Handover, Message, Session
from mychatflow.local.phone.sessions import SessionBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds until a sent message's receipts and a session's start; None never comes by itself."""

    server: float | None = 0.04
    device: float | None = 0.35
    read: float | None = None
    starting: float = 0.3


class Exchange:
    def __init__(
        self, *, journal: Journal, files: FileStore, hooks: Hooks, base_url: str, engine: Engine, pace: Pace
    ) -> None:
        self.engine: Engine = engine
        self.pace = pace
        self.base_url = base_url
        self.journal = journal
        self.files = files
        self.hooks = hooks
        self.feed = Feed()
        self.chats = ChatBook()
        self.sessions = SessionBook(clock_ms=now_ms, on_change=self._session_changed)
        self._timers: set[asyncio.TimerHandle] = set()

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self.feed.close()
        await self.hooks.close()
        self.journal.close()

    def keep(self, message: Message) -> None:
        """Remember a message's new state and show it to open pages."""
        self.chats.put(message)
        self.journal.write(message)
        self.feed.tell("message", {"message": views.message(message)})

    def keep_session(self, session: Session) -> None:
        self.journal.write(session)
        self.feed.tell("session", {"session": views.session(session)})

    def keep_customer(self, customer: Customer) -> None:
        known = self.chats.customer_of(customer.phone)
        if known != customer:
            self.chats.put_customer(customer)
            self.journal.write(customer)
            self.feed.tell("customer", {"customer": views.customer(customer)})

    def target(self, session: str, full_id: str) -> Message:
        """The message that a reaction or receipt names by its long id."""
        parts = full_id.split("_")
        found = self.chats.find(session, parts[1], bare(full_id)) if len(parts) > 2 else None
        if found is None:
            raise GatewayRefusal(
                422, {"statusCode": 422, "message": "Message not found", "error": "Unprocessable Entity"}
            )
        return found

    def tell_message(self, message: Message, event: str, *, on_handover: OnHandover | None = None) -> None:
        session = self.sessions.get(message.session)
        self.tell_business(
            session, event, payloads.message(message, session, base_url=self.base_url), on_handover=on_handover
        )

    def tell_business(
        self, session: Session, event: str, payload: dict[str, Any], *, on_handover: OnHandover | None = None
    ) -> None:
        """Fire the event at every webhook of the session that asked for it."""
        for webhook in self.sessions.webhooks(session.name):
            if webhook.wants(event):
                envelope = payloads.envelope(session, event, payload, engine=self.engine, at_ms=now_ms())
                self.hooks.fire(webhook, envelope, on_handover=on_handover)

    def raise_ack(self, message: Message, level: Ack) -> None:
        raised = self.chats.raise_ack(message, level)
        if raised is not None:
            self.journal.write(raised)
            self.feed.tell("message", {"message": views.message(raised)})

    def acknowledge(self, message: Message, level: Ack) -> None:
        """A receipt for a message of the business; it is told even when it comes late or twice."""
        self.raise_ack(message, level)
        session = self.sessions.get(message.session)
        self.tell_business(session, "message.ack", payloads.ack(message, level))

    def schedule_receipts(self, message: Message) -> None:
        steps = ((Ack.SERVER, self.pace.server), (Ack.DEVICE, self.pace.device), (Ack.READ, self.pace.read))
        for level, delay in steps:
            if delay is not None:
                self.later(delay, functools.partial(self._acknowledge_if_due, message, level))

    def later(self, delay: float, act: Callable[[], None]) -> None:
        """Do that after so many seconds, unless the phone is closed before."""

        def run() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(delay, run)
        self._timers.add(timer)

    def _acknowledge_if_due(self, message: Message, level: Ack) -> None:
        current = self.chats.find(message.session, message.chat_id, message.message_id)
        if current is not None and current.ack < level:
            self.acknowledge(current, level)

    def _session_changed(self, session: Session) -> None:
        self.keep_session(session)
        self.tell_business(session, "session.status", payloads.session_status(session))


def handed_over(exchange: Exchange, message: Message) -> OnHandover:
    """Writes on a customer's message how the business's webhook took it; the better news of its two events stays."""

    def note(handover: Handover) -> None:
        current = exchange.chats.find(message.session, message.chat_id, message.message_id)
        if current is None or current.handover.state == "delivered":
            return
        level = Ack.DEVICE if handover.state == "delivered" and current.ack < Ack.DEVICE else current.ack
        exchange.keep(replace(current, handover=handover, ack=level))

    return note


def now_ms() -> int:
    return time.time_ns() // 1_000_000
