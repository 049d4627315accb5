"""Whom a campaign reaches and leaves out before it starts: each number with the people it counts."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import streamlit as st

from dashboards import behind, exports, parts, people, shell, states, viewer, wording
from dashboards import data as shared
from dashboards.behind import Fact
from dashboards.outreach import data
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.rules.template import InvalidTemplate
from mychatflow.store.campaign_audience import Preview

_SKIPPED: Final = {
    "opted_out": "said stop",
    "handed_off": "talk with a person now",
    "messaged_today": "were written to today",
    "missing_variable": "a variable is not known",
    "campaign_cancelled": "the campaign was cancelled",
    "unknown": "no reason was told",
}
_COLUMNS: Final = ("name", "phone", "outcome")
# The number whose people are listed in a dialog, which can open no second one.
_UNFOLDED: Final = "audience-unfolded"


def reason(name: str) -> str:
    """Why somebody is left out."""
    return _SKIPPED.get(name, wording.words(name).lower())


def fold() -> None:
    """Forget whose people a dialog listed last."""
    st.session_state.pop(_UNFOLDED, None)


def counted(found: Preview, *, per_minute: int, key: str) -> Fact | None:
    """How many get it, and everybody else by reason; the number that was pressed."""
    minutes = -(-found.eligible // per_minute)
    lasts = f"about {minutes} min" if minutes < 120 else f"about {minutes / 60:.0f} h"
    first, *facts = _facts(found)
    place, is_pressed = shell.covered(f"reached-{key}", f"{first.value} {first.name}: who they are")
    told = f"get the message, {lasts} for one number"
    place.html(f'<div class="mcf-rate"><strong>{first.value}</strong><span>{told}</span></div>')
    pressed = behind.pressed_fact(facts, key=f"audience-{key}")
    return first if is_pressed else pressed


def _facts(found: Preview) -> list[Fact]:
    return [
        Fact(name="Get the message", value=f"{found.eligible:,}", part="eligible"),
        Fact(name="In the audience", value=f"{found.audience:,}", part="audience"),
        *(
            Fact(name=f"Left out: {reason(name)}", value=f"{count:,}", part="skipped", reason=name)
            for name, count in found.skipped.items()
        ),
        *(
            Fact(name=f"No value for {name}", value=f"{count:,}", part="missing", reason=name)
            for name, count in found.missing.items()
        ),
        Fact(name="Held out, to compare", value=f"{found.held_out:,}", part="held_out"),
    ]


def open_dialog(looking: Viewer, row: Mapping[str, Any], fact: Fact, *, at: datetime) -> None:
    """The people of the number that was pressed on a page."""
    dialog = st.dialog(shell.plain(fact.name), width="large")
    dialog(partial(states.guarded, partial(_people, looking, row, fact, at=at)))()


def unfolded(looking: Viewer, row: Mapping[str, Any], found: Preview, pressed: Fact | None, *, at: datetime) -> None:
    """In a dialog, the people of the number that was pressed last; pressed again, they fold up."""
    is_open = st.session_state.get(_UNFOLDED)
    if pressed:
        is_open = None if is_open == (pressed.part, pressed.reason) else (pressed.part, pressed.reason)
        st.session_state[_UNFOLDED] = is_open
    fact = next((each for each in _facts(found) if (each.part, each.reason) == is_open), None)
    if fact:
        with st.container(border=True, key="card-audience-people"):
            st.html(parts.card_title(fact.name, "Press the number again to fold them up"))
            _people(looking, row, fact, at=at)


def _people(looking: Viewer, row: Mapping[str, Any], fact: Fact, *, at: datetime) -> None:
    if not viewer.still(looking, Permission.MANAGE_CAMPAIGNS):
        states.ended()
        return
    try:
        found = data.audience_behind(looking.tenant_id, row, fact.part, fact.reason, at=at)
    except InvalidTemplate as invalid:
        states.empty("Not countable any more", f"{invalid}.")
        return
    rows = [each | {"outcome": _outcome(each)} for each in people.named(looking, found)]
    if not rows:
        states.empty("Nobody is behind this number", "Nothing was counted, or those people were erased since.")
        return
    first = "The first " if len(found) == data.MOST_PEOPLE else ""
    st.caption(f"{first}{wording.counted(len(rows), 'person', 'people')}, as of {wording.clock(at, looking.timezone)}.")
    chosen = _listed(rows)
    exports.menu(looking, rows, columns=_COLUMNS, file="audience")
    if chosen is not None:
        contact_id = rows[chosen]["contact_id"]
        people.one(looking, contact_id, shared.people(looking.tenant_id, (contact_id,)).get(contact_id), at=at)


def _outcome(row: Mapping[str, Any]) -> str:
    if row["reason"]:
        return f"left out: {reason(row['reason'])}"
    return "held out" if row["is_held_out"] else "gets it"


def _listed(rows: data.Rows) -> int | None:
    """The contact somebody selected, if any."""
    return people.selected(
        [{"Contact": row["name"], "Phone": row["phone"], "Message": row["outcome"]} for row in rows],
        key=shell.keyed("audience", *(row["contact_id"] for row in rows)),
        alt=f"Table of {len(rows)} contacts and what becomes of their message. Select one to read the chat.",
    )
