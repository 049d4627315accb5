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
# In pixels: a phone reads it at arm's length, and it fits into the narrowest window.
_SIZE: Final = 288
# WhatsApp gives up after some minutes of codes that nobody scanned.
_ENDED: Final = {"FAILED", "STOPPED"}
_PASSKEYS: Final = {"PASSKEY_REQUIRED", "PASSKEY_CONFIRMATION_REQUIRED"}


def add(looking: Viewer) -> None:
    """A number of the workspace, not paired yet."""
    forms.opened("A new number", partial(_form, looking))


def pair(looking: Viewer, row: dict[str, Any]) -> None:
    """Start the session and show its code; the page shows what became of it once the dialog is closed."""
    _told(looking, f"/instances/{row['id']}/start")
    dialog = st.dialog(f"Pair {shell.plain(row['name'])}", width="small", on_dismiss="rerun")
    dialog(partial(states.live, partial(_code, looking, row), every=_REFRESH))()


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


def _code(looking: Viewer, row: dict[str, Any]) -> None:
    """The newest code, until the gateway says that the number works or that nobody scanned it in time."""
    number = next((each for each in data.numbers(looking.tenant_id) if each["id"] == row["id"]), row)
    if number["session_status"] == "WORKING":
        phone = wording.phone(number["phone_number"]) if number["phone_number"] else "this number"
        st.html(parts.state("done", "Connected", f"Messages to {phone} are answered from now on."))
        if st.button("Done", type="primary", width="stretch", key="paired"):
            st.rerun()
        return
    try:
        found = api.ask(looking, "GET", f"/instances/{row['id']}/qr")
    except ApiRefused as refused:
        _missing(looking, row, number["session_status"], refused)
        return
    if found["mimetype"] not in _PICTURE:
        states.empty("No code to show", "The gateway sent one that is no picture: pair the phone on its own page.")
        return
    st.caption("On the phone: WhatsApp, Settings, Linked devices, Link a device. Then point it here.")
    with st.container(horizontal_alignment="center", key="pairing-code"):
        st.image(base64.b64decode(found["data"]), width=_SIZE, alt="QR code to scan with WhatsApp on the phone")
    st.caption("WhatsApp changes the code now and then: the newest one shows by itself.", text_alignment="center")


def _missing(looking: Viewer, row: dict[str, Any], status: str | None, refused: ApiRefused) -> None:
    """Why there is no code, and what to do about it."""
    if refused.code != "gateway_not_ready":
        words = str(refused)
        states.empty("No code yet", f"{words[:1].upper()}{words[1:]}")
    elif status in _ENDED:
        states.empty("The code has expired", "Nobody scanned it in time. Nothing else happened: ask for a new one.")
        again = (looking, f"/instances/{row['id']}/start")
        st.button("Show a new code", type="primary", width="stretch", key="new-code", on_click=_told, args=again)
    elif status in _PASSKEYS:
        states.empty("Go on with the phone", "WhatsApp asks there for a passkey. This window waits for it.")
    else:
        states.empty("No code yet", "It starts, which takes a few seconds.")


def _told(looking: Viewer, path: str) -> None:
    try:
        api.ask(looking, "POST", path)
    except ApiRefused as refused:
        toasts.refused(refused, what="Not done")


def history(changes: data.Rows, *, timezone: str, at: datetime) -> list[tuple[str, str, str]]:
    """Since when, which state and for how long, the newest first; what was told again has lasted since the first."""
    earlier = [*(change["session_status"] for change in changes[1:]), None]
    begun = [change for change, before in zip(changes, earlier, strict=False) if change["session_status"] != before]
    ends = [at, *(change["at"] for change in begun)]
    return [
        (wording.clock(change["at"], timezone), change["session_status"], wording.age(end - change["at"]))
        for change, end in zip(begun, ends, strict=False)
    ]
