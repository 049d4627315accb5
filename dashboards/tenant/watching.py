"""Whether anything changed in the chats somebody looks at, asked again and again; only then are they read and drawn."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import streamlit as st
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState, get_script_run_ctx

from dashboards import states
from dashboards.operational import bridge
from dashboards.viewer import Viewer
from mychatflow.store import chat_marks

LIST, CHAT = "list-of-chats", "opened-chat"
# What no mark tells: the minutes that pass, and chats far down a filtered list.
WHOLE_LOOK = "30s"
# A customer's message is to be seen within two seconds, and until it is settled and stored 0.9 of them may be gone.
_EVERY = "0.7s"
_DRAWN = "marks-when-drawn"


def follow(looking: Viewer, opened: Callable[[], UUID | None]) -> None:
    """Stands before the parts it follows, so that what changes while they are read is seen on the next look."""
    states.live(partial(_look, looking, opened), every=_EVERY)


def forget_list() -> None:
    """The reader did something that no mark tells: the next look draws the list anew."""
    contact_id, marks = st.session_state.get(_DRAWN, (None, None))
    if marks is not None:
        st.session_state[_DRAWN] = (contact_id, chat_marks.Marks("", marks.of_chat))


def _look(looking: Viewer, opened: Callable[[], UUID | None]) -> None:
    context = get_script_run_ctx()
    together = context.fragment_ids_this_run if context else None
    if together and len(together) > 1:
        # The answer to a click runs beside; drawn anew now, the click would be lost.
        return
    contact_id = opened()
    marks = bridge().in_tenant(
        looking.tenant_id, partial(chat_marks.marks, tenant_id=looking.tenant_id, contact_id=contact_id)
    )
    drawn_for, drawn = st.session_state.get(_DRAWN, (None, None))
    st.session_state[_DRAWN] = (contact_id, marks)
    if not together or drawn is None:
        return
    is_other_chat = contact_id != drawn_for
    changed = [LIST] if drawn.of_list != marks.of_list else []
    if contact_id and (is_other_chat or drawn.of_chat != marks.of_chat):
        changed.append(CHAT)
    if changed:
        _draw(changed)


def _draw(parts: list[str]) -> None:
    # Streamlit lets only the answer to a click name the parts to run; nothing was clicked here, and nothing is drawn.
    with ThreadState.scoped(run_location=RunLocation.CALLBACK):
        st.rerun(parts)
