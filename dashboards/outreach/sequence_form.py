"""The form of a follow-up sequence: when it begins, whom it leaves in peace, and its messages one after another."""

from datetime import time
from functools import partial
from typing import Any, Final

import streamlit as st

from dashboards import forms, parts, shell
from dashboards.outreach import audience, data, sequences
from dashboards.outreach.sequences import Step, Wanted
from dashboards.viewer import Viewer

_COUNT: Final = "sequence-form-steps"
_UNITS: Final = {"minutes": 1, "hours": 60, "days": 1_440}
_TRIGGERS: Final = {"silence": "An answer stays unanswered", "manual": "A colleague starts it"}
_NEW: Final[dict[str, Any]] = {
    "name": "",
    "trigger": "silence",
    "quiet_from": time(21),
    "quiet_until": time(8),
    "holdout_share": 0.0,
    "steps": [],
}
_FIRST: Final[dict[str, Any]] = {"delay_minutes": 1_440, "template": "", "condition": {}}


def delay(minutes: int) -> str:
    """1 day, 90 minutes."""
    number, unit = _parts(minutes)
    return f"{number} {unit if number != 1 else unit.removesuffix('s')}"


def open_for(looking: Viewer, row: dict[str, Any] | None) -> None:
    st.session_state[_COUNT] = max(1, len(row["steps"])) if row else 1
    forms.opened("Edit the sequence" if row else "A new sequence", partial(_form, looking, row))


def _form(looking: Viewer, row: dict[str, Any] | None) -> None:
    known = row or _NEW
    mark = shell.keyed("sequence", known.get("id"), known.get("updated_at"))
    segments = data.saved_segments(looking.tenant_id)
    st.text_input("Name", known["name"], max_chars=200, placeholder="Ask once more", key=f"name-{mark}")
    _beginning(known, mark=mark)
    st.html(
        parts.card_title(
            "Messages",
            "Sent one after another until the customer writes. Variables: {{first_name|there}}, {{business_name}}",
        )
    )
    count = int(st.session_state.get(_COUNT, 1))
    for number in range(count):
        _step(number, _known(known, number), segments, mark=mark)
    with st.container(horizontal=True):
        is_full = count >= sequences.MOST_STEPS
        st.button("Add a message", icon=":material/add:", key="add-step", disabled=is_full, on_click=_resize, args=(1,))
        if count > 1:
            st.button("Remove the last", type="tertiary", key="remove-step", on_click=_resize, args=(-1,))
    with st.container(horizontal=True):
        forms.button("Save", partial(_save, looking, row, segments, mark), key="save-sequence", kind="primary")
        if row:
            delete = partial(sequences.delete, looking, row["id"])
            forms.button("Delete", delete, key="delete-sequence", kind="tertiary")
    st.caption("A new sequence rests until you switch it on." if row is None else "Running ones go on as they began.")


def _beginning(known: dict[str, Any], *, mark: str) -> None:
    left, right = st.columns(2)
    left.selectbox(
        "Begins when",
        list(_TRIGGERS),
        index=list(_TRIGGERS).index(known["trigger"]) if known["trigger"] in _TRIGGERS else 0,
        format_func=_TRIGGERS.__getitem__,
        key=f"trigger-{mark}",
    )
    forms.number(
        "Held out, in percent",
        0,
        90,
        round(known["holdout_share"] * 100),
        step=5,
        within=right,
        key=f"held-out-{mark}",
        help="So many people get nothing. Only against them can anybody know what the messages brought.",
    )
    left, right = st.columns(2)
    left.time_input("Quiet from", known["quiet_from"], key=f"from-{mark}", help="By the contact's own clock.")
    right.time_input("Quiet until", known["quiet_until"], key=f"until-{mark}")


def _step(number: int, known: dict[str, Any], segments: data.Rows, *, mark: str) -> None:
    value, unit = _parts(known["delay_minutes"])
    units = list(_UNITS)
    with st.container(border=True, key=f"step-{number}"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            waits = "After" if number == 0 else "Then after"
            st.number_input(waits, value=value, key=f"wait-{number}-{mark}", width=140)
            st.selectbox(
                "Unit",
                units,
                index=units.index(unit),
                key=f"unit-{number}-{mark}",
                label_visibility="collapsed",
                width=130,
            )
            label = shell.plain(audience.told(known["condition"])[:40]) if known["condition"] else "To everybody"
            with st.popover(label, icon=":material/filter_alt:", key=f"condition-{number}"):
                st.caption("The message is left out for whom this does not hold at that time.")
                audience.ask(known["condition"], segments, mark=f"{number}-{mark}")
        st.text_area(
            f"Message {number + 1}",
            known["template"],
            max_chars=sequences.LONGEST_TEXT,
            height=90,
            key=f"text-{number}-{mark}",
            placeholder="Hi {{first_name|there}}, did you find what you were looking for?",
        )


def _save(looking: Viewer, row: dict[str, Any] | None, segments: data.Rows, mark: str) -> bool:
    known = row or _NEW
    wanted = Wanted(
        name=forms.typed(f"name-{mark}"),
        trigger=str(forms.value(f"trigger-{mark}")),
        quiet_from=forms.value(f"from-{mark}") or known["quiet_from"],
        quiet_until=forms.value(f"until-{mark}") or known["quiet_until"],
        holdout_share=(forms.value(f"held-out-{mark}") or 0) / 100,
        steps=[
            Step(
                delay_minutes=int(forms.value(f"wait-{number}-{mark}") or 0)
                * _UNITS[str(forms.value(f"unit-{number}-{mark}"))],
                template=forms.typed(f"text-{number}-{mark}"),
                condition=audience.chosen(_known(known, number)["condition"], segments, mark=f"{number}-{mark}"),
            )
            for number in range(int(st.session_state.get(_COUNT, 1)))
        ],
    )
    return sequences.save(looking, row, wanted)


def _known(known: dict[str, Any], number: int) -> dict[str, Any]:
    return dict(known["steps"][number]) if number < len(known["steps"]) else _FIRST


def _resize(by: int) -> None:
    st.session_state[_COUNT] = max(1, int(st.session_state.get(_COUNT, 1)) + by)


def _parts(minutes: int) -> tuple[int, str]:
    unit = next(name for name in reversed(_UNITS) if minutes % _UNITS[name] == 0)
    return minutes // _UNITS[unit], unit
