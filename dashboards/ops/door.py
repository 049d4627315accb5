"""What every operations page shares: staff alone, a live part, and a head with the state of things in a word."""

from collections.abc import Callable

import streamlit as st

from dashboards import parts, states
from dashboards.parts import Tone
from dashboards.viewer import Viewer


def live(looking: Viewer, part: Callable[[], None], *, every: str) -> None:
    """Run the page for the platform's staff, again and again."""
    if not looking.is_platform_staff:
        states.empty("For the platform's staff", "This page shows all workspaces together.")
        return
    with st.container(key="live-page"):
        states.live(part, every=every)


def head(title: str, subtitle: str, word: str, tone: Tone) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(parts.page_title(title, subtitle), width="content")
        st.html(parts.chip(word, tone), width="content")
