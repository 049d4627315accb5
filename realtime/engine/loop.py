"""The worker's heart: claims chats as long as there are any, serves each in a task, keeps their leases alive."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import psycopg
import structlog

from mychatflow.rules import settling
from mychatflow.store.session import AWAY
from realtime import metrics
from realtime.engine import sql
from realtime.engine.claim import RENEW_SECONDS, Claims, place
from realtime.engine.facts import LeaseLost, Overtaken
from realtime.engine.pool import BROKEN_OFF, Pool
from realtime.engine.turnstile import CROWD, Turnstile
from realtime.engine.work import Lease, UnreadableRow

_POLL_SECONDS: Final = settling.LOOK.total_seconds()
_REST_SECONDS: Final = 1.0
_MOST_AT_ONCE: Final = 12_000
# What is claimed waits in line in this process, first come, first served; what is not is shared among the tenants. So
# no more is claimed than keeps the process busy (half as many cost a fifth more CPU a turn, since batches hold less),
# and not one by one.
_MOST_PENDING: Final = CROWD
# While others write beside a tenant's crowd: each of their steps waits for what this process has begun.
_MOST_PENDING_BESIDE_OTHERS: Final = 24
_LEAST_CLAIM: Final = 12
_BREATH_SECONDS: Final = 0.005
# A crowd whose answers all come back at once fills the process for a second or two; the others' few chats are taken
# so often all the while.
_ASIDE_SECONDS: Final = 0.05
_ASIDE_SECONDS_WHEN_RUNG: Final = 0.01
# At a mark all workers wake at the same moment and the first takes all that is due: next time another one shall be.
_COURTESY_SECONDS: Final = 0.005
_LAST_SECONDS: Final = 18.0
_GIVING_BACK_SECONDS: Final = 2.0
_MOST_ATTEMPTS: Final = 5
# A turn that fails is tried again after 1, 2, 4 … and at last every 64 s.
_MOST_DOUBLINGS: Final = 6
log = structlog.get_logger(__name__)


class Agent(Protocol):
    """Serves the chats; `pending` are those of them that wait for this process and for nobody else."""

    @property
    def pending(self) -> int: ...

    async def serve(self, lease: Lease) -> bool: ...


class Loop:
    def __init__(
        self,
        pool: Pool,
        claims: Claims,
        agent: Agent,
        *,
        rung: asyncio.Event,
        stopping: asyncio.Event,
        turnstile: Turnstile | None = None,
    ) -> None:
        self.pool = pool
        self._turnstile = turnstile or Turnstile()
        self._claims = claims
        self._agent = agent
        self._rung = rung
        self._stopping = stopping
        self._held: dict[asyncio.Task[None], Lease] = {}
        # Broken off with Postgres, or overtaken; given back as soon as it answers.
        self._left: list[Lease] = []
        # By chat, how often in a row its turn failed here: what fails without a message has no other count.
        self._failures: Counter[tuple[UUID, UUID, str]] = Counter()
        self._aside_at = 0.0
        # Whether a tenant's crowd was here lately, and others beside it.
        self._is_shared = False

    async def run(self) -> None:
        """Until told to stop; what is under way may end, the rest is given back to other workers."""
        renewing = asyncio.create_task(self._renew())
        try:
            await self._outlast(self._claims.inherit)
            while not self._stopping.is_set():
                await self._round()
            if self._held:
                await asyncio.wait(set(self._held), timeout=_LAST_SECONDS)
        finally:
            renewing.cancel()
            await self._break_off()

    async def _round(self) -> None:
        # What was claimed in the last round takes its place in the line first.
        await asyncio.sleep(0)
        if self._rung.is_set():
            self._aside_at = min(self._aside_at, time.monotonic() + _ASIDE_SECONDS_WHEN_RUNG)
        self._rung.clear()
        most = _MOST_PENDING_BESIDE_OTHERS if self._is_shared else _MOST_PENDING
        room = min(most - self._agent.pending, _MOST_AT_ONCE - len(self._held))
        crowds = self._crowds() if room < _LEAST_CLAIM else frozenset()
        if crowds:
            room = _LEAST_CLAIM
        elif room < _LEAST_CLAIM:
            await asyncio.sleep(_BREATH_SECONDS)
            return
        try:
            left = self._left.copy()
            await self._give_back(left)
            # Not those that broke off meanwhile.
            del self._left[: len(left)]
            leases, due_in = await self._claims.take(most=room, without=crowds)
        except BROKEN_OFF as error:
            log.warning("worker waits for Postgres", cause=type(error).__name__)
            await asyncio.sleep(_REST_SECONDS)
            return
        for lease in leases:
            task = asyncio.create_task(self._hold(lease))
            self._held[task] = lease
            task.add_done_callback(self._held.pop)
        if crowds:
            await asyncio.sleep(_BREATH_SECONDS)
        elif len(leases) < room:
            await self._wait(due_in, courtesy=_COURTESY_SECONDS if leases else 0.0)

    def _crowds(self) -> frozenset[UUID]:
        """Whose chats fill this process, when it is time to take what the others have in spite of them."""
        now = time.monotonic()
        if now < self._aside_at or len(self._held) > _MOST_AT_ONCE - _LEAST_CLAIM:
            return frozenset()
        self._aside_at = now + _ASIDE_SECONDS
        crowds = self._turnstile.crowds
        self._is_shared = bool(crowds) and self._turnstile.has_others
        return crowds

    async def _wait(self, due_in: float | None, *, courtesy: float) -> None:
        """For the bell, the next chat's time, or a quarter of a second, whichever is first."""
        seconds = _POLL_SECONDS if due_in is None else min(_POLL_SECONDS, max(0.001, due_in) + courtesy)
        try:
            await asyncio.wait_for(self._rung.wait(), seconds)
        except TimeoutError:
            return

    async def _hold(self, lease: Lease) -> None:
        """One chat from claim to release. Whatever goes wrong in it must not touch the others."""
        metrics.turns_under_way.inc()
        outcome = "failed"
        try:
            with metrics.turn_seconds.time(), self._turnstile.held(lease.tenant_id):
                is_due = await self._agent.serve(lease)
            outcome = "served"
            self._failures.pop(place(lease), None)
            if is_due:
                self._rung.set()
        except LeaseLost:
            outcome = "lease_lost"
            log.info("lease lost", fence=lease.fence)
        except Overtaken:
            outcome = "overtaken"
            self._left.append(lease)
            self._rung.set()
            log.info("turn taken anew", tenant_id=str(lease.tenant_id))
        except (*BROKEN_OFF, *AWAY) as error:
            # Whoever takes the chat next, or when the lease has run out, starts from what is on disk.
            outcome = "left"
            self._left.append(lease)
            log.warning("turn broken off", cause=type(error).__name__)
        except Exception as error:
            log.exception("turn failed", tenant_id=str(lease.tenant_id), cause=type(error).__name__)
            await self._fail(lease, error)
        finally:
            metrics.turns_under_way.dec()
            metrics.turns.labels(outcome).inc()

    async def _fail(self, lease: Lease, error: Exception) -> None:
        """Count the failure; a message that fails every time is parked, and the chat goes on."""
        before = self._failures[place(lease)]
        self._failures[place(lease)] += 1
        try:
            chat = await self._claims.read(lease)
            worst = max((row.attempts for row in chat.inbox), default=before)
            turn = {
                "tenant_id": lease.tenant_id,
                "instance_id": lease.instance_id,
                "chat_id": lease.chat_id,
                "fence": lease.fence,
                "seqs": [error.seq] if isinstance(error, UnreadableRow) else [row.seq for row in chat.inbox],
                "error": type(error).__name__,
                "due_at": datetime.now(UTC) + timedelta(seconds=2 ** min(worst, _MOST_DOUBLINGS)),
                "most": _MOST_ATTEMPTS,
            }
            await sql.run(self.pool, ("lock", {"turns": sql.rows([turn])}), ("fail", {"turns": sql.rows([turn])}))
        except (psycopg.Error, LookupError):
            log.exception("failure not written down")

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if not self._held:
                continue
            try:
                await self._claims.renew(list(self._held.values()))
            except psycopg.Error as error:
                log.warning("leases not renewed", cause=type(error).__name__)

    async def _outlast(self, act: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await act()
            except BROKEN_OFF as error:
                log.warning("worker waits for Postgres", cause=type(error).__name__)
                await asyncio.sleep(_REST_SECONDS)
            else:
                return

    async def _break_off(self) -> None:
        """Turns that did not end in time: another worker starts them anew at once."""
        left = dict(self._held)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(set(left))
        try:
            async with asyncio.timeout(_GIVING_BACK_SECONDS):
                await self._give_back([*left.values(), *self._left])
        except (psycopg.Error, TimeoutError) as error:
            log.warning("leases left to run out", cause=type(error).__name__)

    async def _give_back(self, leases: Sequence[Lease]) -> None:
        now = datetime.now(UTC)
        await asyncio.gather(*(self._claims.release(lease, due_at=now) for lease in leases))
