"""Finds messages whose webhook never came: at start, when a number connects again, and every five minutes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from mychatflow.store.cipher import Unreadable
from realtime import metrics, rounds
from realtime.catch_up import history
from realtime.catch_up.schedule import DueNumber, Schedule
from realtime.channels.gateway_types import GatewayFailed, HistoryMessage, SessionState, SessionStatus
from realtime.channels.waha import WahaClient
from realtime.engine.accept import Acceptor
from realtime.engine.gateways import Gateways
from realtime.engine.pool import Pool
from realtime.webhooks.arrivals import arrival_of
from realtime.webhooks.directory import Directory, Instance
from realtime.webhooks.envelope import Envelope, Malformed
from realtime.webhooks.messages import SessionChange
from realtime.webhooks.normalise import Ignored, normalise

POLL_SECONDS: Final = 2.0
_AT_ONCE: Final = 10
# The sender's clock, the gateway's and ours differ; what is known already costs one look.
_OVERLAP: Final = timedelta(minutes=2)
# Nobody answers older ones, and a number that was away for longer brings more than a round should read.
_OLDEST: Final = timedelta(days=7)
# Nobody waits for one number's history longer than that.
_PATIENCE_SECONDS: Final = 120.0
_PROGRESS_SECONDS: Final = 0.5
log = structlog.get_logger(__name__)


class Progress:
    """How far a round has come, written down twice a second and not after each chat: it may read thousands.

    Whoever goes on after a crash reads half a second's pages again, and finds nothing new in them.
    """

    def __init__(self, schedule: Schedule, due: DueNumber) -> None:
        self._schedule = schedule
        self._due = due
        self._behind: dict[str, datetime] = {}
        self._written_at = time.monotonic()

    async def read_until(self, chat_id: str, at: datetime) -> None:
        self._behind[chat_id] = at
        if time.monotonic() - self._written_at < _PROGRESS_SECONDS:
            return
        await self._schedule.read_until(self._due, self._behind)
        self._behind.clear()
        self._written_at = time.monotonic()


class CatchUp:
    def __init__(
        self, pool: Pool, directory: Directory, gateways: Gateways, *, master: bytes, ring: Callable[[], None]
    ) -> None:
        self._schedule = Schedule(pool)
        self._directory = directory
        self._gateways = gateways
        self._master = master
        self._acceptor = Acceptor(pool, ring=ring)
        self._is_told = True

    async def run(self, stopping: asyncio.Event, *, is_first: bool) -> None:
        """Until told to stop; the first worker of an installation looks at every number when it starts."""
        self._is_told = not is_first
        await rounds.keep_looking(
            self._look, seconds=POLL_SECONDS, stopping=stopping, while_away="catch-up waits for Postgres"
        )
        await self._acceptor.drain()

    async def _look(self) -> None:
        if not self._is_told:
            await self._schedule.everything()
            self._is_told = True
        await self.round()

    async def round(self) -> int:
        """Read the history of every number that is due; returns how many missed messages were found."""
        found = 0
        while due := await self._schedule.claim(most=_AT_ONCE):
            found += sum(await asyncio.gather(*(self._number(each) for each in due)))
        return found

    async def _number(self, due: DueNumber) -> int:
        """One number's failure is its own: it is looked at again in half a minute, or in five where nothing answers."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._read(due)
        except GatewayFailed as failed:
            log.info("history not read", session=due.session, cause=failed.kind, status=failed.status)
        except TimeoutError:
            # A number that was away for long is read in several rounds, each where the one before it ended.
            log.info("history goes on in the next round", session=due.session)
            await self._schedule.go_on(due)
        except Unreadable:
            log.exception("gateway key unreadable", session=due.session)
            await self._schedule.rest(due)
        return 0

    async def _read(self, due: DueNumber) -> int:
        instance = await self._directory.find(due.session)
        if instance is None:
            await self._schedule.rest(due)
            return 0
        at = datetime.now(UTC)
        client = self._gateways.of(due.number, instance_id=due.instance_id, cipher=instance.cipher)
        try:
            session = await self._session(client, due, instance, at=at)
        except GatewayFailed:
            await self._schedule.rest(due)
            raise
        if session.status is not SessionStatus.WORKING:
            await self._schedule.rest(due)
            return 0
        found = await self._chats(client, due, instance, since=max(due.caught_up_at, at - _OLDEST) - _OVERLAP)
        await self._schedule.caught_up(due, session.account, at=at)
        if found:
            log.info("missed messages found", session=due.session, messages=found)
        return found

    async def _chats(self, client: WahaClient, due: DueNumber, instance: Instance, *, since: datetime) -> int:
        behind = await self._schedule.progress(due)
        progress = Progress(self._schedule, due)
        seen: set[str] = set()
        found = 0
        # A chat that is written to while the list's pages are turned moves to the front and stands on none of them:
        # look until the list names nothing new.
        while chats := [chat async for chat in history.chats_since(client, due.session, since=since, but=seen)]:
            erased = await self._schedule.erased(due, [chat.chat_id for chat in chats], master=self._master)
            # Before those that a killed round has read already: busy chats must not keep quiet ones from their turn.
            for chat in sorted(chats, key=lambda each: each.chat_id in behind):
                seen.add(chat.chat_id)
                begin = max(since, behind.get(chat.chat_id, since), erased.get(chat.chat_id, since))
                if chat.last_message_at is None or chat.last_message_at >= begin:
                    found += await self._chat(client, progress, instance, chat.chat_id, since=begin)
        return found

    async def _chat(
        self, client: WahaClient, progress: Progress, instance: Instance, chat_id: str, *, since: datetime
    ) -> int:
        """Each page is stored for good: whoever goes on after us, or after a crash, begins behind it."""
        began = datetime.now(UTC)
        found = 0
        async for page in history.pages_since(client, instance.session, chat_id, since=since):
            found += await self._take(instance, page)
            await progress.read_until(chat_id, page[-1].sent_at)
        await progress.read_until(chat_id, began - _OVERLAP)
        return found

    async def _session(self, client: WahaClient, due: DueNumber, instance: Instance, *, at: datetime) -> SessionState:
        """The session's real state; where its last news was lost, that news is told now."""
        session = await client.session(due.session)
        status = session.status
        if status != due.session_status:
            inbox_id = f"session.status:seen-{at.timestamp():.3f}:{status}"
            change = SessionChange(inbox_id=inbox_id, status=status, sent_at=at)
            await self._acceptor.accept(arrival_of(change, instance, received_at=at, trace_id=None))
        return session

    async def _take(self, instance: Instance, messages: Sequence[HistoryMessage]) -> int:
        """Store those that we do not have, by the same unique key as their webhooks would."""
        if not messages:
            return 0
        known = await self._schedule.known(instance, messages)
        found = 0
        before: datetime | None = None
        for message in messages:
            if message.message_id in known:
                before = known[message.message_id]
                continue
            stored, before = await self._store(instance, message, before=before)
            found += stored
        metrics.caught_up_messages.inc(found)
        return found

    async def _store(
        self, instance: Instance, message: HistoryMessage, *, before: datetime | None
    ) -> tuple[bool, datetime | None]:
        """Whether it was new, and when the chat's latest message was written."""
        received_at = datetime.now(UTC)
        envelope = Envelope(event="message.any", session=instance.session, payload=dict(message.payload))
        try:
            incoming = normalise(envelope, received_at=received_at)
        except Malformed as malformed:
            log.info("history row not understood", session=instance.session, reason=malformed.reason[:100])
            return False, before
        if isinstance(incoming, Ignored):
            return False, before
        arrival = arrival_of(incoming, instance, received_at=received_at, trace_id="catch-up")
        arrival = msgspec.structs.replace(arrival, sent_at=_in_its_place(arrival.sent_at, before=before))
        return await self._acceptor.accept(arrival) == "stored", arrival.sent_at


def _in_its_place(sent_at: datetime, *, before: datetime | None) -> datetime:
    """History knows the second alone: within it, a message follows the one before it."""
    if before is None or before.replace(microsecond=0) != sent_at:
        return sent_at
    return min(before + timedelta(microseconds=1), sent_at.replace(microsecond=999_999))
