"""Every number and name a page may show: the one place that reads, cached by tenant and period for a stated time."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards.operational import bridge
from mychatflow.store import annotations as notes_on_time
from mychatflow.store import chats, contact_book, contacts, desk, read_markers, viewers
from mychatflow.store import quick_replies as knowledge
from mychatflow.store import releases as release_record
from mychatflow.store import saved_views as named_views
from mychatflow.store.annotations import Annotation
from mychatflow.store.chats import Message
from mychatflow.store.contacts import EVERY_CHAT, ChatFilter, Contact
from mychatflow.store.desk import Action, Colleague
from mychatflow.store.releases import Release
from mychatflow.store.saved_views import SavedView
from mychatflow.store.viewers import Workspace
from warehouse import metric_reads, model_reads, reads
from warehouse.metric_filter import Filter
from warehouse.metric_sql import First
from warehouse.periods import Period
from warehouse.reader import NothingPublished

Rows = list[dict[str, Any]]
# A publication follows the hour, so a minute of delay is never what makes a number old.
_PUBLISHED = timedelta(minutes=1)
_NAMES = timedelta(seconds=30)


def all_workspaces() -> list[Workspace]:
    """For the local owner alone; uncached, since access is asked anew on every run."""
    return bridge().across_tenants(viewers.all_workspaces)


def workspaces_of(subject: str) -> list[Workspace]:
    """Uncached: a removed member loses the page at once."""
    return bridge().across_tenants(partial(viewers.of_subject, subject=subject))


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def as_of(tenant_id: UUID) -> datetime | None:
    return reads.as_of(tenant_id)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def kept_from(tenant_id: UUID) -> date | None:
    return reads.kept_from(tenant_id)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def restated(tenant_id: UUID, period: Period) -> Rows:
    return reads.restated(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def overview_kpis(tenant_id: UUID, period: Period) -> dict[str, Any]:
    return dict(reads.overview_kpis(tenant_id, period)[0])


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def kpis_per_day(tenant_id: UUID, period: Period) -> Rows:
    return reads.kpis_per_day(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def messages_per_day(tenant_id: UUID, period: Period) -> Rows:
    return reads.messages_per_day(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def reply_time_per_day(tenant_id: UUID, period: Period) -> Rows:
    return reads.reply_time_per_day(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def reply_time_buckets(tenant_id: UUID, period: Period) -> Rows:
    return reads.reply_time_buckets(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def hour_heatmap(tenant_id: UUID, period: Period) -> Rows:
    return reads.hour_heatmap(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def metric(tenant_id: UUID, name: str, period: Period) -> float | None:
    """One number of the registry; None without data."""
    value: float | None = metric_reads.value(tenant_id, name, Filter(period=period))["value"]
    return value


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def behind(
    tenant_id: UUID,
    metric: str,
    period: Period,
    *,
    where: dict[str, str | int],
    first: First = "busiest",
    least_ms: int = 0,
    below_ms: int | None = None,
) -> Rows:
    """The people a number is made of."""
    asked = Filter(period=period, where={**where})
    return metric_reads.people(tenant_id, metric, asked, first=first, least_ms=least_ms, below_ms=below_ms)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def provider_usage(tenant_id: UUID, period: Period) -> Rows:
    return reads.provider_usage(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def provider_per_day(tenant_id: UUID, period: Period) -> Rows:
    return reads.provider_per_day(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def model_usage(tenant_id: UUID, period: Period) -> Rows:
    return model_reads.usage(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def latency_steps(tenant_id: UUID, period: Period) -> Rows:
    return model_reads.latency_steps(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def failovers(tenant_id: UUID, period: Period) -> Rows:
    return model_reads.failovers(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def incidents(tenant_id: UUID, period: Period) -> Rows:
    return reads.incidents(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def releases(tenant_id: UUID, *, since: datetime, until: datetime) -> list[Release]:
    """When another version of the product took over; the same for everybody."""
    del tenant_id
    return bridge().across_tenants(partial(release_record.within, since=since, until=until))


@st.cache_data(ttl=_PUBLISHED, max_entries=1000, show_spinner=False)
def lead_funnel(tenant_id: UUID, period: Period) -> Rows:
    return reads.lead_funnel(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def grades(tenant_id: UUID) -> Rows:
    return reads.grades(tenant_id)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def lead_list(tenant_id: UUID, period: Period, *, grade: str | None, limit: int = 500) -> Rows:
    return reads.lead_list(tenant_id, period, grade=grade, limit=limit)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def score_history(tenant_id: UUID, contact_id: UUID) -> Rows:
    """Empty before the first publication, like everything that stands beside a chat."""
    try:
        return reads.score_history(tenant_id, contact_id)
    except NothingPublished:
        return []


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def answer_costs(tenant_id: UUID, contact_id: UUID) -> dict[UUID, float]:
    """None before the first publication: a chat is read without its numbers."""
    try:
        found = model_reads.answer_costs(tenant_id, contact_id)
    except NothingPublished:
        return {}
    return {row["interaction_id"]: row["cost_usd"] for row in found}


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def outcomes(tenant_id: UUID, period: Period) -> Rows:
    return reads.outcomes(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def outcomes_per_day(tenant_id: UUID, period: Period) -> Rows:
    return reads.outcomes_per_day(tenant_id, period)


@st.cache_data(ttl=_PUBLISHED, max_entries=500, show_spinner=False)
def episodes(tenant_id: UUID, period: Period, *, outcome: str | None) -> Rows:
    return reads.episodes(tenant_id, period, outcome=outcome)


@st.cache_data(ttl=_NAMES, max_entries=1000, show_spinner=False)
def people(tenant_id: UUID, contact_ids: tuple[UUID, ...]) -> dict[UUID, Contact]:
    """Names and numbers of those contacts; erased ones are missing."""
    read = partial(contacts.by_ids, tenant_id=tenant_id, contact_ids=contact_ids)
    return {contact.contact_id: contact for contact in bridge().in_tenant(tenant_id, read)}


def inbox(
    tenant_id: UUID, *, search: str = "", where: ChatFilter = EVERY_CHAT, limit: int = contacts.PAGE
) -> list[Contact]:
    """The most recent chats as they are this second; a search also finds whole words of messages."""
    return bridge().opened(
        tenant_id,
        lambda transaction, cipher: contacts.page(
            transaction,
            tenant_id,
            search=search,
            where=where,
            word_hashes=cipher.token_hashes(search),
            limit=limit,
        ),
    )


def contact(tenant_id: UUID, contact_id: UUID) -> Contact | None:
    """One person as they are this second."""
    read = partial(contacts.by_ids, tenant_id=tenant_id, contact_ids=(contact_id,))
    return next(iter(bridge().in_tenant(tenant_id, read)), None)


def notes(tenant_id: UUID, contact_id: UUID, *, reader: str) -> str:
    """What colleagues wrote about that person, on record as opened. Uncached: it stays in no cache."""
    found = bridge().reading_of(
        tenant_id,
        contact_id,
        lambda transaction, cipher: contact_book.notes(transaction, tenant_id, contact_id, cipher=cipher),
        reader=reader,
        what="notes",
        at=datetime.now(UTC),
    )
    return found or ""


def colleagues(tenant_id: UUID) -> list[Colleague]:
    """Who may be given a chat."""
    return bridge().in_tenant(tenant_id, partial(desk.colleagues, tenant_id=tenant_id))


def actions(tenant_id: UUID, contact_id: UUID) -> list[Action]:
    """Who took that chat when, the newest first; uncached, so that two people see each other at once."""
    return bridge().in_tenant(tenant_id, partial(desk.actions, tenant_id=tenant_id, contact_id=contact_id))


def annotations(tenant_id: UUID, *, since: datetime, until: datetime) -> list[Annotation]:
    """Notes on the timeline, as they are this second."""
    return bridge().in_tenant(tenant_id, partial(notes_on_time.within, tenant_id=tenant_id, since=since, until=until))


def saved_views(tenant_id: UUID, *, page: str, member_id: UUID | None) -> list[SavedView]:
    """The member's own views of that page and the shared ones, as they are this second."""
    read = partial(named_views.of_page, tenant_id=tenant_id, page=page, member_id=member_id)
    return bridge().in_tenant(tenant_id, read)


