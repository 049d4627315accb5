"""A word in the corner about what was just asked: that it was done, or why not, for as long as it takes to read."""

from typing import Final

import streamlit as st

from dashboards import shell

_CHANGED: Final = "Nothing was changed"
_SHORTEST_SECONDS: Final = 8
_LATER: Final = "word-for-later"
# Slow readers manage two words a second, whoever has to find the corner first.
_WORDS_A_SECOND: Final = 2


def done(words: str) -> None:
    st.toast(words, icon=":material/check:")


def done_then(words: str) -> None:
    """For what closes a dialog: the run that closes it would take the word away before anybody saw it."""
    st.session_state[_LATER] = words


def say_later() -> None:
    """What the run before left to be said, at the beginning of the next page."""
    words = st.session_state.pop(_LATER, None)
    if words:
        done(words)


def refused(why: object, *, what: str = _CHANGED, icon: str = ":material/info:") -> None:
    """Whole, whatever its length: a refusal that is cut is no help. `why` may hold what somebody typed."""
    words = f"{what}: {shell.plain(str(why))}"
    st.toast(words, icon=icon, duration=max(_SHORTEST_SECONDS, len(words.split()) // _WORDS_A_SECOND))
