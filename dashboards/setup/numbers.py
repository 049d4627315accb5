"""The WhatsApp numbers of a workspace: whether each is connected, how that came and went, and its pace."""

from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

import streamlit as st

from dashboards import forms, parts, states, wording
from dashboards.parts import Column
from dashboards.setup import data, pairing
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission

_TONES: dict[str | None, parts.Tone] = {None: "warn", "WORKING": "good", "STARTING": "warn", "SCAN_QR_CODE": "warn"}
_FASTEST: Final = 6_000
# A number that was never started has no state at all.
_TOLD = {
    None: "Not paired yet",
    "WORKING": "Connected",
    "STARTING": "Starting",
    "SCAN_QR_CODE": "Waits to be paired",
    "STOPPED": "Stopped",
    "FAILED": "Failed",
}


def show(looking: Viewer, *, at: datetime) -> None:
    """One card a number, the newest first."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(parts.page_title("Numbers", "Pair a phone once; its chats are answered from then on"), width="content")
        if st.button("New number", type="primary", icon=":material/add:", key="new-number"):
            pairing.add(looking)
    rows = data.numbers(looking.tenant_id)
    if not rows:
        with st.container(border=True, key="card-numbers"):
            states.empty("No number yet", "Add one above, then scan a code with its phone. It takes a minute.")
        return
    for row in rows:
        with st.container(border=True, key=f"card-number-{row['id']}"):
            _number(looking, row, at=at)


def _number(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    left, right = st.columns(2)
    with left:
        st.html(parts.card_title(row["name"], f"Session {row['session']} · engine {row['engine']}"))
        st.html(_state(row["session_status"]))
        restricted = row.get("restricted_until")
        facts = {
            "Phone": wording.phone(row["phone_number"]),
            "Pace": f"{row['sends_per_minute']} messages a minute",
            "Restricted by WhatsApp": f"until {wording.clock(restricted, looking.timezone)}" if restricted else "no",
            "Last heard of": wording.ago(row["last_event_at"], at=at),
        }
        st.html(parts.facts(facts))
        _actions(looking, row)
    with right:
        st.html(parts.card_title("Connection", "How it came and went, and how long each state lasted"))
        changes = data.connection_changes(looking.tenant_id, row["id"])
        if not changes:
            states.empty("Nothing happened yet", "Changes of the session are listed here.")
            return
        columns = [Column(title=name) for name in ("Since", "State", "Lasted")]
        cells = [
            (wording.escaped(since), _state(status), wording.escaped(lasted))
            for since, status, lasted in pairing.history(changes, timezone=looking.timezone, at=at)[:6]
        ]
        st.html(parts.table(columns, cells, label=f"Connection of {row['name']}"))


def _actions(looking: Viewer, row: dict[str, Any]) -> None:
    if not looking.permits(Permission.MANAGE_INSTANCES):
        return
    is_working = row["session_status"] == "WORKING"
    with st.container(horizontal=True):
        label = "Start again" if is_working else "Pair the phone"
        kind: Literal["primary", "secondary"] = "secondary" if is_working else "primary"
        if st.button(label, type=kind, icon=":material/qr_code_2:", key=f"pair-{row['id']}"):
            pairing.pair(looking, row)
        _pace(looking, row)
        if is_working:
            with st.popover("Stop", type="tertiary", key=f"stopping-{row['id']}"):
                st.caption("Nobody is answered at this number until it is started again. The pairing stays.")
                st.button("Stop the number", key=f"stop-{row['id']}", on_click=pairing.stop, args=(looking, row))


def _pace(looking: Viewer, row: dict[str, Any]) -> None:
    field = f"pace-{row['id']}"
    with st.popover("Pace", type="tertiary", key=f"pacing-{row['id']}"):
        forms.number("Messages a minute", 1, _FASTEST, row["sends_per_minute"], key=field)
        st.caption("WhatsApp restricts numbers that write too fast: 60 is safe for most. Holds from the next message.")
        st.button(
            "Save the pace",
            key=f"save-{field}",
            on_click=forms.attempt,
            args=(partial(pairing.pace, looking, row, field),),
        )


def _told(status: str | None) -> str:
    return _TOLD[status] if status in _TOLD else wording.words(str(status))


def _state(status: str | None) -> str:
    return parts.status(_told(status), _TONES.get(status, "bad"))
