"""What the agent would do with a message now: the live rules as one types, the model's own words when asked for."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

import streamlit as st

from dashboards import api, chat, forms, parts, shell, states, toasts, wording
from dashboards.api import ApiRefused
from dashboards.parts import Column
from dashboards.viewer import Viewer
from mychatflow.rules import preview
from mychatflow.rules.business_hours import InvalidHours

_LONGEST: Final = 1_000
_ANSWER: Final = "preview-answer"
# A model that is slow, asked twice, and packages that are loaded for the first time.
_PATIENCE_SECONDS: Final = 45.0
_OUTCOMES: Final[Mapping[str, tuple[str, parts.Tone]]] = {
    "reply": ("answered by the agent", "good"),
    "notice": ("a person takes over", "warn"),
    "away": ("the away message", "warn"),
    "confirmation": ("a confirmation", "quiet"),
    "fallback": ("no model answers", "bad"),
    "nothing": ("no message", "warn"),
}


def show(looking: Viewer, known: Mapping[str, Any], *, at: datetime) -> None:
    """Nothing is sent or stored; only the whole answer asks a model, and only at the press of its button."""
    st.html(parts.card_title("Try a message", "What the saved settings make of it now. Nothing is sent or stored"))
    with suppress(InvalidHours):
        for warning in preview.warnings(known):
            st.warning(shell.plain(warning), icon=":material/warning:")
    text = st.text_area("A customer writes", max_chars=_LONGEST, height=80, key="preview", placeholder="Hola, ¿precio?")
    if not text.strip():
        states.empty("No message yet", "Type one as a customer would: in any language, with typos.")
        return
    try:
        lines = preview.lines(known, text, at=at)
    except InvalidHours as invalid:
        states.empty("The business hours cannot be followed", str(invalid))
        return
    st.html(parts.table([Column(title="Step"), Column(title="Decision")], _cells(lines), label="What the rules decide"))
    _answer(looking, text)


def _cells(lines: Sequence[preview.Line]) -> list[tuple[str, str]]:
    """Each decision above its reason; after one that stops the agent the others are only facts."""
    cells, is_over = [], False
    for line in lines:
        decision = wording.language(line.decision) if line.step == "Language" else line.decision
        tone: parts.Tone = "warn" if line.stops else "quiet" if is_over else "good"
        because = f"<small>{wording.escaped(line.because)}</small>"
        cells.append((wording.escaped(line.step), f"{parts.chip(decision, tone)}<br>{because}"))
        is_over = is_over or line.stops
    return cells


def _answer(looking: Viewer, text: str) -> None:
    st.button(
        "Show the reply",
        key="preview-ask",
        icon=":material/smart_toy:",
        on_click=partial(_ask, looking),
        help="Goes through every step of a turn. A model that is asked costs as much as for a customer.",
    )
    said, found = st.session_state.get(_ANSWER, ("", None))
    if found and said == text:
        st.html(_told(found))


def _ask(looking: Viewer) -> None:
    text = str(forms.value("preview") or "")
    said = text.replace("\x00", "").strip()
    try:
        found = api.ask(looking, "POST", "/agent/preview", {"text": said}, patience_seconds=_PATIENCE_SECONDS)
    except ApiRefused as refused:
        toasts.refused(refused, what="No reply to show")
        return
    st.session_state[_ANSWER] = (text, found)


def _told(found: Mapping[str, Any]) -> str:
    """What the customer would read, what it leans on and costs, and each step on the way."""
    words, tone = _OUTCOMES.get(found["outcome"], (found["outcome"], "quiet"))
    bubbles = "".join(f'<div class="mcf-bubble out">{wording.escaped(text)}</div>' for text in found["texts"])
    steps = [{**step, **step["facts"], "facts": None} for step in found["steps"]]
    facts = {"Language": wording.language(found["language"]), "Knowledge": wording.listed(found["sources"])}
    if found["model_calls"]:
        calls = "one call" if found["model_calls"] == 1 else f"{found['model_calls']} calls"
        facts |= {
            "Model": f"{wording.provider(found['provider'])} {found['model']}"
            if found["provider"]
            else "none answered",
            "Time": wording.seconds(found["model_ms"]),
            "Cost": f"{wording.small_usd(found['cost_micro_usd'] / 1e6)} for {calls}",
        }
    folded = f"<details class='mcf-fold'><summary>Every step of the turn</summary>{chat.decisions(steps)}</details>"
    shown = f'<div class="mcf-chat mcf-tried"><div>{bubbles}</div></div>' if bubbles else ""
    return f"{parts.chip(words, tone)}{shown}{parts.facts(facts)}{folded}"
