"""People who write, correct themselves, take words back, send pictures and change their minds at their own pace."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from mychatflow.local.phone.records import Draft, GatewayRefusal, Media, Message
from tests.fakes.waha import FakeWaha
from tests.turmoil.business import Business

_PAUSE_SECONDS: Final = 2.5
_WORDS: Final = (
    "What does a double room cost?", "Is it free next weekend?", "hello", "thanks!", "I want to book an appointment",
    "STOP", "START", "stop", "UNSUBSCRIBE", "I want to talk to a human", "This is urgent, my order never came!!",
    "¿Cuánto cuesta?", "Quanto custa?", "Ist das Zimmer frei?", "ok", "😀", "my email is a@b.test", "yes", "no", "why?",
    "Can you tell me your address? And do you have parking?", "I need a refund now", "cancel my appointment",
)  # fmt: skip
_LEVELS: Final = (-1, 1, 2, 3)
# What people do, by how often.
_HABITS: Final = {
    "write": 60, "correct": 8, "take_back": 6, "are_told_of_twice": 6, "are_answered_by_phone": 6, "react": 4,
    "receive": 4, "send_a_picture": 6,
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Customer:
    """`written` are all messages of a run; `done` counts what everybody did."""

    gateway: FakeWaha
    business: Business
    chat: str
    chance: random.Random
    written: list[Message]
    done: Counter[str]
    _mine: list[Message] = field(default_factory=list)

    async def live(self, until: float) -> None:
        """Until that moment of the monotonic clock."""
        while time.monotonic() < until:
            await asyncio.sleep(self.chance.expovariate(1 / _PAUSE_SECONDS))
            (habit,) = self.chance.choices(list(_HABITS), weights=list(_HABITS.values()))
            habit = habit if self._mine else "write"
            # Nobody writes through a number that is away.
            with contextlib.suppress(GatewayRefusal):
                await getattr(self, f"_{habit}")(self._session())
                self.done[f"customers {habit}"] += 1

    def _session(self) -> str:
        first, second = self.business.sessions
        return first if self.chance.random() < 0.85 else second

    def _latest(self) -> Message:
        return self.chance.choice(self._mine[-3:])

    def _keep(self, message: Message) -> None:
        self._mine.append(message)
        self.written.append(message)

    async def _write(self, session: str) -> None:
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            words = self.chance.choice(_WORDS)
            # Networks bring messages late, and by another way than they went.
            late = self.chance.random() < 0.05
            sent_at = datetime.now(UTC) - timedelta(seconds=self.chance.randrange(1, 4)) if late else None
            self._keep(self.gateway.send_from(self.chat, words, session=session, sent_at=sent_at))
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.uniform(0, 0.4))

    async def _correct(self, _: str) -> None:
        self.gateway.edit(self._latest(), f"I mean: {self.chance.choice(_WORDS)}")

    async def _take_back(self, _: str) -> None:
        self.gateway.take_back(self._latest())

    async def _are_told_of_twice(self, _: str) -> None:
        self.gateway.repeat(self._latest())

    async def _are_answered_by_phone(self, session: str) -> None:
        self.gateway.owner_writes(self.chat, self.chance.choice(("I answer myself", "See you then")), session=session)

    async def _react(self, session: str) -> None:
        if received := self.gateway.deliveries(self.chat, session=session):
            emoji = self.chance.choice(("👍", "❤️", ""))
            self.gateway.gateway.customers.react(session, received[-1].full_id, emoji)

    async def _receive(self, session: str) -> None:
        """A receipt of any kind, in any order, while somebody listens."""
        received = self.gateway.deliveries(self.chat, session=session)
        if received and self.gateway.gateway.sessions.webhooks(session):
            told = {"id": received[-1].full_id, "from": self.chat, "to": self.chat, "fromMe": True, "participant": None}
            told |= {"ack": self.chance.choice(_LEVELS), "ackName": "ANY"}
            await self.gateway.post(self.gateway.envelope("message.ack", told, session=session), session=session)

    async def _send_a_picture(self, session: str) -> None:
        picture = Media(mimetype="image/png", filename="a.png", url=f"{self.gateway.base_url}/nothing.png")
        draft = Draft(text=self.chance.choice(("", "look at this")), media=picture)
        self._keep(self.gateway.gateway.customers.write_in(session, self.chat, draft))
