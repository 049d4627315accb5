"""What a crowd that writes to one business in one instant costs another's customers: their p99 beside it ÷ without it.

A quiet business gets a few messages a second all the time; in every second round thousands of customers of a noisy one
write at once, from a process nicer than the rest. All must be answered before a time is shown.
"""

import argparse
import asyncio
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import report, traffic
from benchmarks.processes import Installation
from benchmarks.traffic import PRODUCT, Seen, Traffic
from tests.factories import Tenant

_LOUD_AFTER_SECONDS = 3.0
# How much nicer than the rest the crowd's customers are, as `abuse` has it: they share the product's cores.
_LESS_URGENT = 5
_QUIET = Traffic(chats=200, rate=10, seconds=20, model_ms=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The product under way, with the two businesses in it."""

    running: Installation
    gateway: str
    quiet: Tenant
    noisy: Tenant
    crowd: Traffic

    def round(self, *, is_loud: bool, out: str) -> tuple[list[float], dict[str, float]]:
        """How long each of the quiet business's customers waited, in ms, and what a turn cost."""
        settings, before = self.running.settings, traffic.deliveries(self.gateway, self.quiet)
        sent = int(traffic.get(f"{self.gateway}/__control/sends")["attempts"])
        spent = self.running.cost(*PRODUCT)
        with ExitStack() as stack:
            stack.enter_context(traffic.writing(settings, self.quiet, _QUIET, seconds=_QUIET.seconds, out=out))
            if is_loud:
                time.sleep(_LOUD_AFTER_SECONDS)
                seconds = self.crowd.seconds
                noise = traffic.writing(
                    settings, self.noisy, self.crowd, seconds=seconds, out=f"{out}-2", nicer=_LESS_URGENT
                )
                stack.enter_context(noise)
        written = traffic.messages(settings, out)
        everything = written + (traffic.messages(settings, f"{out}-2") if is_loud else [])
        traffic.until_answered(self.gateway, everything, _QUIET, already=sent)
        cost = self.running.cost(*PRODUCT).since(spent)
        after = traffic.deliveries(self.gateway, self.quiet)
        answers = {chat: rows[len(before.get(chat, ())) :] for chat, rows in after.items()}
        seen = Seen(written=written, answers=answers)
        waits = [row["sent_ms"] - at for due, rows in seen.by_chat(_QUIET) for at, row in zip(due, rows, strict=True)]
        if len(waits) != len(written):
            raise RuntimeError(f"{len(written) - len(waits)} of the quiet business's customers have no answer")
        turns = len(everything)
        told = {"app_cpu_ms_a_turn": 1000 * cost.app / turns, "postgres_cpu_ms_a_turn": 1000 * cost.postgres / turns}
        # In one instant, as far as one process can ask: later, and what was measured beside it was no crowd.
        return waits, told | {"crowd_acknowledged_ms": max(row["ack_ms"] - row["due_ms"] for row in everything)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crowd", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    crowd = Traffic(chats=given.crowd, rate=1e6, seconds=given.crowd / 1e6, model_ms=_QUIET.model_ms)
    waits: dict[bool, list[float]] = {False: [], True: []}
    costs: list[dict[str, float]] = []
    load = os.getloadavg()[0]
    with traffic.under_way(_QUIET, PRODUCT) as (running, quiet, gateway):
        noisy = asyncio.run(traffic.a_busy_tenant(running.settings, crowd, session="noisy"))
        traffic.post(f"{gateway}/__control/sessions", {"name": noisy.session})
        place = Place(running=running, gateway=gateway, quiet=quiet, noisy=noisy, crowd=crowd)
        place.round(is_loud=False, out="warm-up")
        for number in range(given.rounds):
            for is_loud in (False, True):
                heard, cost = place.round(is_loud=is_loud, out=f"{number}-{is_loud}")
                waits[is_loud].append(report.percentile(heard, 0.99))
                costs += [cost] if is_loud else []
    alone, beside = statistics.median(waits[False]), statistics.median(waits[True])
    row = {"what": "another's customers", "crowd": given.crowd, "p99_ms_alone": alone, "p99_ms_beside": beside}
    row |= {"ratio": beside / alone, "load_before": load}
    row |= {name: statistics.median(cost[name] for cost in costs) for name in costs[0]}
    report.show("A crowd", [row])


if __name__ == "__main__":
    main()
