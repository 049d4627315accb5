"""The page every visitor loads: who is looking, their workspace, the pages their role opens, and the one they chose."""

from functools import partial

import streamlit as st

from dashboards import navigation, shell, states, viewer
from dashboards.viewer import Viewer


def run() -> None:
    """One run of the page, whoever asks."""
    found = viewer.look()
    if isinstance(found, Viewer):
        st.navigation(navigation.pages(shell.sidebar(found), at=shell.now()), expanded=True).run()
    else:
        st.navigation([st.Page(shell.named(partial(navigation.refused, found), "sign_in"), title="Sign in")]).run()


shell.dress()
states.guarded(run)
