"""The page every visitor loads: who is looking, their workspace, the pages their role opens, and the one they chose."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from dashboards import shell, states, viewer
from dashboards.ops import freshness
from dashboards.tenant import conversations, inbox, leads, overview
from dashboards.viewer import Viewer


def pages(looking: Viewer) -> dict[str, list[st.Page]]:
    """The navigation of that person: what their role may not open is not there at all."""

    def page(show: Callable[..., None], title: str, icon: str, path: str, *, is_first: bool = False) -> st.Page:
        run = partial(states.guarded, partial(show, looking, at=datetime.now(UTC)))
        return st.Page(shell.named(run, path), title=title, icon=icon, url_path=path, default=is_first)

    groups = {
        "Analytics": [
            page(overview.show, "Overview", ":material/monitoring:", "overview", is_first=True),
            page(leads.show, "Leads", ":material/group:", "leads"),
            page(conversations.show, "Conversations", ":material/forum:", "conversations"),
        ]
    }
    if looking.may("agent"):
        groups["Work"] = [page(inbox.show, "Inbox", ":material/inbox:", "inbox")]
    if looking.is_platform_staff:
        groups["Operations"] = [page(freshness.show, "Pipeline & health", ":material/monitor_heart:", "operations")]
    return groups


def run() -> None:
    """One run of the page, whoever asks."""
    found = viewer.look()
    if isinstance(found, Viewer):
        st.navigation(pages(shell.sidebar(found))).run()
    else:
        st.navigation([st.Page(shell.named(partial(states.refused, found), "sign_in"), title="Sign in")]).run()


shell.dress()
states.guarded(run)
