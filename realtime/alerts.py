"""Judges the alert rules every 15 s in one process of all, and tells the people who run the platform."""

import asyncio
import functools
import os
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import REGISTRY

from mychatflow.rules import alerts as rules
from mychatflow.rules.alert_conditions import WINDOW, Age, Labels, Level, Short, Values
from mychatflow.rules.alerts import RULES
from mychatflow.settings import Settings
from mychatflow.store import alerts as book
from mychatflow.store import audit, heartbeats, readings
from mychatflow.store.alerts import Alert, Series
from mychatflow.store.readings import Gauges
from mychatflow.store.session import Store
from realtime.channels.resend import Email, EmailOutcome, Resend
from realtime.rounds import keep_looking

JUDGED_EVERY: Final = 15.0
COUNTED_EVERY: Final = 5.0
# Longer than the pause between two looks, shorter than a minute: whoever follows a killed one is in time.
_LEASE_SECONDS: Final = 35.0
# A look that waits for Postgres or for an e-mail is broken off then: the next one does it again.
_LAST_SECONDS: Final = 1.0
_AUDITED_EVERY: Final = timedelta(days=1)
# The same alert again within this time is not another e-mail.
_QUIET: Final = timedelta(minutes=15)
log = structlog.get_logger(__name__)


def _counters() -> frozenset[str]:
    """The metrics that some rule asks how much they grew, as Prometheus writes their samples."""
    named = (rule.condition for rule in RULES if not isinstance(rule.condition, (Age, Level, Short)))
    metrics = {getattr(condition, "metric", "") for condition in named}
    return frozenset(metrics | {f"{name}_bucket" for name in metrics} | {f"{name}_count" for name in metrics})


class Counts:
    """What this process counted and has not told Postgres yet."""

    def __init__(self) -> None:
        self._wanted = _counters()
        # What stands in a shared file from an earlier life was told then.
        self._told = self._now()

    def take(self) -> list[tuple[Series, float]]:
        """Growth since the last time; whoever takes it must tell it, or give it back."""
        told, self._told = self._told, self._now()
        return [
            ((name, dict(labels)), grown)
            for (name, labels), value in self._told.items()
            if (grown := value - told.get((name, labels), 0.0)) > 0
        ]

    def give_back(self, taken: Iterable[tuple[Series, float]]) -> None:
        for (name, labels), grown in taken:
            self._told[name, tuple(sorted(labels.items()))] -= grown

    def _now(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
            if sample.name in self._wanted
        }


@functools.cache
def _counts() -> Counts:
    """One a process, since its metrics are."""
    return Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Counters from all processes' increments, gauges from Postgres itself."""

    increments: Sequence[tuple[Series, float]]
    gauges: Gauges
    at: datetime

    @property
    def now(self) -> float:
        return self.at.timestamp()

    def increase(self, metric: str, labels: Labels, by: str) -> Values:
        return _summed(((dict(own), grown) for (name, own), grown in self.increments if name == metric), labels, by)

    def level(self, metric: str, labels: Labels, by: str) -> Values:
        return _summed(((dict(own), value) for own, value in self.gauges.get(metric, {}).items()), labels, by)


def _summed(samples: Iterable[tuple[dict[str, str], float]], labels: Labels, by: str) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for own, value in samples:
        if labels.items() <= own.items():
            found[own.get(by, "")] += value
    return found


