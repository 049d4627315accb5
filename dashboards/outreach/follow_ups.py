"""What is written to people who fell silent: each sequence with its messages and results, and every run explained."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards import behind, exports, parts, people, shell, states, wording
from dashboards import data as shared
from dashboards.behind import Behind, Fact
from dashboards.outreach import audience, data, sequence_form, sequences
from dashboards.outreach.data import Rows
from dashboards.viewer import Viewer

_PARTS = ("Sequences", "Runs")
_SHOWN = 20
_COLUMNS = ("name", "phone", "sequence", "state", "reason", "sent_count", "started_at")
_STATES = {"running": "Running", "finished": "Finished", "cancelled": "Ended early", "held_out": "Held out"}
_TONES: dict[str, parts.Tone] = {"sent": "good", "due": "warn", "scheduled": "warn", "failed": "bad"}
_REASONS = {
    "customer_wrote": "the customer wrote",
    "human_wrote": "a colleague wrote",
    "handed_off": "a person has the chat",
    "opted_out": "the customer said stop",
    "booked": "the customer booked",
    "sequence_inactive": "the sequence was switched off",
    "too_many_unanswered": "three messages in a row stayed unanswered",
    "session_window_closed": "the window for free messages had closed",
    "too_late": "it was too late for it",
    "condition_not_met": "its condition did not hold",
    "invalid_template": "its text could not be filled in",
    "quiet_hours": "waits for the end of the quiet hours",
    "not_connected": "waits for the number to be connected",
    "cancelled_by_person": "a colleague ended it",
    "due": "as planned",
    "sent": "every message went out",
    "control group": "held out, for comparison",
}


def show(looking: Viewer, *, at: datetime) -> None:
    """The sequences, or whom they run for; the address says which."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(
            parts.page_title("Follow-ups", "Written to people who fell silent, until they answer or a person steps in"),
            width="content",
        )
        if st.button("New sequence", type="primary", icon=":material/add:", key="new-sequence"):
            sequence_form.open_for(looking, None)
    chosen = st.segmented_control(
        "Part", _PARTS, default=_PARTS[0], required=True, key="part", bind="query-params", label_visibility="collapsed"
    )
    rows = data.sequences(looking.tenant_id)
    if not rows:
        states.card(
            "empty",
            "No sequence yet",
            "A friendly question a day after an answer that stayed unanswered brings many back. Write one above.",
        )
    elif chosen == "Runs":
        with st.container(border=True, key="card-runs"):
            _runs(looking, rows, at=at)
    else:
        for row in rows[:_SHOWN]:
            with st.container(border=True, key=f"card-sequence-{row['id']}"):
                _sequence(looking, row, at=at)


