"""What failing models cost customers: those beside one whose model hangs, and all of them when every model is down.

First a few messages a second, one in ten of which the model leaves hanging in every second round: the p99 of the others
beside the hanging ones ÷ without them. Then every model fails while customers write, and heals: who waited must be
answered once, and the time until the last of them is told.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks import report, traffic
from benchmarks.product import Product, product
from benchmarks.report import goal
from benchmarks.traffic import Traffic
from tests.fakes.llm import answer_json

# Each customer writes once, so that nobody waits behind a message of their own.
_STEADY: Final = Traffic(chats=300, rate=10, seconds=30, model_ms=1000)
_HANG_MS: Final = 10_000
_HANGING_PERCENT: Final = 10
_ANSWER: Final = "The room is free."
_Row = dict[str, report.Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """When each message was due, and what its customer was told since, oldest first."""

    due_ms: float
    texts: list[dict[str, Any]]

    @property
    def answers(self) -> list[float]:
        return [text["sent_ms"] for text in self.texts if text["text"] == _ANSWER]


def a_business(running: Product, name: str, customers: Traffic) -> Product:
    """The same installation, with a business that nobody has written to yet."""
    tenant = asyncio.run(traffic.a_busy_tenant(running.settings, customers, session=name))
    traffic.post(f"{running.gateway}/__control/sessions", {"name": name})
    return replace(running, tenant=tenant)


def told(running: Product, customers: Traffic) -> list[Told]:
    """Raises RuntimeError when not every message was acknowledged."""
    written = traffic.messages(running.settings, running.tenant.session)
    seen = traffic.Seen(written=written, answers=traffic.deliveries(running.gateway, running.tenant))
    if len(seen.acknowledged) < len(written):
        raise RuntimeError(f"{len(written) - len(seen.acknowledged)} messages were not acknowledged")
    return [Told(due_ms=due, texts=texts) for (due,), texts in seen.by_chat(customers)]


def waits(running: Product, name: str, *, hanging: bool) -> list[float]:
    """How long each customer waited, in ms, without those whose model hung."""
    running = a_business(running, name, _STEADY)
    percent = _HANGING_PERCENT if hanging else 0
    traffic.post(f"{running.model}/_control", {"slow_ms": _HANG_MS, "slow_percent": percent})
    sent = _sends(running)
    traffic.write(running.settings, running.tenant, _STEADY, seconds=_STEADY.seconds, out=name)
    written = traffic.messages(running.settings, name)
    until = replace(_STEADY, model_ms=_HANG_MS)
    traffic.until_answered(running.gateway, written, until, already=sent)
    each = sorted(answer - one.due_ms for one in told(running, _STEADY) for answer in one.answers)
    if len(each) != len(written):
        raise RuntimeError(f"{len(written)} messages have {len(each)} answers")
    others = len(each) - len(each) * percent // 100
    if any(wait < _HANG_MS for wait in each[others:]):
        raise RuntimeError("fewer calls hung than should")
    return each[:others]


def hang(running: Product, *, rounds: int) -> list[_Row]:
    """Others beside the hanging ones and without them, in turn."""
    slowest: dict[bool, list[float]] = {False: [], True: []}
    waits(running, "warm-up", hanging=False)
    for number in range(rounds):
        for hanging in (False, True):
            each = waits(running, f"hang-{number}-{hanging}", hanging=hanging)
            slowest[hanging].append(report.percentile(each, 0.99))
    alone, beside = statistics.median(slowest[False]), statistics.median(slowest[True])
    return [
        goal("others' replies, nobody hangs: p99", alone, "ms"),
        goal(f"beside {_HANGING_PERCENT} % that hang for {_HANG_MS // 1000} s: p99", beside, "ms"),
        goal("others' delay during a hang", beside / alone, "times", 1.1),
    ]


def outage(running: Product, *, seconds: float) -> list[_Row]:
    """Every model fails for so long while customers write; then it heals."""
    customers = Traffic(chats=int(_STEADY.rate * seconds), rate=_STEADY.rate, seconds=seconds, model_ms=1000)
    running = a_business(running, "outage", customers)
    traffic.post(f"{running.model}/_control", {"fault": "500"})
    traffic.write(running.settings, running.tenant, customers, seconds=seconds, out="outage")
    healed = 1000 * time.time()
    traffic.post(f"{running.model}/_control", {})
    end = time.monotonic() + 300
    while (each := told(running, customers)) and not all(one.answers for one in each) and time.monotonic() < end:
        time.sleep(1)
    # A second answer would come after the first.
    time.sleep(5)
    each = told(running, customers)
    recovered = [(one.answers[0] - healed) / 1000 for one in each if one.answers]
    return [
        goal("all models down", seconds, "s"),
        goal("messages written meanwhile", len(each), ""),
        goal("customers told to wait", sum(len(one.texts) > len(one.answers) for one in each), ""),
        goal("told so more than once", sum(len(one.texts) - len(one.answers) > 1 for one in each), "", 0),
        goal("never answered", sum(not one.answers for one in each), "", 0),
        goal("answered twice", sum(len(one.answers) > 1 for one in each), "", 0),
        goal("first answer after the recovery", min(recovered, default=float("inf")), "s"),
        goal("last answer after the recovery", max(recovered, default=float("inf")), "s", 60),
    ]


def _sends(running: Product) -> int:
    return int(traffic.get(f"{running.gateway}/__control/sends")["attempts"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of messages with and without hanging models")
    parser.add_argument("--outage", type=float, default=45, help="for how many seconds every model fails")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with product(_STEADY, demo=False, only="web,worker") as running:
        traffic.post(f"{running.model}/_control", {"reply": answer_json(_ANSWER)})
        rows = [*hang(running, rounds=given.rounds), *outage(running, seconds=given.outage)]
    report.show_goals("failing_models", [goal("load before the start", load, ""), *rows])
    if any(row["is_met"] is False for row in rows):
        sys.exit("a goal is missed")


if __name__ == "__main__":
    main()
