"""What the agent would decide about a message now: the live rules on words that nobody sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from dashboards import parts, states, wording
from dashboards.parts import Column
from mychatflow.rules import preview
from mychatflow.rules.business_hours import InvalidHours

_LONGEST = 1_000


def show(known: Mapping[str, Any], *, at: datetime) -> None:
    """Nothing is sent, stored or paid for; the model is not asked."""
    st.html(parts.card_title("Try a message", "What the saved settings make of it now. Nothing is sent or stored"))
    text = st.text_area("A customer writes", max_chars=_LONGEST, height=80, key="preview", placeholder="Hola, ¿precio?")
    if not text.strip():
        states.empty("No message yet", "Type one as a customer would: in any language, with typos.")
        return
    try:
        lines = preview.lines(known, text, at=at)
    except InvalidHours as invalid:
        states.empty("The business hours cannot be followed", str(invalid))
        return
    cells = [
        (
            wording.escaped(line.step),
            parts.chip(line.decision, "warn" if line.stops else "good"),
            f"<small>{wording.escaped(line.because)}</small>",
        )
        for line in lines
    ]
    columns = [Column(title=name) for name in ("Step", "Decision", "Because")]
    st.html(parts.table(columns, cells, label="What the rules decide"))
    if not any(line.stops for line in lines):
        st.caption("The reply itself comes from a model and your knowledge; write from a phone to see it.")