def quick_replies(tenant_id: UUID) -> Rows:
    """The texts in use, newest first."""
    read = partial(knowledge.page, tenant_id=tenant_id, before_at=None, before_id=None, limit=200)
    return [dict(row) for row in bridge().in_tenant(tenant_id, read) if row["is_active"]]


def unread(tenant_id: UUID, contact_ids: tuple[UUID, ...], *, member_id: UUID | None) -> frozenset[UUID]:
    """Those of the chats with something that member has not seen, as they are this second."""
    read = partial(read_markers.unread, tenant_id=tenant_id, contact_ids=contact_ids, reader_id=member_id)
    return bridge().in_tenant(tenant_id, read)


def mark_read(tenant_id: UUID, contact_id: UUID, *, member_id: UUID | None, through: datetime) -> None:
    """That member has seen the chat up to that message."""
    work = partial(read_markers.read, tenant_id=tenant_id, contact_id=contact_id, reader_id=member_id, through=through)
    bridge().in_tenant(tenant_id, work)


def last_messages(tenant_id: UUID, contact_ids: tuple[UUID, ...]) -> dict[UUID, Message]:
    """The newest message of each chat. Uncached: message text stays in no cache."""
    return bridge().opened(
        tenant_id,
        lambda transaction, cipher: chats.last_of_each(transaction, tenant_id, list(contact_ids), cipher=cipher),
    )


def chat(tenant_id: UUID, contact_id: UUID, *, reader: str, limit: int = 100) -> list[Message]:
    """A conversation, oldest first, on record as opened. Uncached: message text stays in no cache."""
    return bridge().reading_of(
        tenant_id,
        contact_id,
        lambda transaction, cipher: chats.of_contact(transaction, tenant_id, contact_id, cipher=cipher, limit=limit),
        reader=reader,
        what="conversation",
        at=datetime.now(UTC),
    )
