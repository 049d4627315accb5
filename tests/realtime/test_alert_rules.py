"""When alerts fire and clear, and that Prometheus and our own evaluator never disagree."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from mychatflow.rules import alerts
from mychatflow.rules.alert_conditions import WINDOW
from mychatflow.rules.alerts import KEPT, RULES, SILENCES, Firing
from realtime import metrics, prometheus_rules
from realtime.alerts import JUDGED_EVERY, Measured
from tests.fakes.promql import Evaluator

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STEP = JUDGED_EVERY
Key = tuple[str, frozenset[tuple[str, str]]]
# From minute to what grew by how much each 15 s, or how a gauge stands.
Recorded = Callable[[float], Mapping[Key, float]]


def key(name: str, **labels: str) -> Key:
    return name, frozenset(labels.items())


OK = key("mychatflow_http_answers_total", status="2xx")
ERROR = key("mychatflow_http_answers_total", status="5xx")
QUICK = key("mychatflow_ai_seconds_bucket", le="5.0")
ASKED = key("mychatflow_ai_seconds_count")
FAILED = key("mychatflow_webhook_failures_total", shard="3")
ALSO_FAILED = key("mychatflow_webhook_failures_total", shard="4")
DATABASE = key("mychatflow_database_errors_total", where="engine")
BELL = key("mychatflow_bell_losses_total")
OPENAI = key("mychatflow_breaker_open", provider="openai")
GEMINI = key("mychatflow_breaker_open", provider="gemini")
OLDEST = key("mychatflow_inbox_oldest_seconds")
UNSENT = key("mychatflow_outbox_oldest_seconds")
PARKED = key("mychatflow_inbox_parked")
RECEIPT = key("mychatflow_statuses_oldest_seconds")
FREE = key("mychatflow_disk_free_bytes")
DOUBTFUL = key("mychatflow_sends_ambiguous")
BACKUP = key("mychatflow_heartbeat_timestamp_seconds", job="backup")
WAL = key("mychatflow_heartbeat_timestamp_seconds", job="wal_stream")
WORKER = key("mychatflow_heartbeat_timestamp_seconds", job="worker")
SNAPSHOT = key("mychatflow_heartbeat_timestamp_seconds", job="snapshot")
CHAIN = key("mychatflow_audit_chains_broken")
PROBLEMS = key("mychatflow_analytics_problems")
START = NOON.timestamp()


def during(first: float, last: float, minute: float) -> bool:
    return first <= minute < last


RECORDED: dict[str, tuple[Recorded, set[str]]] = {
    "quiet": (lambda minute: {}, set()),
    "busy and well": (lambda minute: {OK: 500, QUICK: 40, ASKED: 40}, set()),
    "one error in 99": (lambda minute: {OK: 98, ERROR: during(3, 4, minute)}, set()),
    "two per cent errors": (lambda minute: {OK: 98, ERROR: 2 * during(3, 6, minute)}, {"high_error_rate"}),
    "exactly one per cent": (lambda minute: {OK: 99, ERROR: 1}, set()),
    "three errors among few": (lambda minute: {OK: 1, ERROR: 3 * during(3, 3.2, minute)}, {"high_error_rate"}),
    "two errors among few": (lambda minute: {OK: 1, ERROR: 2 * during(3, 3.2, minute)}, set()),
    "nothing but errors": (lambda minute: {ERROR: 20 * during(2, 9, minute)}, {"high_error_rate"}),
    "slow models": (lambda minute: {ASKED: 10, QUICK: 9}, {"slow_ai_response"}),
    "a slow answer in thirty": (lambda minute: {ASKED: 30, QUICK: 29}, set()),
    "few slow answers": (lambda minute: {ASKED: during(3, 3.2, minute)}, set()),
    "a breaker that flaps": (
        lambda minute: {OPENAI: float(int(minute * 2) % 2 and during(2, 5, minute)), GEMINI: 0},
        {"breaker_open"},
    ),
    "two breakers": (
        lambda minute: {OPENAI: during(2, 4, minute), GEMINI: during(3, 6, minute)},
        {"breaker_open"},
    ),
    "six failures of one number": (lambda minute: {FAILED: 2 * during(3, 3.7, minute)}, {"webhook_failures"}),
    "five failures of each of two": (
        lambda minute: {FAILED: 5 * during(3, 3.2, minute), ALSO_FAILED: 5 * during(4, 4.2, minute)},
        set(),
    ),
    "a lost write": (lambda minute: {DATABASE: during(3, 3.2, minute)}, {"database_errors"}),
    "a Redis that is away": (lambda minute: {BELL: 8 * during(3, 6, minute)}, {"redis_away"}),
    "a Redis that was started again": (lambda minute: {BELL: 8 * during(3, 3.2, minute)}, set()),
    "a message that waits": (
        lambda minute: {OLDEST: max(0.0, (minute - 3) * 60) * during(3, 6, minute)},
        {"messages_wait"},
    ),
    "a gateway that is away": (
        lambda minute: {UNSENT: max(0.0, (minute - 3) * 60) * during(3, 6, minute)},
        {"gateway_away"},
    ),
    "a parked message": (lambda minute: {PARKED: during(3, 6, minute)}, {"messages_parked"}),
    "receipts that pile up": (
        lambda minute: {RECEIPT: max(0.0, (minute - 3) * 60) * during(3, 6, minute)},
        {"receipts_wait"},
    ),
    "a disk that fills": (lambda minute: {FREE: 1_300_000_000 - minute * 5e7}, {"disk_nearly_full"}),
    "a disk with room": (lambda minute: {FREE: 1_000_000_000}, set()),
    "a doubtful send": (lambda minute: {DOUBTFUL: during(3, 5, minute), CHAIN: 0}, {"ambiguous_sends"}),
    "jobs that stop": (
        lambda minute: {BACKUP: START - 93_300, SNAPSHOT: START, WAL: START + 60 * min(minute, 3)},
        {"backup_late", "wal_stream_down"},
    ),
    "workers that all die": (lambda minute: {WORKER: START + 60 * min(minute, 3)}, {"workers_away"}),
    "a worker started again": (lambda minute: {WORKER: START + 60 * minute - 60 * during(3, 3.9, minute)}, set()),
    "a broken chain and late numbers": (
        lambda minute: {CHAIN: during(4, 9, minute), SNAPSHOT: START - 7_000, PROBLEMS: 2 * during(2, 5, minute)},
        {"audit_chain_broken", "analytics_late", "analytics_broken"},
    ),
}
# Whatever a process may count exists from its start, as the metrics module sees to.
COUNTERS = (OK, ERROR, QUICK, ASKED, FAILED, ALSO_FAILED, DATABASE, BELL)


def scrapes_of(recorded: Recorded, *, minutes: float = 15) -> list[dict[Key, float]]:
    """What Prometheus would have read every 15 s; counters fall to zero once, as after a restart."""
    found: list[dict[Key, float]] = []
    totals = dict.fromkeys(COUNTERS, 0.0)
    for number in range(int(minutes * 60 / STEP)):
        minute = number * STEP / 60
        if number == 30:
            totals = dict.fromkeys(COUNTERS, 0.0)
        said = recorded(minute)
        for name in COUNTERS:
            totals[name] += float(said.get(name, 0))
        found.append(totals | {name: float(value) for name, value in said.items() if name not in COUNTERS})
    return found


def as_prometheus(scrapes: list[dict[Key, float]]) -> list[set[tuple[str, str]]]:
    """Which alerts fire after each scrape, by the expressions as they stand in alerts.yml."""
    group, _ = yaml.safe_load(prometheus_rules.written())["groups"]
    names = {rule.prometheus_name: rule.name for rule in RULES}
    held_at: dict[tuple[str, str], float] = {}
    found = []
    for number in range(len(scrapes)):
        now = START + number * STEP
        evaluator = Evaluator(scrapes=[dict(scrape) for scrape in scrapes[: number + 1]], step=STEP, now=now)
        for rule in group["rules"]:
            for labels in evaluator.evaluate(rule["expr"]):
                held_at[names[rule["alert"]], "".join(dict(labels).values())] = now
        kept = float(group["rules"][0]["keep_firing_for"].removesuffix("s"))
        found.append({alert for alert, held in held_at.items() if now - held < kept})
    return found


def as_ours(scrapes: list[dict[Key, float]]) -> list[set[tuple[str, str]]]:
    """The same by our own evaluator, which is told increments rather than totals."""
    increments: list[tuple[float, list[Any]]] = []
    firing: dict[tuple[str, str], Firing] = {}
    found = []
    for number, scrape in enumerate(scrapes):
        at = NOON + timedelta(seconds=number * STEP)
        before = scrapes[number - 1] if number else scrape
        grown = [
            ((name[0], dict(name[1])), scrape[name] - before[name] if scrape[name] >= before[name] else scrape[name])
            for name in COUNTERS
        ]
        increments.append((at.timestamp(), grown))
        lately = [each for told, told_grown in increments if told > (at - WINDOW).timestamp() for each in told_grown]
        gauges: dict[str, dict[Any, float]] = {}
        for (name, labels), value in scrape.items():
            gauges.setdefault(name, {})[tuple(labels)] = value
        changes = alerts.judge(Measured(increments=lately, gauges=gauges, at=at), list(firing.values()), at=at)
        for rule, subject in [*changes.fired, *changes.held]:
            firing[rule, subject] = Firing(rule=rule, subject=subject, held_at=at)
        for cleared in changes.cleared:
            del firing[cleared]
        found.append(set(firing))
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_prometheus_and_our_evaluator_agree(name: str):
    recorded, expected = RECORDED[name]
    scrapes = scrapes_of(recorded)

    ours = as_ours(scrapes)

    assert ours == as_prometheus(scrapes)
    assert {rule for firing in ours for rule, _ in firing} == expected


def test_every_rule_is_in_one_of_twenty_recorded_series():
    assert len(RECORDED) >= 20
    assert {rule for _, expected in RECORDED.values() for rule in expected} == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("recorded", "rule", "begins", "ends"),
    [
        (lambda minute: {ERROR: 20 * during(3, 5, minute), OK: 20}, "high_error_rate", 3, 5),
        (lambda minute: {DATABASE: during(3, 5, minute)}, "database_errors", 3, 5),
        (lambda minute: {FAILED: 6 * during(3, 5, minute)}, "webhook_failures", 3, 5),
        (lambda minute: {ASKED: 30, QUICK: 30 - 5 * during(3, 5, minute)}, "slow_ai_response", 3, 5),
        (lambda minute: {OPENAI: during(3, 5, minute)}, "breaker_open", 3, 5),
    ],
)
def test_an_alert_comes_within_a_minute_and_goes_within_two_windows(
    recorded: Recorded, rule: str, begins: float, ends: float
):
    fires = [rule in {name for name, _ in firing} for firing in as_ours(scrapes_of(recorded))]

    first, last = fires.index(True), len(fires) - fires[::-1].index(True)

    assert 0 <= first * STEP / 60 - begins <= 1
    assert last * STEP / 60 - ends <= 2 * WINDOW.total_seconds() / 60
    assert all(fires[first:last])


@pytest.mark.parametrize(
    ("scrape", "expected"),
    [
        ({key("mychatflow_database_up"): 1.0}, set()),
        ({key("mychatflow_database_up"): 0.0}, {"DatabaseAway"}),
        ({OK: 1.0}, {"WebAway"}),
        ({}, {"WebAway"}),
    ],
)
def test_prometheus_says_so_when_we_cannot(scrape: Mapping[Key, float], expected: set[str]):
    evaluator = Evaluator(scrapes=[scrape], step=STEP, now=START)

    assert {name for name, expression, _, _ in SILENCES if evaluator.evaluate(expression)} == expected


def test_an_alert_outlasts_a_short_pause_of_its_cause():
    firing = [Firing(rule="breaker_open", subject="openai", held_at=NOON)]
    nothing = Measured(increments=[], gauges={}, at=NOON)

    early = alerts.judge(nothing, firing, at=NOON + KEPT - timedelta(seconds=1))
    late = alerts.judge(nothing, firing, at=NOON + KEPT)

    assert list(early.cleared) == []
    assert list(late.cleared) == [("breaker_open", "openai")]


def test_the_rules_file_is_generated():
    written = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"

    assert written.read_text() == prometheus_rules.written()


def test_the_limit_of_slowness_is_a_bound_of_the_histogram():
    [rule] = [rule for rule in RULES if rule.name == "slow_ai_response"]

    assert rule.condition.above in metrics.ai_seconds._upper_bounds