def _sequence(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    mark: UUID = row["id"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(parts.card_title(row["name"], _about(row)), width="content")
        with st.container(horizontal=True, width="content", gap="small", vertical_alignment="center"):
            # Keyed by what is stored, so that a colleague's switch shows here too.
            st.toggle(
                "On",
                row["is_active"],
                key=shell.keyed("sequence", mark, row["is_active"]),
                on_change=_switch,
                args=(looking, row),
            )
            st.button("Its runs", key=f"runs-{mark}", type="tertiary", on_click=_show_runs, args=(mark,))
            if st.button("Edit", icon=":material/edit:", key=f"edit-{mark}"):
                sequence_form.open_for(looking, row)
    left, right = st.columns([1.6, 1])
    left.html(parts.timeline([_planned(step) for step in row["steps"]]))
    with right:
        pressed = behind.pressed_fact(_results(row["results"]), key=str(mark))
    if pressed:
        read = partial(data.runs_behind, looking.tenant_id, mark, pressed.part)
        counted = "messages" if pressed.part == "messages_sent" else "runs"
        behind.open_dialog(looking, Behind(title=pressed.name, counted=counted, rows=read), None, at=at)


def _show_runs(sequence_id: UUID) -> None:
    """The people behind the results: the other part of the page, with that sequence chosen."""
    st.session_state["part"], st.session_state["runs-of"] = "Runs", sequence_id


def _switch(looking: Viewer, row: dict[str, Any]) -> None:
    sequences.switch(looking, row["id"], is_active=not row["is_active"])


def _about(row: dict[str, Any]) -> str:
    begins = "After an answer that stays unanswered" if row["trigger"] == "silence" else "Started by hand"
    quiet = f"quiet {row['quiet_from']:%H:%M} to {row['quiet_until']:%H:%M}"
    return f"{begins} · {quiet if row['quiet_from'] != row['quiet_until'] else 'at any hour'}"


def _planned(step: dict[str, Any]) -> tuple[str, str, str, parts.Tone]:
    condition = f" (only {audience.told(step['condition'])})" if step["condition"] else ""
    waits = "after" if step["step"] == 1 else "then after"
    return f"{waits} {sequence_form.delay(step['delay_minutes'])}", "", f"{step['template']}{condition}", "good"


def _results(found: dict[str, Any]) -> list[Fact]:
    """The last line says what it brought, or why nobody can know yet."""
    lift, treated = found["lift"], found["treated"]
    share = f" ({wording.share(found['treated_replied'] / treated, digits=0)})" if treated else ""
    back = f"{found['treated_replied']:,} of {treated:,}{share}"
    told = [
        Fact(name="Running now", value=f"{found['running']:,}", part="running"),
        Fact(name="Messages sent", value=f"{found['messages_sent']:,}", part="messages_sent"),
        Fact(name="Wrote back within 7 days", value=back, part="treated_replied"),
    ]
    if lift is None:
        return [*told, Fact(name="Brought by it", value="not measured: nobody was held out")]
    chosen = f"{wording.share(lift.treated_rate, digits=0)} of {found['assigned']:,} chosen"
    unprompted = f"{wording.share(lift.held_out_rate, digits=0)} of {found['held_out']:,} held out"
    return [
        *told,
        Fact(name="Wrote within 7 days of the start", value=chosen, part="assigned_replied"),
        Fact(name="Wrote unprompted", value=unprompted, part="held_out_replied"),
        Fact(
            name="Brought by it",
            value=wording.points(lift),
            explained="The first of these two rates less the second; open those.",
        ),
    ]


def _runs(looking: Viewer, rows: Rows, *, at: datetime) -> None:
    names = wording.told_apart({row["id"]: row["name"] for row in rows})
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(parts.card_title("Runs", "One row a person, the latest first. Select one for every step and reason"))
        with st.container(horizontal=True, width="content", gap="small", vertical_alignment="bottom"):
            sequence_id = st.selectbox(
                "Sequence",
                list(names),
                index=None,
                format_func=names.__getitem__,
                placeholder="Every sequence",
                label_visibility="collapsed",
                width=220,
                key="runs-of",
            )
            state = st.pills("State", list(_STATES), format_func=_STATES.__getitem__, label_visibility="collapsed")
    found = people.named(looking, data.runs(looking.tenant_id, sequence_id, state))
    if not found:
        states.empty("No run matches", "A run begins when somebody stays silent for as long as the first message says.")
        return
    chosen = _table(found, timezone=looking.timezone)
    told = [row | {"sent_count": _sent(row)} for row in found]
    exports.menu(looking, told, columns=_COLUMNS, file="runs")
    if chosen is not None:
        dialog = st.dialog(shell.plain(found[chosen]["name"]), width="large", on_dismiss=partial(shell.renew, "runs"))
        dialog(partial(_run, looking, found[chosen], at=at))()


def _table(rows: Rows, *, timezone: str) -> int | None:
    column = st.column_config
    selected = st.dataframe(
        [
            {
                "Contact": row["name"],
                "Sequence": row["sequence"],
                "State": _STATES[row["state"]],
                "Because": _because(row["reason"]),
                "Sent": _sent(row),
                "Started": row["started_at"],
            }
            for row in rows
        ],
        hide_index=True,
        height=430,
        row_height=34,
        key=shell.renewed("runs"),
        on_select="rerun",
        selection_mode="single-row",
        alt=f"Table of {len(rows)} runs with contact, sequence, state and reason.",
        column_config={
            "Sent": column.NumberColumn(width=60, help="Messages of the sequence that went out."),
            "Started": column.DatetimeColumn(format="D MMM, HH:mm", timezone=timezone),
        },
    )
    found = selected["selection"]["rows"]
    return int(found[0]) if found else None


def _sent(row: dict[str, Any]) -> int:
    return sum(step["state"] == "sent" for step in row["steps"])


def _run(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    st.html(
        parts.card_title(row["sequence"], f"Version {row['version']}, began {wording.ago(row['started_at'], at=at)}")
    )
    steps = [_step(step, looking.timezone) for step in row["steps"]]
    if steps:
        st.html(parts.timeline(steps))
    else:
        states.empty(
            "Nothing was planned", "Whoever is held out gets no message; their silence is what we compare with."
        )
    if row["ended_at"]:
        st.caption(f"{_STATES[row['state']]} {wording.ago(row['ended_at'], at=at)}: {_because(row['reason'])}.")
    with st.container(horizontal=True):
        is_stopped = row["state"] == "running" and st.button("Write no more", key="cancel-run")
        if is_stopped and sequences.cancel_run(looking, row["id"]):
            shell.renew("runs")
            st.rerun()
        if st.button("Read the chat", type="tertiary", key="read-chat"):
            contact = shared.people(looking.tenant_id, (row["contact_id"],)).get(row["contact_id"])
            people.one(looking, row["contact_id"], contact, at=at)


def _step(step: dict[str, Any], timezone: str) -> tuple[str, str, str, parts.Tone]:
    when = datetime.fromisoformat(step["decided_at"] or step["due_at"])
    word = wording.words(step["state"])
    told = f"message {step['step']}: {_because(step['reason'])}"
    return wording.clock(when, timezone), word, told, _TONES.get(step["state"], "quiet")


def _because(reason: str | None) -> str:
    return _REASONS.get(reason or "", wording.words(reason).lower() if reason else "")
