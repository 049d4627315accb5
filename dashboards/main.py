"""The page every visitor loads: who is looking, their workspace, the pages their role opens, and the one they chose."""

import streamlit as st

from dashboards import navigation, shell, states, viewer
from dashboards.viewer import Viewer


def run() -> None:
    """One run of the page, whoever asks."""
    found = viewer.look()
    if isinstance(found, Viewer):
        st.navigation(navigation.pages(shell.sidebar(found), at=shell.now()), expanded=True).run()
    else:
        st.navigation(navigation.refusals(found), position="hidden").run()


shell.dress()
states.guarded(run)
