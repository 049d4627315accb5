"""While a model is down, what do 8 processes with 50 callers each ask of it: nothing, then one probe at a time?"""

import argparse
import asyncio
import itertools
import logging
import multiprocessing
import sys
import time
from multiprocessing.process import BaseProcess
from typing import Any

import structlog

from benchmarks import report
from benchmarks.models import Models, a_request, served
from benchmarks.processes import wait_for
from mychatflow.settings import Settings
from realtime.llm.breaker import Breaker
from realtime.llm.circuit import Policy
from realtime.llm.contract import AllProvidersUnavailable
from realtime.llm.openai import OpenAI
from realtime.llm.router import Router

_FORK = multiprocessing.get_context("fork")
_MODEL = "one-probe"
_LATENCY_MS = 100
_FAILURES = 3
_ASK_AGAIN = 0.2
# Arrivals are seen by the vendor's clock, pauses are counted by Redis's.
_CLOCKS = 0.02
_ATTEMPT_SECONDS = 2.0


async def call(data_dir: str, base_url: str, *, callers: int, pause_ms: int) -> None:
    """A process of callers: each asks again and again, whatever it was told before, until this process is ended."""
    settings = Settings(
        _env_file=None, MYCHATFLOW_DATA_DIR=data_dir, openai_api_key="fake-key", openai_base_url=f"{base_url}/v1"
    )
    router = Router.from_settings(settings)
    assert isinstance(router.providers["openai"], OpenAI)
    router.breaker = Breaker(client=router.breaker.client, policy=Policy(pause=pause_ms), patience=5)
    request = a_request(_MODEL, "openai", attempt_timeout=_ATTEMPT_SECONDS)

    async def one() -> None:
        while True:
            try:
                await router.reply(request)
            except AllProvidersUnavailable:
                await asyncio.sleep(_ASK_AGAIN)

    await asyncio.gather(*(one() for _ in range(callers)))


def measure(models: Models, *, processes: int, callers: int, probes: int, pause_ms: int) -> dict[str, report.Value]:
    models.control("openai", fault="500", latency_ms=_LATENCY_MS)
    # Three failures open the breaker before the crowd comes: its own first calls would all be under way at once.
    opener = _process(models, 1, pause_ms)
    wait_for(lambda: len(_asked(models)) >= _FAILURES, seconds=120, what="three failures")
    opener.kill()
    opener.join()
    asking = [_process(models, callers, pause_ms) for _ in range(processes)]
    try:
        wait_for(
            lambda: len(_asked(models)) > _FAILURES + probes, seconds=120 + 3 * probes * pause_ms / 1000, what="probes"
        )
    finally:
        for each in asking:
            each.kill()
            each.join()
    probed = _asked(models)[_FAILURES:]
    gaps = [later - earlier for earlier, later in itertools.pairwise(probed)]
    soonest = (pause_ms + _LATENCY_MS) / 1000
    early = sum(gap < soonest - _CLOCKS for gap in gaps)
    return {
        "what": f"G1 {processes} x {callers} callers, pause {pause_ms} ms",
        "probes": len(probed),
        "requests within a pause or beside a probe": early,
        "shortest gap s": min(gaps),
        "limit s": soonest,
        "holds": early == 0,
    }


def crashes(models: Models, *, repeats: int) -> dict[str, report.Value]:
    """Kill -9 of whoever holds the probe: the next one goes out when its lease is over."""
    lease, waits = _ATTEMPT_SECONDS + 1, []
    for _ in range(repeats):
        models.control("openai", fault="500")
        before = len(_asked(models))
        first = _process(models, 1, 300)
        _wait_beyond(models, before + _FAILURES - 1, seconds=120, what="an open breaker")
        models.control("openai", fault="hang")
        probed = len(_asked(models))
        _wait_beyond(models, probed, seconds=20, what="a probe that hangs")
        first.kill()
        first.join()
        held_at, held = _asked(models)[-1], len(_asked(models))
        second = _process(models, 5, 300)
        _wait_beyond(models, held, seconds=120, what="the next probe")
        waits.append(_asked(models)[held] - held_at)
        second.kill()
        second.join()
        time.sleep(lease)
    return {
        "what": "G5 the probe's holder killed",
        "probes": len(waits),
        "shortest gap s": min(waits),
        "longest gap s": max(waits),
        "limit s": lease + _ASK_AGAIN,
        "holds": lease - 0.1 <= min(waits) and max(waits) <= lease + 2 * _ASK_AGAIN,
    }


def _process(models: Models, callers: int, pause_ms: int) -> BaseProcess:
    """Forked, so that a vendor's SDK is imported once and not eight times."""
    given = {"data_dir": str(models.settings.data_dir), "base_url": models.url}
    started = _FORK.Process(target=_ask, kwargs=given | {"callers": callers, "pause_ms": pause_ms})
    started.start()
    return started


def _ask(**given: Any) -> None:
    asyncio.run(call(**given))


def _asked(models: Models) -> list[float]:
    return [float(call["at"]) for call in models.calls() if call["model"] == _MODEL]


def _wait_beyond(models: Models, count: int, *, seconds: float, what: str) -> None:
    """Until more than so many calls were made."""
    wait_for(lambda: len(_asked(models)) > count, seconds=seconds, what=what)


def main() -> None:
    logging.getLogger().setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, default=100)
    parser.add_argument("--pause-ms", type=int, default=500, help="the product's own is 60000")
    given = parser.parse_args()
    with served() as models:
        rows: list[dict[str, Any]] = [
            measure(models, processes=8, callers=50, probes=given.probes, pause_ms=given.pause_ms),
            crashes(models, repeats=3),
        ]
    report.show("one probe", rows)
    if not all(row["holds"] for row in rows):
        sys.exit("a goal is missed")


if __name__ == "__main__":
    main()
