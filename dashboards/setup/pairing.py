"""Pairing a number: its session is started, the code is scanned with the phone, and the page waits until it works."""

import base64
import re
from datetime import datetime
from functools import partial
from typing import Any, Final

import streamlit as st

from dashboards import api, forms, parts, shell, states, toasts, wording
from dashboards.api import ApiRefused
from dashboards.setup import data
from dashboards.viewer import Viewer

# A code is good for about twenty seconds; the gateway gives the newest.
_REFRESH: Final = "5s"
_PICTURE: Final = ("image/png", "image/jpeg")


def add(looking: Viewer) -> None:
    """A number of the workspace, not paired yet."""
    forms.opened("A new number", partial(_form, looking))


def pair(looking: Viewer, row: dict[str, Any]) -> None:
    """Start the session and show its code."""
    st.dialog(f"Pair {shell.plain(row['name'])}", width="small")(partial(_pair, looking, row))()


def stop(looking: Viewer, row: dict[str, Any]) -> None:
    _told(looking, f"/instances/{row['id']}/stop")


def pace(looking: Viewer, row: dict[str, Any], field: str) -> bool:
    """How many messages a minute leave the number. Raises NotDone."""
    try:
        api.ask(looking, "PATCH", f"/instances/{row['id']}", {"sends_per_minute": forms.value(field)})
    except ApiRefused as refused:
        toasts.refused(refused)
        return False
    toasts.done("Saved: it holds from the next message on.")
    return True


def _form(looking: Viewer) -> None:
    st.text_input("Name", max_chars=200, key="number-name", placeholder="Reception", help="Only your team sees it.")
    st.caption("Then scan a code with the phone, as for WhatsApp Web. Nothing is sent before that.")
    forms.button("Add the number", partial(_add, looking), key="add-number", kind="primary")


def _add(looking: Viewer) -> bool:
    name = forms.typed("number-name")
    if not name:
        toasts.refused("a number needs a name.")
        return False
    try:
        api.ask(looking, "POST", "/instances", {"name": name, "session": session_name(looking, name)})
    except ApiRefused as refused:
        toasts.refused(refused)
        return False
    return True


def session_name(looking: Viewer, name: str) -> str:
    """What the gateway calls it: letters and digits, and apart from the numbers of every other workspace."""
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold().encode("ascii", "ignore").decode()).strip("-")[:40]
    return f"{words or 'number'}-{str(looking.tenant_id)[:8]}"


def _pair(looking: Viewer, row: dict[str, Any]) -> None:
    st.caption("On the phone: WhatsApp, Settings, Linked devices, Link a device. Then point it here.")
    if not st.session_state.get(f"pairing-{row['id']}"):
        st.session_state[f"pairing-{row['id']}"] = True
        _told(looking, f"/instances/{row['id']}/start")
    states.live(partial(_code, looking, row), every=_REFRESH)


def _code(looking: Viewer, row: dict[str, Any]) -> None:
    """The newest code, until the gateway says that the number works."""
    number = next((each for each in data.numbers(looking.tenant_id) if each["id"] == row["id"]), row)
    if number["session_status"] == "WORKING":
        st.html(parts.state("empty", "Connected", "Messages to this number are answered from now on."))
        st.session_state.pop(f"pairing-{row['id']}", None)
        return
    try:
        found = api.ask(looking, "GET", f"/instances/{row['id']}/qr")
    except ApiRefused as refused:
        sentence = "It starts, which takes a few seconds." if refused.code == "gateway_not_ready" else str(refused)
        states.empty("No code yet", sentence)
        return
    if found["mimetype"] in _PICTURE:
        st.image(base64.b64decode(found["data"]), width=300, caption="A new code every few seconds")


def _told(looking: Viewer, path: str) -> None:
    try:
        api.ask(looking, "POST", path)
    except ApiRefused as refused:
        toasts.refused(refused, what="Not done")


def history(changes: data.Rows, *, timezone: str, at: datetime) -> list[tuple[str, str, str]]:
    """Since when, which state and for how long, the newest first."""
    ends = [at, *(change["at"] for change in changes)]
    return [
        (wording.clock(change["at"], timezone), change["session_status"], wording.age(end - change["at"]))
        for change, end in zip(changes, ends, strict=False)
    ]
