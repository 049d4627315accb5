"""A form in a dialog: what was typed is read at the moment somebody presses, and the dialog closes once it is done."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

import streamlit as st

from dashboards import shell

_DONE: Final = "form-done"


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


def value(key: str) -> Any:
    """What stands in that field right now."""
    return st.session_state.get(key)


def typed(key: str) -> str:
    """The text in that field, storable: Postgres has no text with a NUL character."""
    return str(value(key) or "").replace("\x00", "").strip()


def _act(act: Callable[[], bool]) -> None:
    st.session_state[_DONE] = act()


def _until_done(form: Callable[[], None], renews: str | None) -> None:
    if st.session_state.pop(_DONE, False):
        if renews:
            shell.renew(renews)
        st.rerun()
    form()
