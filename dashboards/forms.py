"""A form in a dialog: what was typed is read at the moment somebody presses, and the dialog closes once it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import parts, shell, toasts
from dashboards.changes import NotDone

_DONE: Final = "form-done"
_RANGE: Final = "range-of-"


def opened(title: str, form: Callable[[], None], *, renews: str | None = None) -> None:
    """Show the form; `renews` names the selection that opened it, which a dismissal forgets."""
    st.session_state.pop(_DONE, None)
    dismissed: Any = partial(shell.renew, renews) if renews else "ignore"
    st.dialog(shell.plain(title), width="large", on_dismiss=dismissed)(partial(_until_done, form, renews))()


def button(
    label: str,
    act: Callable[[], bool],
    *,
    key: str,
    kind: Literal["primary", "secondary", "tertiary"] = "secondary",
    disabled: bool = False,
) -> None:
    """Press to act; the dialog closes once it was done. `act` reads the fields by `value`, as they are then."""
    st.button(label, type=kind, key=key, disabled=disabled, on_click=_act, args=(act,))


def number(
    label: str,
    least: float,
    most: float,
    now: float | None,
    *,
    key: str,
    empty: str | None = None,
    within: DeltaGenerator | None = None,
    **more: Any,
) -> None:
    """A number with its range in words, which `value` guards; `empty` says what none means, where there may be none."""
    named = f"{label}, {_figure(least)} to {_figure(most)}"
    place = within or st
    if isinstance(least, int):
        # Without one, an empty field would take fractions.
        more.setdefault("step", 1)
    # A field that knows its range would keep the number of before, and say so by its colour alone.
    place.number_input(named, value=now, key=key, placeholder=empty, **more)
    st.session_state[f"{_RANGE}{key}"] = _Range(label=label, least=least, most=most, may_be_empty=empty is not None)
    if outside := _outside(key):
        place.html(parts.warned(outside))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    label: str
    least: float
    most: float
    may_be_empty: bool


def _outside(key: str) -> str:
    """What is wrong with the number in that field, if it holds one."""
    allowed: _Range | None = st.session_state.get(f"{_RANGE}{key}")
    typed = st.session_state.get(key)
    if allowed is None or (typed is None and allowed.may_be_empty):
        return ""
    if typed is not None and allowed.least <= typed <= allowed.most:
        return ""
    said = "nothing" if typed is None else _figure(typed)
    return f"{allowed.label}: from {_figure(allowed.least)} to {_figure(allowed.most)}, not {said}."


def _figure(number: float) -> str:
    return f"{number:,.10g}"


def value(key: str) -> Any:
    """What stands in that field right now. Raises NotDone for a number outside its range."""
    outside = _outside(key)
    if outside:
        raise NotDone(outside)
    return st.session_state.get(key)


def typed(key: str) -> str:
    """The text in that field, storable: Postgres has no text with a NUL character."""
    return str(value(key) or "").replace("\x00", "").strip()


def attempt(act: Callable[[], bool]) -> None:
    """Of a button outside of a dialog: what a field does not allow is said."""
    _is_done(act)


def _act(act: Callable[[], bool]) -> None:
    st.session_state[_DONE] = _is_done(act)


def _is_done(act: Callable[[], bool]) -> bool:
    try:
        return act()
    except NotDone as refused:
        toasts.refused(refused)
        return False


def _until_done(form: Callable[[], None], renews: str | None) -> None:
    if st.session_state.pop(_DONE, False):
        if renews:
            shell.renew(renews)
        st.rerun()
    form()
