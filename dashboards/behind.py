"""From a number, bar or cell to the conversations behind it: the people first, then the chat of one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import streamlit as st

from dashboards import data, exports, people, shell, states, wording
from dashboards.viewer import Viewer
from warehouse.periods import Period

Rows = list[dict[str, Any]]
_COLUMNS = ("name", "phone", "event_count", "slowest_ms", "cost_usd", "last_at")
_HEADINGS = {"event_count": "Times", "slowest_ms": "Slowest", "cost_usd": "Cost", "last_at": "Last"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What was asked: a title, what one count is, and the read that answers it."""

    title: str
    counted: str
    rows: Callable[[], Rows]


def messages(looking: Viewer, period: Period, *, title: str = "Messages") -> Behind:
    read = partial(data.behind_events, looking.tenant_id, period, event_types=("message_received", "message_sent"))
    return Behind(title=title, counted="messages", rows=read)


def received(
    looking: Viewer, period: Period, *, title: str, iso_weekday: int | None = None, hour: int | None = None
) -> Behind:
    read = partial(
        data.behind_events,
        looking.tenant_id,
        period,
        event_types=("message_received",),
        iso_weekday=iso_weekday,
        hour=hour,
    )
    return Behind(title=title, counted="messages", rows=read)


def replies(looking: Viewer, period: Period, *, title: str, provider: str | None = None) -> Behind:
    """The agent's replies, the slowest first."""
    read = partial(
        data.behind_events,
        looking.tenant_id,
        period,
        event_types=("message_sent",),
        author="agent",
        provider=provider,
        first="slowest",
    )
    return Behind(title=title, counted="replies", rows=read)


def calls(looking: Viewer, period: Period, *, title: str, provider: str | None = None) -> Behind:
    """Calls to models, the dearest person first."""
    read = partial(
        data.behind_events,
        looking.tenant_id,
        period,
        event_types=("llm_attempt",),
        provider=provider,
        first="costliest",
    )
    return Behind(title=title, counted="calls", rows=read)


def waits(looking: Viewer, period: Period, *, title: str, least_ms: int, below_ms: int | None) -> Behind:
    read = partial(data.behind_waits, looking.tenant_id, period, least_ms=least_ms, below_ms=below_ms)
    return Behind(title=title, counted="replies", rows=read)


def episodes(
    looking: Viewer, period: Period, *, title: str, outcome: str | None = None, is_answered: bool | None = None
) -> Behind:
    read = partial(data.behind_episodes, looking.tenant_id, period, outcome=outcome, is_answered=is_answered)
    return Behind(title=title, counted="conversations", rows=read)


def open_dialog(looking: Viewer, behind: Behind, period: Period, *, at: datetime, renews: str = "") -> None:
    """The people in a dialog; closing it forgets the click that opened it."""
    dismissed: Any = partial(shell.renew, renews) if renews else "ignore"
    dialog = st.dialog(behind.title, width="large", on_dismiss=dismissed)
    dialog(partial(states.guarded, partial(_people, looking, behind, period, at=at)))()


def _people(looking: Viewer, behind: Behind, period: Period, *, at: datetime) -> None:
    found = behind.rows()
    rows = people.named(looking, found)
    total = sum(row["event_count"] for row in found)
    told = f"{total:,} {behind.counted} with {len(found):,} people, {wording.span(period.since, period.until)}"
    st.caption(f"{told}. Select one to read the chat.")
    if not rows:
        states.empty("Nobody is behind this number", "Nothing was counted, or those people were erased since.")
        return
    chosen = _list(rows, behind, timezone=looking.timezone)
    exports.menu(looking, rows, columns=_COLUMNS, file="people")
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
