"""The week's appointments as a calendar, and what a colleague does with one: move it, cancel it, say how it went."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards import forms, parts, people, shell, states, toasts, wording
from dashboards.booking import changing, data, new_appointment
from dashboards.booking.data import Rows
from dashboards.viewer import Viewer

_WEEK = timedelta(days=7)
_OF_A_DAY = 8
_TONES: dict[str, parts.Tone] = {"booked": "good", "held": "warn", "no_show": "bad"}
_TOLD = {"no_show": "Did not come", "held": "Held for five minutes", "completed": "Kept", "expired": "Not confirmed"}


def show(looking: Viewer, *, at: datetime) -> None:
    """Monday to Sunday in the workspace's time; earlier and later weeks by the arrows."""
    zone = wording.zone(looking.timezone)
    today = at.astimezone(zone).date()
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(parts.page_title("Appointments", "What customers and colleagues booked"), width="content")
        with st.container(horizontal=True, width="content", gap="small"):
            monday = _chosen_week(today)
            new_appointment.button(looking, at=at)
    since, until = (datetime.combine(day, time(), tzinfo=zone) for day in (monday, monday + _WEEK))
    rows = people.named(looking, data.booked(looking.tenant_id, since=since, until=until, at=at))
    standing = [row for row in rows if row["status"] not in {"cancelled", "expired"}]
    told = wording.counted(len(standing), "appointment", "appointments")
    with st.container(border=True, key="card-week"):
        st.html(parts.card_title(wording.span(monday, monday + _WEEK), f"{told} this week"))
        st.html(week(standing, monday, today=today, timezone=looking.timezone))
    with st.container(border=True, key="card-appointments"):
        st.html(parts.card_title("One by one", "Select one to move it, to cancel it or to say how it went"))
        if not rows:
            states.empty("Nothing is booked this week", "Customers book in the chat as soon as a service is offered.")
            return
        chosen = _table(rows, timezone=looking.timezone)
    if chosen is not None:
        row = rows[chosen]
        forms.opened(f"{row['service']} with {row['name']}", partial(_one, looking, row, at=at), renews="appointments")


def week(rows: Sequence[dict[str, Any]], monday: date, *, today: date, timezone: str) -> str:
    """Seven columns, on a phone seven rows; everything people wrote is escaped."""
    zone = wording.zone(timezone)
    columns = []
    for ahead in range(7):
        day = monday + timedelta(days=ahead)
        entries = [_entry(row, timezone) for row in rows if row["starts_at"].astimezone(zone).date() == day]
        name = f"{wording.WEEKDAYS[ahead]} {day.day}"
        more = f"<p>{len(entries) - _OF_A_DAY} more below</p>" if len(entries) > _OF_A_DAY else ""
        mark = ' class="today"' if day == today else ""
        columns.append(f"<section{mark}><h3>{name}</h3>{''.join(entries[:_OF_A_DAY]) or '<p>–</p>'}{more}</section>")
    return f'<div class="mcf-week">{"".join(columns)}</div>'


def _entry(row: dict[str, Any], timezone: str) -> str:
    start = wording.clock(row["starts_at"], timezone, with_date=False)
    tone = _TONES.get(row["status"], "quiet")
    # To stand or to have been kept is the usual; everything else is said in words, too.
    usual = row["status"] in {"booked", "completed"}
    state = "" if usual else f"<small>{wording.escaped(_told(row['status']))}</small>"
    return (
        f'<div class="mcf-entry mcf-{tone}"><b>{start}</b> {wording.escaped(row["service"])}'
        f"<small>{wording.escaped(row['name'])} · {wording.escaped(row['resource'])}</small>{state}</div>"
    )


def _chosen_week(today: date) -> date:
    """The Monday of the week on screen, counted from this one, so that the address stays right tomorrow."""
    with st.container(horizontal=True, width="content", gap="small", vertical_alignment="center"):
        steps = int(st.session_state.get("week", 0))
        st.button("Earlier", icon=":material/chevron_left:", key="earlier", on_click=_step, args=(-1,))
        st.button("This week", key="this-week", on_click=_step, args=(0,), disabled=steps == 0)
        st.button("Later", icon=":material/chevron_right:", key="later", on_click=_step, args=(1,))
    return today - timedelta(days=today.weekday()) + steps * _WEEK


def _step(by: int) -> None:
    st.session_state["week"] = int(st.session_state.get("week", 0)) + by if by else 0


def _table(rows: Rows, *, timezone: str) -> int | None:
    column = st.column_config
    selected = st.dataframe(
        [
            {
                "When": row["starts_at"],
                "Contact": row["name"],
                "Service": row["service"],
                "With": row["resource"],
                "State": _told(row["status"]),
            }
            for row in rows
        ],
        hide_index=True,
        height="content" if len(rows) <= 10 else 380,
        row_height=34,
        key=shell.renewed("appointments"),
        on_select="rerun",
        selection_mode="single-row",
        alt=f"Table of {len(rows)} appointments.",
        column_config={"When": column.DatetimeColumn(format="ddd D MMM, HH:mm", timezone=timezone)},
    )
    found = selected["selection"]["rows"]
    return int(found[0]) if found else None


def _one(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    st.html(parts.chip(_told(row["status"]), _TONES.get(row["status"], "quiet")))
    st.html(parts.facts(_facts(row)))
    mark: UUID = row["id"]
    if row["status"] != "booked":
        return
    if row["starts_at"] <= at:
        with st.container(horizontal=True):
            kept = partial(changing.close, looking, mark, "completed")
            forms.button("They came", kept, key="completed", kind="primary")
            forms.button("They did not come", partial(changing.close, looking, mark, "no_show"), key="no-show")
        return
    free = new_appointment.told(data.free(looking.tenant_id, row["service_id"], at=at, but_id=mark))
    st.selectbox(
        "Another time",
        list(free),
        index=None,
        format_func=free.__getitem__,
        placeholder="Free times of the next four weeks" if free else "Nothing is free in the next four weeks",
        key="slot",
    )
    st.text_input("Reason, when you cancel", max_chars=200, key="cancel-reason", placeholder="Only colleagues see it")
    st.toggle("Tell the customer on WhatsApp", value=True, key="tells")
    with st.container(horizontal=True):
        forms.button("Move it", partial(_move, looking, mark), key="move", kind="primary", disabled=not free)
        forms.button("Cancel it", partial(_cancel, looking, mark), key="cancel-appointment")


def _move(looking: Viewer, appointment_id: UUID) -> bool:
    slot_id = forms.value("slot")
    if not slot_id:
        toasts.refused("choose another time first.")
        return False
    return changing.move(looking, appointment_id, slot_id, tells=bool(forms.value("tells")))


def _cancel(looking: Viewer, appointment_id: UUID) -> bool:
    reason = forms.typed("cancel-reason")
    return changing.cancel(looking, appointment_id, reason=reason, tells=bool(forms.value("tells")))


def _facts(row: dict[str, Any]) -> dict[str, str]:
    start, end = (wording.clock(row[name], row["timezone"], with_date=name == "starts_at") for name in _SPAN)
    facts = {"When": f"{start} to {end} ({row['timezone']})", "With": row["resource"], "Phone": row["phone"]}
    if row["cancelled_at"]:
        facts["Cancelled"] = row["cancel_reason"] or "no reason given"
    return facts


_SPAN = ("starts_at", "ends_at")


def _told(status: str) -> str:
    return _TOLD.get(status, wording.words(status))
