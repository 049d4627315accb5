"""Customers who write numbered messages through one gateway session or another, and know what came back."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from tests.chaos.verdict import Verdict, judge, numbers_in
from tests.fakes.llm import answer_json
from tests.fakes.llm_wire import Call
from tests.fakes.waha import FakeWaha

_PAUSE_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 120


class Customers:
    """Write numbered messages and know what came back."""

    def __init__(self, gateway: FakeWaha, *, chats: int = 5) -> None:
        self._gateway = gateway
        self._chats = chats
        self._sent: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._count = 0

    async def write(self, count: int, *, through: Sequence[str]) -> None:
        for _ in range(count):
            self._count += 1
            session = through[self._count % len(through)]
            chat = f"{34_600_000_000 + self._count % self._chats}@c.us"
            self._gateway.send_from(chat, f"What about order #{self._count}?", session=session)
            self._sent[session, chat].append(self._count)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def until_answered(self) -> None:
        """Or until patience ends; the verdict tells."""
        for _ in range(round(_PATIENCE_SECONDS / _PAUSE_SECONDS)):
            if not self.verdict().lost:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    def verdict(self) -> Verdict:
        sent = {f"{session} {chat}": numbers for (session, chat), numbers in self._sent.items()}
        seen = {f"{session} {chat}": self._gateway.texts(chat, session=session) for session, chat in self._sent}
        return judge(sent, seen)


def numbers_again(call: Call) -> str:
    """What the scripted model says: the numbers that it was asked about."""
    return answer_json("About " + " ".join(f"#{number}" for number in numbers_in(call.question)))
