"""One page as the browser would load it, chosen by `?page=`: AppTest can only switch between files."""

from dataclasses import replace
from uuid import UUID

import streamlit as st

from dashboards import navigation, shell, states, toasts, viewer
from dashboards.viewer import Viewer

_PLACES = {place.path: place for place in navigation.PLACES}


def run() -> None:
    # AppTest has no connection whose address could be checked; the refusals are tested as rules.
    found = st.query_params.get("refusal") or viewer.local_owner()
    if not isinstance(found, Viewer):
        navigation.refused(found)  # type: ignore[arg-type]  # a test's own word
        return
    looking = _in_role(shell.sidebar(found), st.query_params.get("role"))
    if member := st.query_params.get("member"):
        looking = looking.looking_at(replace(looking.workspace, member_id=UUID(member)))
    toasts.say_later()
    place = _PLACES[st.query_params["page"]]
    states.guarded(navigation.content(place, looking, at=shell.now()))


def _in_role(looking: Viewer, role: str | None) -> Viewer:
    """The same person with less to say."""
    if role is None:
        return looking
    return looking.looking_at(replace(looking.workspace, role=role, is_platform_staff=False))


shell.dress()
states.guarded(run)
