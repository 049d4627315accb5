"""How conversations ended, and why: every episode of the period with its outcome, down to the chat."""

from datetime import datetime
from typing import Any

import streamlit as st

from dashboards import behind, charts, data, exports, filters, parts, people, shell, states, tiles, wording
from dashboards.filters import Choice
from dashboards.tenant import sheets, timeline_notes
from dashboards.theme.tokens import Palette
from dashboards.viewer import Viewer
from warehouse import metrics

_OUTCOMES = ("autonomous", "assisted", "handed_off", "abandoned", "blocked_by_quota", "open")


def show(looking: Viewer, *, at: datetime) -> None:
    """Rates first, then outcomes by day, then the episodes."""
    choice = filters.head(
        looking,
        "Conversations",
        "How they ended, by the day they began",
        page="conversations",
        at=at,
        updated=data.as_of(looking.tenant_id),
    )
    left, right = st.columns([1.75, 1])
    with left.container(border=True, height="stretch", key="card-outcomes-per-day"):
        _per_day(looking, choice, at=at)
    with right.container(border=True, height="stretch", key="card-outcomes"):
        _totals(looking, choice, at=at)
    with st.container(border=True, key="card-episodes"):
        _episodes(looking, choice, at=at)


def colours(palette: Palette) -> dict[str, str]:
    """Each outcome's colour; coral only where nobody helped."""
    shown = (palette.primary, palette.sky, palette.indigo, palette.coral, palette.amber, palette.previous)
    return dict(zip(_OUTCOMES, shown, strict=True))


def _per_day(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    st.html(parts.card_title("Outcomes", "Conversations by the day they began", metrics.help_text("outcomes")))
    with states.reading(270):
        rows = data.outcomes_per_day(looking.tenant_id, choice.period)
    if not any(row["episode_count"] for row in rows):
        states.empty("No conversation began in this period", "Choose a longer period.")
        return
    palette = shell.palette()
    figure = charts.outcomes(
        rows,
        order=colours(palette),
        period_dates=list(choice.period.dates()),
        palette=palette,
        marks=timeline_notes.marks(looking, choice),
        height=270,
    )
    curve: list[int] = []
    day = shell.clicked(figure, "outcomes", alt="Stacked bars: conversations a day by outcome.", curves=curve)
    if day:
        outcome = list(colours(palette))[curve[0]]
        title = f"{wording.words(outcome)} on {wording.day(day.since)}"
        found = behind.episodes(looking, day, title=title, outcome=outcome)
        behind.open_dialog(looking, found, day, at=at, renews="outcomes")


def _totals(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    rate = data.overview_kpis(looking.tenant_id, choice.period)["auto_resolution_rate"]
    told = "Of conversations the agent took part in" if rate is None else _of_taken(rate) + _compared(looking, choice)
    st.html(parts.card_title("Resolved without help", told, metrics.help_text("auto_resolution")))
    rows = data.outcomes(looking.tenant_id, choice.period)
    total = sum(row["episode_count"] for row in rows)
    if not total:
        states.empty("No outcome yet", "How many needed nobody, and how the others went, stands here.")
        return
    before = data.outcomes(looking.tenant_id, choice.previous) if choice.previous else []
    earlier = {row["outcome"]: row["episode_count"] for row in before}
    shown = colours(shell.palette())
    for row in sorted(rows, key=lambda row: _OUTCOMES.index(row["outcome"])):
        name = wording.words(row["outcome"])
        share = wording.share(row["episode_count"] / total, digits=0)
        drawn, is_pressed = shell.covered(row["outcome"], f"{name}: which conversations")
        change = wording.change(row["episode_count"], earlier.get(row["outcome"]))
        drawn.html(
            parts.shared(
                parts.swatch(name, shown[row["outcome"]]), row["episode_count"], share, change=tiles.delta(change)
            )
        )
        if is_pressed:
            found = behind.episodes(looking, choice.period, title=name, outcome=row["outcome"])
            behind.open_dialog(looking, found, choice.period, at=at)


def _of_taken(rate: float) -> str:
    return f"{wording.share(rate)} of conversations the agent took part in"


def _compared(looking: Viewer, choice: Choice) -> str:
    """The rate of the period before, while comparing."""
    if choice.previous is None:
        return ""
    rate = data.overview_kpis(looking.tenant_id, choice.previous)["auto_resolution_rate"]
    return f", {wording.share(rate)} before" if rate is not None else ""


def _episodes(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(parts.card_title("All conversations", "Newest first. Select a row to read the chat"), width="content")
        outcome = st.selectbox(
            "Outcome",
            _OUTCOMES,
            index=None,
            format_func=wording.words,
            placeholder="Every outcome",
            key="outcome",
            bind="query-params",
            label_visibility="collapsed",
            width=190,
        )
    found = [_with_reason(row) for row in data.episodes(looking.tenant_id, choice.period, outcome=outcome)]
    rows = people.named(looking, found)
    if not rows:
        states.empty("No conversation matches", "Choose another outcome or a longer period.")
        return
    chosen = _table(rows, timezone=looking.timezone)
    exports.of_page(looking, "conversations", sheets.conversations(looking, choice, rows), choice.period)
    if chosen is not None:
        people.open_contact(looking, rows[chosen]["contact_id"], at=at, renews="episodes")


def _with_reason(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"reason": wording.words(row["handoff_reason"]) if row["handoff_reason"] else ""}


def _table(rows: data.Rows, *, timezone: str) -> int | None:
    """The row somebody selected, if any."""
    shown = [
        {
            "Contact": row["name"],
            "Began": row["started_at"],
            "Outcome": wording.words(row["outcome"]),
            "Reason": row["reason"],
            "Messages": row["message_count"],
            "First reply": _told(row["first_response_ms"]),
            "Resolved in": _told(row["resolution_ms"]),
            "Language": wording.language(row["language"]) if row["language"] else "",
        }
        for row in rows
    ]
    column = st.column_config
    selected = st.dataframe(
        shown,
        hide_index=True,
        height=352,
        row_height=34,
        key=shell.renewed("episodes"),
        on_select="rerun",
        selection_mode="single-row",
        alt=f"Table of {len(rows)} conversations with outcome, reason and times.",
        column_config={
            "Reason": column.TextColumn(width=150),
            "Began": column.DatetimeColumn(format="D MMM, HH:mm", timezone=timezone, width=120),
            "Messages": column.NumberColumn(width="small"),
            "Language": column.TextColumn(width="small"),
        },
    )
    found = selected["selection"]["rows"]
    return int(found[0]) if found else None


def _told(milliseconds: float | None) -> str:
    return "" if milliseconds is None else wording.seconds(milliseconds)
