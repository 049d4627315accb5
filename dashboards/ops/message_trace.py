"""One message end to end: from the webhook through every decision to the ticks, without its text."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from dashboards import chat, parts, states, wording
from dashboards.ops import data
from dashboards.parts import Tone
from dashboards.viewer import Viewer

_ACKS: dict[int, tuple[str, Tone]] = {
    -1: ("Failed", "bad"),
    0: ("Pending", "quiet"),
    1: ("At the server", "good"),
    2: ("Delivered", "good"),
    3: ("Read", "good"),
    4: ("Played", "good"),
}
_Step = tuple[datetime, str, str, Tone]


def show(looking: Viewer, *, at: datetime) -> None:
    """By its WhatsApp id, incoming or outgoing; the id stands in the address, so that a trace can be passed on."""
    del at
    st.html(parts.page_title("Message trace", "One message through every step, by its WhatsApp id · times are UTC"))
    if not looking.is_platform_staff:
        states.empty("For the platform's staff", "This page looks into all workspaces.")
        return
    wanted = st.text_input(
        "Message id",
        key="message",
        bind="query-params",
        placeholder="false_34600000001@c.us_3EB0…",
        label_visibility="collapsed",
        width=460,
    )
    if not (wanted or "").strip():
        states.card(
            "empty", "Which message?", "Paste a WhatsApp message id: from the gateway's log, the API or support."
        )
        return
    found = data.trace(str(wanted).strip())
    steps = sorted(_steps(found), key=lambda step: step[0])
    if not steps:
        states.card(
            "empty", "Nothing is known of this message", "It never came, or was erased. Look at the dead letters."
        )
        return
    with st.container(border=True, key="card-trace"):
        took = (steps[-1][0] - steps[0][0]).total_seconds() * 1000
        st.html(parts.card_title("Steps", f"{len(steps)} in {wording.seconds(took)}, oldest first"))
        st.html(parts.timeline([(_clock(at), word, told, tone) for at, word, told, tone in steps]))
    decisions = [row["trace"] for row in found["interactions"] if row["trace"]]
    if decisions:
        with st.container(border=True, key="card-decisions"):
            st.html(parts.card_title("Decisions", "The turn's steps, why, and in how many milliseconds"))
            st.html("".join(chat.decisions(trace) for trace in decisions))


def _clock(instant: datetime) -> str:
    return f"{instant:%-d %b %H:%M:%S}.{instant.microsecond // 1000:03d}"


def _steps(found: Mapping[str, list[dict[str, Any]]]) -> Iterator[_Step]:
    for row in found["inbox"]:
        yield row["sent_at"], "Written", f"{row['kind']} to session {row['session']}", "quiet"
        yield (
            row["received_at"],
            "Received",
            f"stored as {row['seq']}, {row['state']}, {row['attempts']} attempts",
            "good",
        )
        if row["done_at"]:
            yield row["done_at"], "Worked on", row["last_error"] or "done", "bad" if row["last_error"] else "good"
    for row in found["interactions"]:
        told = f"{row['direction']} {row['type']} by {row['author']}, {row['content_length']} characters"
        yield row["occurred_at"], "Message", f"{told}, {row['status']}", "quiet"
    for row in found["outbox"]:
        yield row["created_at"], "Queued to send", f"{row['kind']} {row['wa_message_id'] or ''}{_unsent(row)}", "quiet"
        if row["sent_at"]:
            tone: Tone = "good" if row["state"] == "sent" else "warn"
            yield row["sent_at"], "Accepted by the gateway", f"{row['state']} after {row['attempts']} attempts", tone
    for row in found["statuses"]:
        word, tone = _ACKS.get(row["ack"], (f"Ack {row['ack']}", "quiet"))
        yield row["occurred_at"], word, row["reason"] or "acknowledged", tone
    for row in found["events"]:
        yield row["occurred_at"], wording.words(row["event_type"]), chat.told(row["properties"])[:400], "quiet"


def _unsent(row: Mapping[str, Any]) -> str:
    if row["sent_at"]:
        return ""
    return f" · {row['state']}" + (f", {row['last_error']}" if row["last_error"] else "")
