"""Who is worth a call: the way from first message to booking, leads by grade, and each score explained."""

from datetime import datetime
from functools import partial

import streamlit as st

from dashboards import behind, charts, data, exports, filters, parts, people, shell, states, tiles, wording
from dashboards.behind import Behind
from dashboards.filters import Choice
from dashboards.tenant import sheets
from dashboards.viewer import Viewer
from warehouse import metrics

_STAGES = {
    "wrote": "Wrote to us",
    "replied": "Got a reply",
    "engaged": "Engaged",
    "qualified": "Qualified",
    "booked": "Booked",
}
_GRADES = ("A", "B", "C", "D", "F")
_SHOWN = 500
_MOST = 10_000


def show(looking: Viewer, *, at: datetime) -> None:
    """Funnel and grades first, then the people, then one person."""
    choice = filters.head(
        looking,
        "Leads",
        "From first message to booking",
        page="leads",
        at=at,
        updated=data.as_of(looking.tenant_id),
    )
    left, right = st.columns([1.5, 1])
    with left.container(border=True, height="stretch", key="card-funnel"):
        _funnel(looking, choice, at=at)
    with right.container(border=True, height="stretch", key="card-grades"):
        _grades(looking)
    with st.container(border=True, key="card-contacts"):
        _contacts(looking, choice, at=at)


def _funnel(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    st.html(
        parts.card_title(
            "Lead funnel",
            "Contacts that reached each step, and the share kept. Click a step to see them",
            metrics.help_text("lead_funnel"),
        )
    )
    with states.reading(250):
        rows = data.lead_funnel(looking.tenant_id, choice.period)
    if not rows or not rows[0]["contact_count"]:
        states.empty("Nobody wrote in this period", "The way to a booking appears with the first customers.")
        return
    steps = parts.funnel(
        [(_STAGES[row["stage"]], row["contact_count"]) for row in rows], _changes(looking, choice, rows)
    )
    for row, step in zip(rows, steps, strict=True):
        drawn, is_pressed = shell.covered(row["stage"], f"{_STAGES[row['stage']]}: who they are")
        drawn.html(step)
        if is_pressed:
            found = Behind(
                title=_STAGES[row["stage"]],
                counted="messages",
                rows=partial(_reached, looking, choice, row["stage"]),
            )
            behind.open_dialog(looking, found, choice.period, at=at)


def _changes(looking: Viewer, choice: Choice, rows: data.Rows) -> list[str | int | None]:
    """Of each step against the period before, while comparing."""
    if choice.previous is None:
        return []
    before = {row["stage"]: row["contact_count"] for row in data.lead_funnel(looking.tenant_id, choice.previous)}
    return [tiles.delta(wording.change(row["contact_count"], before.get(row["stage"]))) for row in rows]


def _reached(looking: Viewer, choice: Choice, stage: str) -> data.Rows:
    """Who came at least that far, in the shape of every list behind a number."""
    order = list(_STAGES)
    rows = data.lead_list(looking.tenant_id, choice.period, grade=None, limit=_MOST)
    return [
        {
            "contact_id": row["contact_id"],
            "event_count": row["message_count"],
            "slowest_ms": None,
            "cost_usd": None,
            "last_at": row["last_message_at"],
        }
        for row in rows
        if order.index(row["stage"]) >= order.index(stage)
    ]


def _grades(looking: Viewer) -> None:
    st.html(
        parts.card_title(
            "Lead grades",
            "A is hot (80 to 100), F is inactive. Click a bar to filter the list",
            metrics.help_text("lead_grades"),
        )
    )
    rows = data.grades(looking.tenant_id)
    if not any(row["contact_count"] for row in rows):
        states.empty("No leads yet", "Each contact gets a grade with the first message.")
        return
    figure = charts.grades(rows, palette=shell.palette(), chosen=st.session_state.get("grade"))
    told = ", ".join(f"{row['grade']} {row['contact_count']:,}" for row in rows)
    points = shell.pointed(figure, "grades", alt=f"Bar chart of leads by grade: {told}.")
    if points:
        _take_grade(str(points[0]["x"]))


def _take_grade(grade: str) -> None:
    """A click on a bar sets the same filter as the control above the list; a second click clears it."""
    st.session_state["grade"] = None if grade == st.session_state.get("grade") else grade
    shell.renew("grades")
    st.rerun()


def _contacts(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(
            parts.card_title(
                "Contacts",
                "Who wrote in this period, most recent first. Select a row to read the chat",
                metrics.help_text("lead_score"),
            ),
            width="content",
        )
        with st.container(horizontal=True, width="content", gap="small", vertical_alignment="center"):
            grade = st.pills("Grade", _GRADES, key="grade", bind="query-params", label_visibility="collapsed")
            wanted = st.text_input("Search", key="search", placeholder="Name", label_visibility="collapsed", width=170)
    with states.reading(367):
        # A name is sought among everybody, not among the newest alone.
        limit = _MOST if wanted else _SHOWN
        rows = people.named(looking, data.lead_list(looking.tenant_id, choice.period, grade=grade, limit=limit))
    rows = [row for row in rows if (wanted or "").casefold() in row["name"].casefold()][:_SHOWN]
    if not rows:
        if grade or wanted:
            states.empty("Nobody matches", "Clear the grade or the name, or choose a longer period.")
        else:
            states.empty("Nobody wrote in this period", "Choose a longer one.")
        return
    chosen = _table(rows, timezone=looking.timezone)
    exports.of_page(looking, "leads", sheets.leads(looking, choice, rows), choice.period)
    if chosen is not None:
        people.open_contact(looking, rows[chosen]["contact_id"], at=at, renews="contacts")


def _table(rows: data.Rows, *, timezone: str) -> int | None:
    """The row somebody selected, if any."""
    shown = [
        {
            "Contact": row["name"],
            "Phone": row["phone"],
            "Grade": [row["grade"]],
            "Score": row["score"],
            "Stage": _STAGES[row["stage"]],
            "Weeks": row["week_count"],
            "Last message": row["last_message_at"],
            "Activity": row["activity"],
        }
        for row in rows
    ]
    palette = shell.palette()
    column = st.column_config
    selected = st.dataframe(
        shown,
        hide_index=True,
        height=318,
        row_height=34,
        key=shell.renewed("contacts"),
        on_select="rerun",
        selection_mode="single-row",
        alt=f"Table of {len(rows)} contacts with grade, score, stage and last message.",
        column_config={
            "Contact": column.TextColumn(width=150),
            "Phone": column.TextColumn(width=130),
            "Grade": column.MultiselectColumn(
                width=60,
                options=list(_GRADES),
                color=[palette.primary, *reversed(palette.heat[2:4]), palette.grey, palette.previous],
            ),
            "Score": column.ProgressColumn(min_value=0, max_value=100, format="%d", width=150),
            "Stage": column.TextColumn(width=90),
            "Weeks": column.NumberColumn(width=60, help="Weeks of this period with a message."),
            "Last message": column.DatetimeColumn(format="distance", timezone=timezone, width=125),
            "Activity": column.AreaChartColumn(width=120, y_min=0, help="Messages a week, the last eight weeks."),
        },
    )
    found = selected["selection"]["rows"]
    return int(found[0]) if found else None
