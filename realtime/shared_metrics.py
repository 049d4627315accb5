"""Where an installation's processes add up their counters: one file a process, which outlives its kill -9."""

import fcntl
import functools
import os
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from mychatflow import settings as configuration

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_MOST_PROCESSES: Final = 256


@functools.cache
def directory() -> Path | None:
    """PROMETHEUS_MULTIPROC_DIR, as it was when prometheus_client was imported; without it a process counts alone."""
    # The library decides once, at its import, so its decision is asked and not the environment of now.
    return configuration.load().metrics_dir if values.ValueClass is not values.MutexValue else None


def exposition(*beside: Collector) -> bytes:
    """The text form of all processes' counters, and of what is asked for beside them."""
    shared = directory()
    registry = CollectorRegistry()
    if shared is not None:
        MultiProcessCollector(registry, path=str(shared))  # type: ignore[no-untyped-call]  # the library's own lack
    for collector in beside:
        registry.register(collector)
    return (generate_latest(REGISTRY) if shared is None else b"") + generate_latest(registry)


@functools.cache
def _slot() -> str:
    """A number of this process's own, the smallest free one: whoever follows a killed process counts on in its file."""
    shared = configuration.load().metrics_dir
    assert shared is not None
    shared.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MOST_PROCESSES):
        descriptor = os.open(shared / f"slot-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            # Never closed: the lock is held as long as the process lives.
            return str(number)
    return f"pid-{os.getpid()}"


if values.ValueClass is not values.MutexValue:
    values.ValueClass = values.MultiProcessValue(process_identifier=_slot)  # type: ignore[no-untyped-call]  # the library's own lack