@dataclass(slots=True, kw_only=True)
class Alerts:
    """One in each web and worker process; a lease in Postgres lets one of them judge."""

    settings: Settings
    store: Store
    resend: Resend
    process: str
    # A walk over all that was ever done may take minutes; nobody waits for it.
    _auditing: asyncio.Task[None] | None = field(default=None, init=False)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop. Postgres may be away: what was counted meanwhile is told afterwards."""
        _counts()
        now = asyncio.get_running_loop().time
        judged_at = now()

        async def look() -> None:
            nonlocal judged_at
            await self.count()
            if now() - judged_at >= JUDGED_EVERY:
                judged_at = now()
                if await self.judge() and (self._auditing is None or self._auditing.done()):
                    self._auditing = asyncio.create_task(self.check_audit(at=datetime.now(UTC)))
                    self._auditing.add_done_callback(_say_if_unaudited)

        try:
            await keep_looking(look, seconds=COUNTED_EVERY, stopping=stopping, while_away="alerts wait for Postgres")
        finally:
            # Another process begins it anew.
            if self._auditing is not None:
                self._auditing.cancel()
                await asyncio.wait((self._auditing,))

    async def count(self) -> None:
        """Add what this process counted to what all have."""
        grown = _counts().take()
        if not grown:
            return
        try:
            async with self.store.platform_transaction() as transaction:
                await book.count(transaction, grown)
        except BaseException:
            _counts().give_back(grown)
            raise

    async def judge(self) -> bool:
        """One look at all rules; False while another process does it."""
        # A folder may lie on a network's disk, and that one may hang.
        disk = await asyncio.to_thread(readings.disk, self.settings.data_dir)
        async with self.store.platform_transaction() as transaction:
            at = await book.lease(transaction, holder=self._holder, seconds=_LEASE_SECONDS)
            if at is None:
                return False
            measured = Measured(
                increments=await book.counted(transaction, since=at - WINDOW),
                gauges={**await readings.gauges(transaction, at=at), **disk},
                at=at,
            )
            changes = rules.judge(measured, await book.unsettled(transaction), at=at)
            await book.apply(transaction, changes, at=at)
            await book.forget(transaction, at=at)
        for rule, subject in changes.fired:
            log.error("alert fired", rule=rule, subject=subject)
        for rule, subject in changes.cleared:
            log.info("alert cleared", rule=rule, subject=subject)
        await self._tell(at)
        return True

    @property
    def _holder(self) -> str:
        return f"{socket.gethostname()}/{self.process}/{os.getpid()}"

    async def _tell(self, at: datetime) -> None:
        """E-mail each alert once; what Resend could not take now goes with the next look."""
        people = tuple(each.strip() for each in (self.settings.alert_emails or "").split(",") if each.strip())
        if not people:
            return
        async with self.store.platform_transaction() as transaction:
            untold = await book.untold(transaction, at=at, pause=_QUIET)
        outcomes = [(alert, await self.resend.send(_email(alert, people, self.settings))) for alert in untold]
        done = [alert.id for alert, outcome in outcomes if outcome is not EmailOutcome.RETRY]
        if done:
            async with self.store.platform_transaction() as transaction:
                await book.told(transaction, done, at=at)

    async def check_audit(self, *, at: datetime) -> None:
        """Once a day, one tenant after the other, by whoever judges."""
        async with self.store.platform_transaction() as transaction:
            last = (await heartbeats.last(transaction)).get("audit_chain")
            if last is not None and at - last[0] < _AUDITED_EVERY:
                return
        async with self.store.audit_transaction() as transaction:
            known = await audit.tenants(transaction)
        broken = 0
        for tenant_id in known:
            async with self.store.audit_transaction() as transaction:
                broken += not (await audit.verify(transaction, tenant_id)).holds
        async with self.store.platform_transaction() as transaction:
            await heartbeats.beat(transaction, "audit_chain", at=at, value=broken)


@asynccontextmanager
async def judging(settings: Settings, store: Store, *, process: str) -> AsyncIterator[None]:
    """Counts and judges as long as the block runs."""
    stopping = asyncio.Event()
    async with Resend(settings) as resend:
        alerts = Alerts(settings=settings, store=store, resend=resend, process=process)
        running = asyncio.create_task(alerts.run(stopping))
        running.add_done_callback(_say_why)
        try:
            yield
        finally:
            stopping.set()
            await asyncio.wait((running,), timeout=_LAST_SECONDS)
            running.cancel()
            await asyncio.wait((running,))


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("alerts are not judged any more", exc_info=error)


def _say_if_unaudited(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        # The next look begins it anew.
        log.warning("audit log could not be checked", cause=type(error).__name__)


def _email(alert: Alert, people: tuple[str, ...], settings: Settings) -> Email:
    lines = [f"{alert.says}.", f"Since {_minute(alert.fired_at)}.", alert.do]
    if alert.cleared_at:
        # The e-mail waited, for Resend or for somebody to write to.
        lines[-1] = f"It is over since {_minute(alert.cleared_at)}."
    if alert.subject:
        lines.insert(1, f"It is about: {alert.subject}.")
    if settings.dashboards_url:
        lines.append(f"Open the dashboards: {settings.dashboards_url}")
    return Email(
        key=f"alert:{alert.id}", to=people, subject=f"[{alert.severity}] {alert.says}", text="\n\n".join(lines)
    )


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
