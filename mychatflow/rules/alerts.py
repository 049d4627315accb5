"""When the people who run the platform must be woken: one table of rules, for Prometheus and for our own evaluator."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from mychatflow.rules.alert_conditions import Age, Condition, Count, Level, Measured, Share, Short, Slow

# The pages of the people who run it, and doctor, go by the same limits.
LONGEST_WAIT: Final = timedelta(seconds=30)
LONGEST_SEND: Final = timedelta(seconds=60)
# A worker says many times in this that it runs.
LONGEST_SILENCE: Final = timedelta(seconds=60)
LEAST_FREE_BYTES: Final = 1_000_000_000
Severity = Literal["warning", "critical"]
# A condition that comes and goes is one alert: it must stay away this long before the alert clears.
KEPT: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`name` is what rows and dashboards call it, `says` what a person reads first."""

    name: str
    severity: Severity
    says: str
    do: str
    condition: Condition

    @property
    def prometheus_name(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("_"))


_HEARTBEAT: Final = "mychatflow_heartbeat_timestamp_seconds"
RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="high_error_rate",
        severity="critical",
        says="More than 1% of HTTP answers are errors of ours",
        do="Look at /ready and at the web log's errors.",
        condition=Share(metric="mychatflow_http_answers_total", bad={"status": "5xx"}, above=0.01, least=100, few=3),
    ),
    Rule(
        name="slow_ai_response",
        severity="warning",
        says="More than one model answer in twenty takes longer than 5 s",
        do="See which provider is slow; a faster preset or hedging helps meanwhile.",
        condition=Slow(metric="mychatflow_ai_seconds", above=5.0, least=20),
    ),
    Rule(
        name="breaker_open",
        severity="warning",
        says="A model provider fails and is not asked",
        do="Other providers answer; check the provider's status page and the key.",
        condition=Level(metric="mychatflow_breaker_open", above=0, by="provider"),
    ),
    Rule(
        name="webhook_failures",
        severity="critical",
        says="More than five webhooks of one number failed within five minutes",
        do="The web log names the number; look at its dead letters and at the gateway's version.",
        condition=Count(metric="mychatflow_webhook_failures_total", above=5, by="shard"),
    ),
    Rule(
        name="database_errors",
        severity="critical",
        says="Postgres refused or lost a write",
        do="Check Postgres, its disk and its connections; nothing was acknowledged meanwhile.",
        condition=Count(metric="mychatflow_database_errors_total", above=0),
    ),
    Rule(
        name="redis_away",
        severity="warning",
        says="Redis does not answer",
        do="Check Redis and its disk; messages are answered meanwhile, each process keeps its own limits and breakers.",
        # A worker tries once a second or two, and a restart is over sooner.
        condition=Count(metric="mychatflow_bell_losses_total", above=10),
    ),
    Rule(
        name="workers_away",
        severity="critical",
        says="No worker has shown for a minute that it runs",
        do="Start one: what customers write is kept, and answered when a worker is back.",
        condition=Age(metric=_HEARTBEAT, labels={"job": "worker"}, above=LONGEST_SILENCE),
    ),
    Rule(
        name="messages_wait",
        severity="critical",
        says="A customer's message has waited for more than 30 s",
        do="Check that workers run and that a model answers.",
        condition=Level(metric="mychatflow_inbox_oldest_seconds", above=LONGEST_WAIT.total_seconds()),
    ),
    Rule(
        name="gateway_away",
        severity="critical",
        says="The gateway has not taken a message for more than a minute",
        do="Check the gateway and its session; replies wait, and each is sent once when it is back.",
        condition=Level(metric="mychatflow_outbox_oldest_seconds", above=LONGEST_SEND.total_seconds()),
    ),
    Rule(
        name="ambiguous_sends",
        severity="warning",
        says="Nobody knows whether a message reached its customer",
        do="Check the gateway's history for the chat; the message is sent again only when it is surely not there.",
        condition=Level(metric="mychatflow_sends_ambiguous", above=0),
    ),
    Rule(
        name="messages_parked",
        severity="warning",
        says="A message or a receipt failed every time and waits for a person",
        do="mychatflow dlq list names it and its cause; mychatflow dlq replay when that is mended.",
        condition=Level(metric="mychatflow_inbox_parked", above=0),
    ),
    Rule(
        name="receipts_wait",
        severity="warning",
        says="Receipts and changes of numbers have not been applied for more than a minute",
        do="Check that workers run; their log says what they wait for.",
        condition=Level(metric="mychatflow_statuses_oldest_seconds", above=60),
    ),
    Rule(
        name="disk_nearly_full",
        severity="critical",
        says="Less than 1 GB is free on the disk of the data folder",
        do="Free some space before writes are refused.",
        condition=Short(metric="mychatflow_disk_free_bytes", below=LEAST_FREE_BYTES),
    ),
    Rule(
        name="backup_late",
        severity="critical",
        says="The last backup is older than 26 hours",
        do="Run mychatflow backup and read why the schedule did not.",
        condition=Age(metric=_HEARTBEAT, labels={"job": "backup"}, above=timedelta(hours=26)),
    ),
    Rule(
        name="wal_stream_down",
        severity="critical",
        says="The stream of Postgres' log to the other disk has stopped",
        do="Check the process that receives it and the disk's space.",
        condition=Age(metric=_HEARTBEAT, labels={"job": "wal_stream"}, above=timedelta(seconds=60)),
    ),
    Rule(
        name="audit_chain_broken",
        severity="critical",
        says="A row of the audit log was changed or removed",
        do="Keep the database as it is and compare with the last backup.",
        condition=Level(metric="mychatflow_audit_chains_broken", above=0),
    ),
    Rule(
        name="analytics_late",
        severity="warning",
        says="The published numbers are older than two hours",
        do="See the last runs in Dagster.",
        condition=Age(metric=_HEARTBEAT, labels={"job": "snapshot"}, above=timedelta(hours=2)),
    ),
    Rule(
        name="analytics_broken",
        severity="warning",
        says="A pipeline failed, a check of the numbers is broken, or a table is late",
        do="Open Pipeline & health in the dashboards: it names the tables; Dagster holds the failed run.",
        condition=Level(metric="mychatflow_analytics_problems", above=0),
    ),
)
# What nobody of us can say of himself: name, condition, and what a person reads. Prometheus alone judges these.
SILENCES: Final = (
    (
        "DatabaseAway",
        "max (mychatflow_database_up) < 1",
        "Postgres does not answer",
        "Nothing is taken and nothing is answered until it is back; the gateway repeats what it could not deliver.",
    ),
    (
        "WebAway",
        "absent (mychatflow_database_up)",
        "No web process tells its numbers",
        "Check that one runs and that Prometheus reaches it: no other alert of ours can fire meanwhile.",
    ),
)
BY_NAME: Final[Mapping[str, Rule]] = {rule.name: rule for rule in RULES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert that has not cleared; `held_at` is when its condition last held."""

    rule: str
    subject: str
    held_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to write down: alerts that begin, go on, or end; a key is (rule, subject)."""

    fired: Mapping[tuple[str, str], float]
    held: Collection[tuple[str, str]]
    cleared: Collection[tuple[str, str]]


def judge(measured: Measured, firing: Collection[Firing], *, at: datetime) -> Changes:
    """One look at all rules."""
    holding = {
        (rule.name, subject): value for rule in RULES for subject, value in rule.condition.holds(measured).items()
    }
    known = {(alert.rule, alert.subject): alert for alert in firing}
    return Changes(
        fired={key: value for key, value in holding.items() if key not in known},
        held=[key for key in known if key in holding],
        cleared=[key for key, alert in known.items() if key not in holding and at - alert.held_at >= KEPT],
    )
