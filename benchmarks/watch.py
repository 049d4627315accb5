"""Looks every few seconds at what all processes of `mychatflow up` use, and at how long messages wait."""

import re
import statistics
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from benchmarks.product import Product

_EVERY_SECONDS = 5.0
_QUEUE_AGE = "mychatflow_inbox_oldest_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """CPU seconds so far and megabytes now, by kind of process; shared memory is counted once."""

    at: float
    cpu: dict[str, float]
    megabytes: dict[str, float]
    queue_age: float | None

    @property
    def total_megabytes(self) -> float:
        return sum(self.megabytes.values())


class Watch:
    """Samples from its start to its end, in a thread of its own."""

    def __init__(self, product: Product) -> None:
        self.samples: list[Sample] = []
        self._product = product
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self.samples.append(sample(self._product))

    def _look(self) -> None:
        while True:
            self.samples.append(sample(self._product))
            if self._is_over.wait(_EVERY_SECONDS):
                return


def sample(product: Product) -> Sample:
    cpu: dict[str, float] = defaultdict(float)
    megabytes: dict[str, float] = defaultdict(float)
    kinds = _kinds(product)
    for child in [product.root, *product.root.children()]:
        kind = kinds.get(child.pid, "supervisor" if child == product.root else "other")
        family = [child] if child == product.root else [child, *_children(child)]
        for member in family:
            seconds, own = _used(member)
            cpu[kind] += seconds
            megabytes[kind] += own
    return Sample(at=time.monotonic(), cpu=dict(cpu), megabytes=dict(megabytes), queue_age=_queue_age(product))


def cores(samples: Sequence[Sample]) -> dict[str, float]:
    """How many cores each kind of process kept busy on average."""
    first, last = samples[0], samples[-1]
    lasted = max(0.001, last.at - first.at)
    return {kind: (used - first.cpu.get(kind, 0.0)) / lasted for kind, used in sorted(last.cpu.items())}


def megabytes_at(samples: Sequence[Sample], place: float) -> float:
    """The median of a tenth of the samples, 0 the first and 1 the last: runs of Dagster come and go."""
    width = max(1, len(samples) // 10)
    first = round(place * (len(samples) - width))
    return statistics.median(each.total_megabytes for each in samples[first : first + width])


def _kinds(product: Product) -> dict[int, str]:
    found = {}
    for path in product.settings.run_dir.glob("*.pid"):
        try:
            found[int(path.read_text())] = path.stem.rstrip("0123456789").rstrip("-")
        except (ValueError, FileNotFoundError):
            # It is being written, or its process has just ended.
            continue
    return found


def _children(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return list(parent.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _used(process: psutil.Process) -> tuple[float, float]:
    """CPU seconds with those of ended children, and megabytes, shared pages divided among who has them."""
    try:
        times = process.cpu_times()
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except (psutil.NoSuchProcess, OSError):
        return 0.0, 0.0
    share = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    seconds = times.user + times.system + times.children_user + times.children_system
    return seconds, int(share[1]) * 1024 / 1e6 if share else 0.0


def _queue_age(product: Product) -> float | None:
    """As Prometheus would be told; nothing while web does not answer."""
    try:
        with urllib.request.urlopen(f"{product.web}/metrics", timeout=10) as answer:
            told = answer.read().decode()
    except OSError:
        return None
    found = re.search(rf"^{_QUEUE_AGE} (\S+)$", told, re.MULTILINE)
    return float(found[1]) if found else None
