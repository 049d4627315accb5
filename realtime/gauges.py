"""What /metrics asks of Postgres at each scrape: queues, breakers, heartbeats; all web processes say the same."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mychatflow.store import readings
from mychatflow.store.readings import Gauges
from mychatflow.store.session import AWAY, Store

# Scraped by several, or by somebody with a heavy finger, Postgres is asked no more often than this.
_FRESH_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 2.0
UP: Final = "mychatflow_database_up"


class Readings:
    def __init__(self, store: Store, data_dir: Path) -> None:
        self._store = store
        self._data_dir = data_dir
        self._read_at = 0.0
        self._found: Gauges | None = None

    async def read(self) -> Collector:
        """Never fails: without Postgres there are no gauges but the one that says so."""
        if time.monotonic() - self._read_at > _FRESH_SECONDS:
            self._found = await self._ask()
            self._read_at = time.monotonic()
        return _Found(self._found, await asyncio.to_thread(readings.disk, self._data_dir))

    async def _ask(self) -> Gauges | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._store.platform_transaction() as transaction:
                return await readings.gauges(transaction, at=datetime.now(UTC))
        except (*AWAY, TimeoutError, OSError):
            return None


class _Found(Collector):
    def __init__(self, gauges: Gauges | None, disk: Gauges) -> None:
        self._is_up = gauges is not None
        self._gauges = {**(gauges or {}), **disk}

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(UP, "1 while Postgres answers.", value=float(self._is_up))
        for name, samples in self._gauges.items():
            labels = [label for label, _ in next(iter(samples), ())]
            family = GaugeMetricFamily(name, readings.NAMES[name], labels=labels)
            for own, value in samples.items():
                family.add_metric([said for _, said in own], value)
            yield family
