"""One page as the browser would load it, chosen by `?page=`: AppTest can only switch between files."""

import streamlit as st

from dashboards import shell, states, viewer
from dashboards.ops import freshness
from dashboards.tenant import conversations, inbox, leads, overview
from dashboards.viewer import Viewer

_PAGES = {
    "overview": overview.show,
    "leads": leads.show,
    "conversations": conversations.show,
    "inbox": inbox.show,
    "operations": freshness.show,
}


def run() -> None:
    # AppTest has no connection whose address could be checked; the refusals are tested as rules.
    found = st.query_params.get("refusal") or viewer.local_owner()
    if isinstance(found, Viewer):
        _PAGES[st.query_params["page"]](shell.sidebar(found), at=shell.now())
    else:
        states.refused(found)  # type: ignore[arg-type]  # a test's own word


shell.dress()
states.guarded(run)
