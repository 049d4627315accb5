"""The WhatsApp numbers of a workspace: whether each is connected, how that came and went, and its pace."""

from datetime import datetime
from typing import Any

import streamlit as st

from dashboards import parts, states, wording
from dashboards.parts import Column
from dashboards.setup import data
from dashboards.viewer import Viewer

_TONES: dict[str, parts.Tone] = {"WORKING": "good", "STARTING": "warn", "SCAN_QR_CODE": "warn"}
_TOLD = {
    "WORKING": "connected",
    "STARTING": "starting",
    "SCAN_QR_CODE": "waits to be paired",
    "STOPPED": "stopped",
    "FAILED": "failed",
}


def show(looking: Viewer, *, at: datetime) -> None:
    """One card a number, the newest first."""
    st.html(parts.page_title("Numbers", "Each is a session of the WhatsApp gateway"))
    rows = data.numbers(looking.tenant_id)
    if not rows:
        with st.container(border=True, key="card-numbers"):
            states.empty(
                "No number yet",
                "Connect one with mychatflow instance create, or POST /api/v1/instances.",
            )
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
            "Restricted": f"until {wording.clock(restricted, looking.timezone)}" if restricted else "no",
        }
        st.html(parts.facts(facts))
    with right:
        st.html(parts.card_title("Connection", "How it came and went"))
        changes = data.connection_changes(looking.tenant_id, row["id"])
        if not changes:
            states.empty("Nothing happened yet", "Changes of the session are listed here.")
            return
        columns = [Column(title=name) for name in ("When", "From", "To")]
        cells = [
            (
                wording.ago(change["at"], at=at),
                wording.escaped(_told(change["previous"])),
                _state(change["session_status"]),
            )
            for change in changes[:6]
        ]
        st.html(parts.table(columns, cells, label=f"Connection of {row['name']}"))


def _told(status: str | None) -> str:
    return _TOLD.get(status or "STOPPED", str(status).lower())


def _state(status: str | None) -> str:
    return parts.status(_told(status), _TONES.get(status or "STOPPED", "bad"))
