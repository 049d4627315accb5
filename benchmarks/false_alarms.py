"""Whether alerts speak when they should and only then: a healthy run without one, then an outage of every model.

Starts `mychatflow up` with a gateway and a model of ours in other processes and steady traffic. What our own evaluator
says stands in Postgres; what Prometheus would say is judged here by the same rules over scrapes of web's /metrics, with
the tests' PromQL since Prometheus itself does not run here.
"""

import argparse
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import numbered, report
from benchmarks.product import Product, product
from benchmarks.report import goal
from benchmarks.traffic import Seen, Traffic, deliveries, messages, post, until_answered, writing
from mychatflow.rules.alert_conditions import WINDOW
from mychatflow.rules.alerts import KEPT, RULES
from mychatflow.settings import Settings
from realtime.alerts import JUDGED_EVERY
from tests.fakes.llm import ABOUT_NUMBERS
from tests.fakes.promql import Evaluator, Scrape

_LARGEST_LOAD = 1.0
_STEADY = Traffic(chats=60, rate=2.0, seconds=60, model_ms=1000)
_OUTAGE_SECONDS = 300.0
# Long enough for rules that look at what waits or adds up.
_LEAST_OUTAGE_SECONDS = 60.0
_ALERTS = "select rule, extract(epoch from fired_at)::float8, cleared_at is null from alerts order by fired_at"


@dataclass(slots=True)
class Looks:
    """What both evaluators say, one look after the other."""

    running: Product
    scrapes: list[Scrape] = field(default_factory=list)
    # Rule → when Prometheus would first and last have held it.
    held: dict[str, tuple[float, float]] = field(default_factory=dict)

    def look(self) -> None:
        """Scrape once and judge."""
        now = time.time()
        with urllib.request.urlopen(f"{self.running.web}/metrics", timeout=30) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        self.scrapes.append(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in families
                for sample in family.samples
            }
        )
        # No rule looks back further.
        del self.scrapes[: -int(WINDOW.total_seconds() / JUDGED_EVERY) - 2]
        evaluator = Evaluator(scrapes=self.scrapes, step=JUDGED_EVERY, now=now)
        for rule in RULES:
            if evaluator.evaluate(rule.condition.promql()):
                self.held[rule.name] = (self.held.get(rule.name, (now, now))[0], now)

    def until(self, is_over: Callable[[], bool], *, seconds: float) -> None:
        """Look every 15 s until then, or until so much time has passed."""
        end = time.monotonic() + seconds
        due = time.monotonic()
        while time.monotonic() < end and not is_over():
            if time.monotonic() >= due:
                due += JUDGED_EVERY
                self.look()
            time.sleep(0.5)

    def is_silent(self) -> bool:
        """What Prometheus fires it keeps firing for a while."""
        return all(time.time() - last >= KEPT.total_seconds() for _, last in self.held.values())


def alerts(settings: Settings) -> list[tuple[str, float, bool]]:
    """Rule, when it fired and whether it still does, by our own evaluator."""
    with psycopg.connect(settings.role_url("owner")) as connection:
        return [(rule, fired_at, is_firing) for rule, fired_at, is_firing in connection.execute(_ALERTS).fetchall()]


def healthy(running: Product, looks: Looks, traffic: Traffic) -> list[dict[str, report.Value]]:
    """Nothing is wrong, so nothing may fire."""
    with writing(running.settings, running.tenant, traffic, seconds=traffic.seconds, out="healthy") as customers:
        looks.until(lambda: customers.poll() is not None, seconds=traffic.seconds + 120)
    written = messages(running.settings, "healthy")
    until_answered(running.gateway, written, traffic)
    seen = Seen(written=written, answers=deliveries(running.gateway, running.tenant))
    told = numbered.verdict(traffic, seen)
    fired = alerts(running.settings)
    for rule in [*(rule for rule, _, _ in fired), *looks.held]:
        sys.stderr.write(f"fired while all was well: {rule}\n")
    return [
        goal("healthy minutes", traffic.seconds / 60, "min"),
        goal("messages written", len(written), ""),
        goal("slowest acknowledgement", max(row["ack_ms"] - row["due_ms"] for row in written) / 1000, "s"),
        goal("refused", len(written) - len(seen.acknowledged), "", 0),
        goal("lost", len(told.lost), "", 0),
        goal("doubled", len(told.doubled), "", 0),
        goal("out of order", len(told.order_breaks), "", 0),
        goal("false alarms, our evaluator", len(fired), "", 0),
        goal("false alarms, Prometheus' rules", len(looks.held), "", 0),
    ]


def outage(running: Product, looks: Looks, traffic: Traffic) -> list[dict[str, report.Value]]:
    """Every model fails until both evaluators have fired; then it heals, and both must fall silent."""
    settings, window = running.settings, WINDOW.total_seconds()
    known = len(alerts(settings))
    looks.held.clear()
    with writing(settings, running.tenant, traffic, seconds=_OUTAGE_SECONDS + 3 * window, out="outage") as customers:
        began = time.time()
        post(f"{running.model}/_control", {"fault": "500"})
        looks.until(
            lambda: time.time() - began >= _LEAST_OUTAGE_SECONDS and len(alerts(settings)) > known and bool(looks.held),
            seconds=_OUTAGE_SECONDS,
        )
        held = dict(looks.held)
        healed = time.time()
        post(f"{running.model}/_control", {})
        looks.until(lambda: not any(is_firing for _, _, is_firing in alerts(settings)), seconds=3 * window)
        cleared, fired = time.time(), alerts(settings)[known:]
        looks.until(looks.is_silent, seconds=3 * window)
        silent = time.time()
        customers.kill()
    never = float("inf")
    return [
        goal("first alert, our evaluator", min((at - began for _, at, _ in fired), default=never), "s", 60),
        goal("first alert, Prometheus' rules", min((at - began for at, _ in held.values()), default=never), "s", 60),
        goal("all cleared, our evaluator", (cleared - healed) / window, "windows", 2),
        goal("all cleared, Prometheus' rules", (silent - healed) / window, "windows", 2),
        # These conditions begin later than the outage.
        *(goal(f"fired: {rule}", at - began, "s") for rule, at, _ in fired),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long all is well")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    traffic = Traffic(chats=_STEADY.chats, rate=_STEADY.rate, seconds=given.minutes * 60, model_ms=_STEADY.model_ms)
    with product(traffic, demo=False) as running:
        looks = Looks(running)
        post(f"{running.model}/_control", {"reply": ABOUT_NUMBERS})
        rows = [goal("load before the start", load, "", _LARGEST_LOAD), *healthy(running, looks, traffic)]
        rows += outage(running, looks, traffic)
    report.show_goals("false_alarms", rows)
    if any(row["is_met"] is False for row in rows[1:]):
        sys.exit("a goal is missed")


if __name__ == "__main__":
    main()
