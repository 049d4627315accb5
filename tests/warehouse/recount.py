"""Published numbers counted again in plain Python from the rows of Postgres, without a line of the models' SQL."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from mychatflow.settings import Settings

Row = dict[str, Any]
Key = tuple[Any, ...]
Table = dict[Key, Row]
_NOBODY: Final = UUID(int=0)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AUTHORS: Final = frozenset({"agent", "human", "follow_up", "campaign"})
# One of each is counted under its own name.
_PLAIN: Final = frozenset(
    {
        *("message_received", "message_sent", "message_delivered", "message_read", "message_failed", "lead_scored"),
        *("handoff_triggered", "appointment_booked", "followup_sent", "reply_skipped", "opted_out", "opted_in"),
        *("human_reply", "episode_closed", "session_changed", "llm_attempt"),
    }
)


@dataclass(slots=True, kw_only=True)
class Books:
    """The rows of Postgres that the numbers are made of."""

    zones: dict[UUID, ZoneInfo]
    events: list[Row]
    episodes: list[Row]
    scores: list[Row]
    usage: list[Row]

    def day(self, row: Row, at: datetime) -> date:
        return at.astimezone(self.zones[row["tenant_id"]]).date()


def read(settings: Settings) -> Books:
    """Everything but what belongs to erased people; a fact of several instants is the one that happened first."""
    with psycopg.connect(settings.role_url("pipeline"), row_factory=dict_row) as pipeline:
        erased = {(row["tenant_id"], row["contact_id"]) for row in pipeline.execute("select * from erase_list")}

        def kept(table: str) -> list[Row]:
            rows = pipeline.execute(f"select * from {table}")
            return [row for row in rows if (row["tenant_id"], row["contact_id"]) not in erased]

        facts: dict[Key, Row] = {}
        for row in sorted(kept("analytics_events"), key=lambda each: each["occurred_at"], reverse=True):
            facts[row["tenant_id"], row["event_id"]] = row | {"instance_id": row["instance_id"] or _NOBODY}
        return Books(
            zones={
                row["tenant_id"]: ZoneInfo(row["timezone"])
                for row in pipeline.execute("select tenant_id, timezone from settings")
            },
            events=list(facts.values()),
            episodes=kept("episodes"),
            scores=kept("lead_score_events"),
            usage=pipeline.execute("select * from usage_days").fetchall(),
        )


def _counts(row: Row) -> Iterator[tuple[str, int]]:
    kind, about = row["event_type"], row["properties"]
    if kind in _PLAIN:
        yield f"{kind}_count", 1
    match kind:
        case "message_received":
            yield ("text_received_count" if about.get("type") in (None, "text") else "media_received_count"), 1
            yield "question_count", bool(about.get("is_question"))
        case "message_sent":
            author = about.get("author")
            yield f"{author if author in _AUTHORS else 'system'}_sent_count", 1
            yield "agent_reply_count", author == "agent" and not about.get("part_of")
            yield "fallback_sent_count", author == "agent" and bool(about.get("used_fallback"))
        case "llm_attempt":
            yield "cost_micro_usd", about.get("cost_micro_usd") or 0
            yield "llm_failed_count", about.get("outcome") == "failed"
        case "lead_scored":
            is_inbound = about.get("cause", "inbound") == "inbound"
            yield ("lead_scored_inbound_count" if is_inbound else "lead_scored_decay_count"), 1
        case "handoff_triggered":
            is_asked = about.get("reason") in ("customer_request", "keyword")
            yield ("handoff_requested_count" if is_asked else "handoff_other_count"), 1


def _counted(rows: Iterable[Row], key: Callable[[Row], Key]) -> defaultdict[Key, Counter[str]]:
    found: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counter = found[key(row)]
        for name, number in _counts(row):
            counter[name] += number
    return found


def _happened(books: Books) -> Iterator[Row]:
    """Events, and the changes of scores that silence made, which write none and are of no number."""
    yield from books.events
    for row in books.scores:
        if row["cause"] != "inbound":
            about = {"event_type": "lead_scored", "instance_id": _NOBODY, "properties": {"cause": row["cause"]}}
            yield row | about | {"occurred_at": row["as_of"]}


def hours(books: Books) -> Table:
    def key(row: Row) -> Key:
        return row["tenant_id"], row["instance_id"], row["occurred_at"].replace(minute=0, second=0, microsecond=0)

    return dict(_counted(_happened(books), key))


def days(books: Books) -> Table:
    def key(row: Row) -> Key:
        return row["tenant_id"], row["instance_id"], books.day(row, row["occurred_at"])

    people: defaultdict[Key, set[UUID]] = defaultdict(set)
    for row in books.events:
        if row["event_type"] == "message_received" and row["contact_id"]:
            people[key(row)].add(row["contact_id"])
    counted = _counted(_happened(books), key)
    return {found: row | {"active_contact_count": len(people[found])} for found, row in counted.items()}


def local_hours(books: Books) -> Table:
    def key(row: Row) -> Key:
        local = row["occurred_at"].astimezone(books.zones[row["tenant_id"]])
        return row["tenant_id"], row["instance_id"], local.date(), local.hour

    written = [row for row in books.events if row["event_type"] in ("message_received", "message_sent")]
    names = ("message_received_count", "message_sent_count")
    return {found: {name: row[name] for name in names} for found, row in _counted(written, key).items()}


def writers(books: Books) -> Table:
    found: Table = {}
    for row in books.events:
        kind = row["event_type"]
        if row["contact_id"] is None or kind not in ("message_received", "message_sent", "human_reply"):
            continue
        key = row["tenant_id"], row["contact_id"], books.day(row, row["occurred_at"])
        told = found.setdefault(
            key, {"message_received_count": 0, "message_sent_count": 0, "agent_sent_count": 0, "last_message_at": None}
        )
        told["message_received_count"] += kind == "message_received"
        told["message_sent_count"] += kind == "message_sent"
        told["agent_sent_count"] += kind == "message_sent" and row["properties"].get("author") == "agent"
        if kind != "human_reply":
            told["last_message_at"] = max(row["occurred_at"], told["last_message_at"] or row["occurred_at"])
    return found


def _failed(events: Iterable[Row]) -> set[Key]:
    """What was given up, and did not arrive after all."""
    ticks: defaultdict[str, set[Key]] = defaultdict(set)
    owners: dict[Key, Key] = {}
    for row in events:
        about, kind = row["properties"], row["event_type"]
        if kind in ("message_failed", "message_delivered"):
            message = row["tenant_id"], about.get("message_id")
            ticks[kind].add(message)
            if kind == "message_failed" and about.get("interaction_id"):
                owners[message] = row["tenant_id"], about["interaction_id"]
    arrived = {message for message in ticks["message_delivered"] if message[1]}
    return {interaction for message, interaction in owners.items() if message not in arrived}


def _milliseconds(start: datetime, end: datetime | None) -> int | None:
    """As the database counts them: from tick to tick of a clock of milliseconds."""
    tick = timedelta(milliseconds=1)
    return None if end is None else (end - _EPOCH) // tick - (start - _EPOCH) // tick


def reply_times(books: Books) -> Table:
    failed = _failed(books.events)
    first: dict[Key, Key] = {}
    for row in sorted(books.events, key=lambda each: each["occurred_at"]):
        about, kind = row["properties"], row["event_type"]
        author = about.get("author") or ("human" if kind == "human_reply" else None)
        is_reply = kind in ("message_sent", "human_reply") and author in ("agent", "human") and about.get("waits_since")
        if not is_reply or (row["tenant_id"], about.get("interaction_id")) in failed:
            continue
        since = datetime.fromisoformat(about["waits_since"])
        if since <= row["occurred_at"]:
            key = row["tenant_id"], row["instance_id"], books.day(row, row["occurred_at"]), author
            wait = _milliseconds(since, row["occurred_at"])
            first.setdefault((row["tenant_id"], row["contact_id"], since), (key, wait))
    waits: defaultdict[Key, list[int]] = defaultdict(list)
    for key, wait in first.values():
        waits[key].append(wait)
    return {key: _spread(found) for key, found in waits.items()}


def _spread(waits: list[int]) -> Row:
    return {
        "reply_count": len(waits),
        "total_ms": sum(waits),
        "mean_ms": statistics.fmean(waits),
        "median_ms": statistics.median(waits),
        "p90_ms": _quantile(waits, 0.9),
        "p95_ms": _quantile(waits, 0.95),
        "max_ms": max(waits),
        "under_2s_count": sum(wait < 2000 for wait in waits),
        "from_2s_to_5s_count": sum(2000 <= wait < 5000 for wait in waits),
        "from_5s_to_30s_count": sum(5000 <= wait < 30_000 for wait in waits),
        "over_30s_count": sum(wait >= 30_000 for wait in waits),
    }


def _quantile(values: Iterable[int], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def episodes(books: Books) -> Table:
    chains: defaultdict[Key, list[Row]] = defaultdict(list)
    for row in sorted(books.episodes, key=lambda each: (each["started_at"], each["id"])):
        chains[row["tenant_id"], row["contact_id"]].append(row)
    return {
        (row["tenant_id"], row["id"]): _judged(books, row, after)
        for chain in chains.values()
        for row, after in zip(chain, [*chain[1:], None], strict=True)
    }


def _judged(books: Books, row: Row, after: Row | None) -> Row:
    takes_part = row["agent_reply_count"] > 0 or row["handoff_reason"] not in (None, "quota", "human_takeover")
    came_back = row["resolved_at"] and after and after["start_reason"] == "reopen"
    return {
        "local_date": books.day(row, row["started_at"]),
        "outcome": row["outcome"],
        "is_involved": bool(row["is_eligible"] and takes_part),
        "is_unattended": row["outcome"] == "open" and (row["first_reply_at"] is None or row["is_waiting"]),
        "reopened_at": after["started_at"] if came_back and after else None,
        "first_response_ms": _milliseconds(row["started_at"], row["first_reply_at"]),
        "resolution_ms": _milliseconds(row["started_at"], row["resolved_at"]),
    }


def usage(books: Books) -> Table:
    counted = _counted(books.events, lambda row: (row["tenant_id"], books.day(row, row["occurred_at"])))
    spent = {(row["tenant_id"], row["usage_date"]): row["used"] for row in books.usage}
    begun = {tenant_id: min(day for owner, day in spent if owner == tenant_id) for tenant_id, _ in spent}
    names = ("message_received_count", "message_sent_count", "cost_micro_usd")
    found: Table = {}
    for key in {*counted, *spent}:
        row = counted[key]
        # Before anybody counted credits, a reply was one; days of UTC and of the business meet a day beside it.
        is_ledger_kept = key[0] in begun and begun[key[0]] - timedelta(days=1) <= key[1]
        count = spent.get(key, 0 if is_ledger_kept else row["agent_reply_count"])
        found[key] = {name: row[name] for name in names} | {"credit_count": count}
    return found


# Of each published table: its grain, and who counts it again.
TABLES: Final[Mapping[str, tuple[Key, Callable[[Books], Table]]]] = {
    "analytics_summary_hourly": (("tenant_id", "instance_id", "hour_at"), hours),
    "analytics_summary_daily": (("tenant_id", "instance_id", "local_date"), days),
    "messages_local_hourly": (("tenant_id", "instance_id", "local_date", "local_hour"), local_hours),
    "contact_activity_daily": (("tenant_id", "contact_id", "local_date"), writers),
    "response_times_daily": (("tenant_id", "instance_id", "local_date", "author"), reply_times),
    "episodes": (("tenant_id", "episode_id"), episodes),
    "tenant_usage_daily": (("tenant_id", "local_date"), usage),
}
