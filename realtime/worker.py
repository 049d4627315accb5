"""The worker: hears the bell, takes the chats that are due and serves thousands of them at once."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from prometheus_client import start_http_server

from mychatflow import settings as configuration
from mychatflow.rules import lexicon
from mychatflow.settings import ConfigurationRefused, Settings
from mychatflow.store import media_vault
from mychatflow.store.cipher import KeyRing
from mychatflow.store.session import Store
from realtime import alerts, release, sign_of_life, start, tracing
from realtime.accounts.due_mail import DueMail
from realtime.accounts.invitations import INVITATIONS
from realtime.accounts.quota import QuotaWatch
from realtime.agent.campaigns import Campaigns
from realtime.agent.drafting import Drafter
from realtime.agent.duty_mail import DUTY_MAIL
from realtime.agent.follow_ups import FollowUps
from realtime.agent.leaks import LeakRecord
from realtime.agent.meanings import Meanings
from realtime.agent.reminders import Reminders
from realtime.agent.report_mail import ReportMails
from realtime.agent.tenants import TenantBook
from realtime.agent.tools import BookingDesk
from realtime.agent.turn import Agent
from realtime.callbacks.deliveries import Deliveries
from realtime.catch_up.reader import CatchUp
from realtime.channels.resend import Resend
from realtime.contacts.importing import Imports
from realtime.documents.ingest import Ingestion
from realtime.engine import statuses
from realtime.engine.claim import Claims
from realtime.engine.commit import TurnCloser
from realtime.engine.courier import Courier
from realtime.engine.doubts import Doubts
from realtime.engine.ear import Ear
from realtime.engine.facts import FactWriter
from realtime.engine.gateways import Gateways
from realtime.engine.loop import Loop
from realtime.engine.pace import Pace
from realtime.engine.pool import engine_pool
from realtime.engine.sent import DispatchBook
from realtime.llm.breaker_record import BreakerRecord
from realtime.llm.embedding import Embedder
from realtime.llm.listening import Listener
from realtime.llm.router import Router
from realtime.media.keeper import Keeper
from realtime.privacy.requests import DataRequests
from realtime.webhooks.directory import Directory

# Each holds the plans of our long statements for itself: 10 MB, and some 20 ms of CPU to make them anew whenever one of
# their tables was analysed. More than this are hardly ever in a step at one time.
_CONNECTIONS: Final = 6
_STORE_CONNECTIONS: Final = 2
_POOL_PATIENCE: Final = 20.0
# From the signal until all is broken off: turns end sooner, and only what waits for a dead Postgres is still there.
# With the few seconds of leaving it is less than what supervisors wait before they kill.
_LAST_SECONDS: Final = 20.0
_CLOSING_SECONDS: Final = 1.0
log = structlog.get_logger(__name__)


class Worker:
    """Everything one worker process holds open."""

    def __init__(self, settings: Settings, *, index: int, alive: Path | None = None) -> None:
        self._settings = settings
        self._index = index
        self._alive = alive
        self.rung = asyncio.Event()
        # Never rung while we work: nobody waits for a receipt, so its own look four times a second will do.
        self.statuses_rung = asyncio.Event()
        self.stopping = asyncio.Event()
        # For what few turns need: appointments. Opened when first used.
        self.store = Store(settings, pool_size=_STORE_CONNECTIONS)

    def ring(self) -> None:
        self.rung.set()

    def stop(self) -> None:
        self.stopping.set()
        self.rung.set()
        self.statuses_rung.set()

    async def run(self) -> None:
        """Until told to stop; then the turns under way are finished or given back."""
        async with (
            self._open() as (loop, follow_ups, catch_up, letters, meanings),
            alerts.judging(self._settings, self.store, process=f"worker-{self._index}"),
            self._leaving_in_time(),
            asyncio.TaskGroup() as tasks,
        ):
            pool = loop.pool
            tasks.create_task(statuses.run(pool, rung=self.statuses_rung, stopping=self.stopping))
            ear = Ear(self._settings.redis_address, name=f"worker-{self._index}", ring=self.ring)
            tasks.create_task(ear.listen(self.stopping))
            tasks.create_task(release.tell(self.store))
            tasks.create_task(follow_ups.run(self.stopping))
            for each in letters:
                tasks.create_task(each.run(self.stopping))
            tasks.create_task(QuotaWatch(self.store).run(self.stopping))
            tasks.create_task(BreakerRecord(self.store, self._settings.redis_address).run(self.stopping))
            tasks.create_task(catch_up.run(self.stopping, is_first=self._index == 1))
            tasks.create_task(Campaigns(self.store, self.ring).run(self.stopping))
            tasks.create_task(Reminders(self.store, self.ring).run(self.stopping))
            tasks.create_task(Imports(self.store).run(self.stopping))
            tasks.create_task(Ingestion(self.store).run(self.stopping))
            tasks.create_task(meanings.run(self.stopping, is_first=self._index == 1))
            tasks.create_task(ReportMails(self.store, self._settings).run(self.stopping))
            tasks.create_task(Deliveries(self.store, self._settings).run(self.stopping))
            tasks.create_task(DataRequests(self.store, self._settings).run(self.stopping))
            tasks.create_task(sign_of_life.tell(self.store, stopping=self.stopping))
            if self._alive is not None:
                tasks.create_task(sign_of_life.show(self._alive, stopping=self.stopping))
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 50, 1_000)
            log.info("worker is up", index=self._index)
            await loop.run()

    @asynccontextmanager
    async def _leaving_in_time(self) -> AsyncIterator[None]:
        """Breaks off what still runs long after we were told to stop: no step waits for Postgres that long."""

        async def watch() -> None:
            await self.stopping.wait()
            limit.reschedule(asyncio.get_running_loop().time() + _LAST_SECONDS)

        try:
            async with asyncio.timeout(None) as limit:
                watching = asyncio.create_task(watch())
                try:
                    yield
                finally:
                    watching.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
            log.warning("worker leaves before all is done", seconds=_LAST_SECONDS)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[Loop, FollowUps, CatchUp, list[DueMail[Any]], Meanings]]:
        settings = self._settings
        async with AsyncExitStack() as stack:
            # Before anything is opened: patterns and vendors' packages take seconds to load, and nothing moves then.
            lexicon.load()
            pool = engine_pool(
                settings, name=f"worker-{self._index}", size=_CONNECTIONS, patience_seconds=_POOL_PATIENCE
            )
            router = Router.from_settings(settings, pool=pool)
            turnstile = router.turnstile
            stack.push_async_callback(router.close)
            await pool.open(wait=False)
            stack.push_async_callback(pool.close, _CLOSING_SECONDS)
            stack.push_async_callback(self.store.close)
            gateways = Gateways(settings)
            stack.push_async_callback(gateways.close)
            meanings = Meanings(self.store, Embedder(router.providers, settings.embedding_model, router.budgets))
            claims = Claims(pool, index=self._index)
            key_ring = KeyRing(*settings.masters)
            tenants = TenantBook(pool, key_ring)
            vault = media_vault.opened(settings)
            agent = Agent(
                claims=claims,
                tenants=tenants,
                facts=FactWriter(pool),
                closer=TurnCloser(pool),
                courier=Courier(
                    gateways, DispatchBook(pool), Pace(workers=settings.workers), Doubts(self.store), vault, turnstile
                ),
                drafter=Drafter(router),
                keeper=Keeper(pool, vault),
                listener=Listener(router.providers, router.budgets),
                bookings=BookingDesk(store=self.store, secret=settings.derived_secret("slot").encode()),
                leaks=LeakRecord(self.store),
                meanings=meanings,
                turnstile=turnstile,
            )
            loop = Loop(pool, claims, agent, rung=self.rung, stopping=self.stopping, turnstile=turnstile)
            directory = Directory(pool, key_ring)
            catch_up = CatchUp(pool, directory, gateways, master=settings.master, ring=self.ring)
            resend = await stack.enter_async_context(Resend(settings))
            letters: list[DueMail[Any]] = [
                DueMail(kind, pool, resend, dashboards_url=settings.dashboards_url) for kind in (DUTY_MAIL, INVITATIONS)
            ]
            yield loop, FollowUps(pool, tenants), catch_up, letters, meanings


async def serve(settings: Settings, *, index: int, alive: Path | None) -> None:
    worker = Worker(settings, index=index, alive=alive)
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, worker.stop)
    await worker.run()


def main() -> int:
    """Refuse what is unsafe (exit 78), then serve."""
    parser = argparse.ArgumentParser(prog="python -m realtime.worker", description=__doc__)
    parser.add_argument("--index", type=int, default=1, help="which of several workers this is")
    parser.add_argument("--alive", type=Path, help="the file that shows that it is not stuck")
    given = parser.parse_args()
    try:
        settings = configuration.load()
        start.begin(settings, process=f"worker-{given.index}")
        start.refuse_unsafe_settings(settings)
    except ConfigurationRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return start.REFUSED_EXIT
    if settings.worker_metrics_port is not None:
        start_http_server(settings.worker_metrics_port + given.index - 1, addr=settings.web_host)
    uvloop.run(serve(settings, index=given.index, alive=given.alive))
    tracing.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
