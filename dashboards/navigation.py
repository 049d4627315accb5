"""Every page of the product, who may open it and where it stands in the menu: a page is one line here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

import streamlit as st

from dashboards import parts, shell, states, toasts, viewer
from dashboards.booking import appointments, services
from dashboards.ops import alerts, delivery, freshness, message_trace, providers, tenants
from dashboards.outreach import campaigns, follow_ups
from dashboards.setup import agent, data, knowledge, numbers, privacy, record, team, usage, webhooks
from dashboards.states import Refusal
from dashboards.tenant import ai_agent, conversations, inbox, leads, overview
from dashboards.viewer import Viewer

Least = Literal["viewer", "agent", "admin", "owner", "staff"]
_FIRST = "overview"
# The groups whose pages are filled by what customers write.
_FED = frozenset({"Analytics", "Work"})
_FIRST_STEPS = (
    "Pair your phone under Numbers, write your prices and hours under Knowledge, and try a message under Agent "
    "settings: an admin may. Until then nobody's message arrives here."
)
# What Streamlit calls the page of the bare address; nobody sees the word.
_BARE = "home"


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its group and name in the menu, its address, and the least role (or the platform's staff) it opens to."""

    group: str
    title: str
    icon: str
    path: str
    least: Least
    show: Callable[..., None]

    def opens_for(self, looking: Viewer) -> bool:
        return looking.is_platform_staff if self.least == "staff" else looking.may(self.least)


PLACES = (
    Place("Analytics", "Overview", "monitoring", _FIRST, "viewer", overview.show),
    Place("Analytics", "Leads", "group", "leads", "viewer", leads.show),
    Place("Analytics", "Conversations", "forum", "conversations", "viewer", conversations.show),
    Place("Analytics", "AI agent", "smart_toy", "agent", "viewer", ai_agent.show),
    Place("Work", "Inbox", "inbox", "inbox", "agent", inbox.show),
    Place("Work", "Appointments", "calendar_month", "appointments", "agent", appointments.show),
    Place("Outreach", "Campaigns", "campaign", "campaigns", "admin", campaigns.show),
    Place("Outreach", "Follow-ups", "schedule_send", "follow-ups", "admin", follow_ups.show),
    Place("Setup", "Agent settings", "tune", "settings", "admin", agent.show),
    Place("Setup", "Knowledge", "menu_book", "knowledge", "admin", knowledge.show),
    Place("Setup", "Services & hours", "event_available", "services", "admin", services.show),
    Place("Setup", "Numbers", "smartphone", "numbers", "admin", numbers.show),
    Place("Setup", "Team & keys", "badge", "team", "admin", team.show),
    Place("Setup", "Webhooks", "webhook", "webhooks", "admin", webhooks.show),
    Place("Setup", "Plan & usage", "speed", "usage", "admin", usage.show),
    Place("Setup", "Data", "shield_person", "data", "admin", privacy.show),
    Place("Setup", "Audit", "history", "audit", "admin", record.show),
    Place("Operations", "Pipeline & health", "monitor_heart", "operations", "staff", freshness.show),
    Place("Operations", "Delivery", "local_shipping", "delivery", "staff", delivery.show),
    Place("Operations", "Providers", "hub", "providers", "staff", providers.show),
    Place("Operations", "Alerts", "notifications", "alerts", "staff", alerts.show),
    Place("Operations", "Tenants", "apartment", "tenants", "staff", tenants.show),
    Place("Operations", "Message trace", "route", "trace", "staff", message_trace.show),
)


def pages(looking: Viewer, *, at: datetime) -> dict[str, list[st.Page]]:
    """The menu of that person; a page they may not open is not in it, and says so to who knows its address."""
    groups: dict[str, list[st.Page]] = {}
    for place in PLACES:
        is_open, show = place.opens_for(looking), content(place, looking, at=at)
        # A group of hidden pages alone would leave its heading behind.
        group = groups.setdefault(place.group if is_open else PLACES[0].group, [])
        if place.path == _FIRST:
            # The first page lives at the bare address; whoever types its name is led there, where the menu marks it.
            home = _page(place, show, path=_BARE, is_shown=True)
            group += [home, _page(place, partial(_lead_to, home), path=place.path, is_shown=False)]
        else:
            group.append(_page(place, show, path=place.path, is_shown=is_open))
    return groups


def content(place: Place, looking: Viewer, *, at: datetime) -> Callable[[], None]:
    """What stands on the page for that person."""
    if not place.opens_for(looking):
        return partial(states.forbidden, place.title, place.least)
    show = partial(place.show, looking, at=at)
    return partial(_begun, looking, show) if place.group in _FED else show


def refusals(reason: Refusal) -> list[st.Page]:
    """The same page at every address: a link or a bookmark leads to the way in, and to no word of a missing page."""
    paths = (_BARE, *(place.path for place in PLACES))
    return [
        st.Page(shell.named(partial(refused, reason), path), title="Sign in", url_path=path, default=path == _BARE)
        for path in paths
    ]


def refused(reason: Refusal) -> None:
    """The page of somebody who may see none; the demo's workspaces are written while people already look."""
    states.refused(reason)
    if reason == "nothing_here":
        states.live(_look_again, every="3s")


def _look_again() -> None:
    if viewer.look() != "nothing_here":
        st.rerun()


def _begun(looking: Viewer, show: Callable[[], None]) -> None:
    """Without a number nothing can ever come: what to do first stands above a page that is only empty."""
    if not data.numbers(looking.tenant_id):
        with st.container(border=True, key="card-begin"):
            st.html(parts.card_title("Begin with a number", _FIRST_STEPS))
    show()


def _lead_to(page: st.Page) -> None:
    """With the filters of the address that was typed."""
    st.switch_page(page, query_params=[(name, v) for name in st.query_params for v in st.query_params.get_all(name)])


def _entitled(title: str, show: Callable[[], None]) -> None:
    """The page under its own name: of ten tabs the one that is meant must be found."""
    st.set_page_config(page_title=f"{title} · MyChatFlow")
    toasts.say_later()
    states.guarded(show)


def _page(place: Place, show: Callable[[], None], *, path: str, is_shown: bool) -> st.Page:
    return st.Page(
        shell.named(partial(_entitled, place.title, show), path),
        title=place.title,
        icon=f":material/{place.icon}:",
        url_path=path,
        default=path == _BARE,
        visibility="visible" if is_shown else "hidden",
    )
