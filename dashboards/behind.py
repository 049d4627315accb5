"""From a number, bar or cell to the conversations behind it: the people first, then the chat of one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import streamlit as st

from dashboards import data, exports, parts, people, shell, states, viewer, wording
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from warehouse import model_reads
from warehouse.periods import Period

Rows = list[dict[str, Any]]
_COLUMNS = ("name", "phone", "event_count", "slowest_ms", "cost_usd", "last_at")
_ONE = {
    "messages": "message",
    "replies": "reply",
    "calls": "call",
    "conversations": "conversation",
    "answers": "answer",
    "runs": "run",
}
_HEADINGS = {"event_count": "Times", "slowest_ms": "Slowest", "cost_usd": "Cost", "last_at": "Last"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What was asked: a title, what one count is, and the read that answers it."""

    title: str
    counted: str
    rows: Callable[[], Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A result on a line: `part` and `reason` name whom it counts; without a part nobody stands behind it."""

    name: str
    value: str
    part: str = ""
    reason: str | None = None
    explained: str = ""


def messages(looking: Viewer, period: Period, *, title: str = "Messages") -> Behind:
    return _of("messages", looking, period, title=title, counted="messages")


def received(
    looking: Viewer, period: Period, *, title: str, iso_weekday: int | None = None, hour: int | None = None
) -> Behind:
    where = {"iso_weekday": iso_weekday, "local_hour": hour}
    return _of("when_people_write", looking, period, title=title, counted="messages", where=where)


def replies(looking: Viewer, period: Period, *, title: str, provider: str | None = None) -> Behind:
    """The agent's replies, the slowest first."""
    where = {"provider": provider}
    return _of("ai_replies", looking, period, title=title, counted="replies", where=where, first="slowest")


def replies_by(looking: Viewer, period: Period, *, provider: str) -> Behind:
    """The replies of one provider on a day, or in a longer period."""
    title = f"{wording.provider(provider)}, {wording.span(period.since, period.until)}, slowest first"
    return replies(looking, period, title=title, provider=provider)


def backups(looking: Viewer, period: Period) -> Behind:
    """Replies that another model than the first wrote."""
    return _of("failover", looking, period, title="Answered by another model", counted="replies", first="slowest")


def calls(looking: Viewer, period: Period, *, title: str, provider: str | None = None) -> Behind:
    """Calls to models, the dearest person first."""
    where = {"provider": provider}
    return _of("model_calls", looking, period, title=title, counted="calls", where=where, first="costliest")


def step(looking: Viewer, period: Period, name: str, *, title: str) -> Behind:
    """The messages whose time in that step of a reply the waterfall ranks."""
    read = partial(model_reads.step_people, looking.tenant_id, period, name)
    return Behind(title=f"{title}, slowest first", counted="messages", rows=read)


def outage(looking: Viewer, row: Mapping[str, Any]) -> Behind:
    """The replies of another model while that one was shut off."""
    read = partial(
        model_reads.failover_people, looking.tenant_id, opened_at=row["opened_at"], closed_at=row["closed_at"]
    )
    title = f"Answered without {wording.target(row['target'])}, {wording.clock(row['opened_at'], looking.timezone)}"
    return Behind(title=title, counted="replies", rows=read)


def waits(looking: Viewer, period: Period, *, title: str, least_ms: int, below_ms: int | None) -> Behind:
    """Who waited that long for the first reply to a message, the slowest first."""
    name, counted = "response_time", "replies"
    return _of(
        name, looking, period, title=title, counted=counted, first="slowest", least_ms=least_ms, below_ms=below_ms
    )


def episodes(looking: Viewer, period: Period, *, title: str, outcome: str) -> Behind:
    where = {"outcome": outcome}
    return _of("outcomes", looking, period, title=title, counted="conversations", where=where, first="newest")


def unanswered(looking: Viewer, period: Period, *, title: str) -> Behind:
    return _of("unanswered", looking, period, title=title, counted="conversations", first="newest")


def _of(
    metric: str,
    looking: Viewer,
    period: Period,
    *,
    title: str,
    counted: str,
    where: Mapping[str, str | int | None] = MappingProxyType({}),
    **how: Any,
) -> Behind:
    """The same filter as the number's own."""
    chosen = {name: value for name, value in where.items() if value is not None}
    read = partial(data.behind, looking.tenant_id, metric, period, where=chosen, **how)
    return Behind(title=title, counted=counted, rows=read)


def pressed_fact(facts: Sequence[Fact], *, key: str) -> Fact | None:
    """Draw the facts, one a line; the one that was pressed. What nobody stands behind says why on hover."""
    pressed = None
    with st.container(gap=None, key=f"facts-{key}"):
        for number, fact in enumerate(facts):
            if not fact.part:
                st.html(parts.fact(fact.name, fact.value, fact.explained))
                continue
            place, is_pressed = shell.covered(f"fact-{number}-{key}", f"{fact.name} {fact.value}: who they are")
            place.html(parts.fact(fact.name, fact.value))
            pressed = fact if is_pressed else pressed
    return pressed


def open_dialog(looking: Viewer, behind: Behind, period: Period | None, *, at: datetime, renews: str = "") -> None:
    """The people in a dialog; closing it forgets the click that opened it."""
    dismissed: Any = partial(shell.renew, renews) if renews else "ignore"
    dialog = st.dialog(shell.plain(behind.title), width="large", on_dismiss=dismissed)
    dialog(partial(states.guarded, partial(_people, looking, behind, period, at=at)))()


def _people(looking: Viewer, behind: Behind, period: Period | None, *, at: datetime) -> None:
    if not viewer.still(looking, Permission.VIEW_ANALYTICS):
        states.ended()
        return
    found = behind.rows()
    rows = people.named(looking, found)
    total = sum(row["event_count"] for row in found)
    told = wording.counted(total, _ONE[behind.counted], behind.counted)
    told += f" with {wording.counted(len(found), 'person', 'people')}"
    told += f", {wording.span(period.since, period.until)}" if period else ""
    st.caption(f"{told}. Select one to read the chat.")
    kept_from = exports.forgotten_before(looking, period)
    if kept_from:
        what = f"Single messages before {wording.day(kept_from)} are no longer kept."
        st.caption(f"{what} The number still counts them, this list does not.")
    if not rows:
        states.empty("Nobody is behind this number", "Nothing was counted, or those people were erased since.")
        return
    chosen = _list(rows, behind, timezone=looking.timezone)
    exports.menu(looking, rows, columns=_COLUMNS, file="people", period=period)
    contact_id = rows[chosen]["contact_id"]
    contact = data.people(looking.tenant_id, (contact_id,)).get(contact_id)
    people.one(looking, contact_id, contact, at=at)


def _list(rows: Rows, behind: Behind, *, timezone: str) -> int:
    """The row selected, or the first; only columns in which something stands."""
    used = [column for column in _HEADINGS if any(row[column] is not None for row in rows)]
    written: dict[str, Callable[[Any], Any]] = {"slowest_ms": wording.seconds, "cost_usd": wording.small_usd}
    headings = _HEADINGS | {"event_count": behind.counted.capitalize()}
    shown = [
        {"Contact": row["name"], "Phone": row["phone"]}
        | {headings[column]: written.get(column, lambda value: value)(row[column]) for column in used}
        for row in rows
    ]
    selected = st.dataframe(
        shown,
        hide_index=True,
        height=min(212, 38 + 34 * len(rows)),
        row_height=34,
        key=shell.keyed("behind", behind.title),
        on_select="rerun",
        selection_mode="single-row-required",
        alt=f"Table of {len(rows)} people behind the number.",
        column_config={"Last": st.column_config.DatetimeColumn(format="D MMM, HH:mm", timezone=timezone)},
    )
    found = selected["selection"]["rows"]
    return int(found[0]) if found and found[0] < len(rows) else 0
