"""The platform-wide numbers, for its staff alone: the published health of tables, and what waits right now."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboards.operational import bridge
from mychatflow import settings as configuration
from mychatflow.local import replay as replaying
from mychatflow.store import alerts, heartbeats, operations, traces, watch
from mychatflow.store import dead_letters as letters
from mychatflow.store.alerts import Alert
from mychatflow.store.dead_letters import Letter
from mychatflow.store.operations import BreakerChange, Minute, Queue, Wait
from mychatflow.store.watch import Calls, Doubtful, Neighbour, Sends
from warehouse import ops_reads
from warehouse.periods import Period

Rows = list[dict[str, Any]]
_PUBLISHED = timedelta(seconds=30)


@st.cache_data(ttl=_PUBLISHED, max_entries=2, show_spinner=False)
def as_of() -> datetime | None:
    return ops_reads.as_of()


@st.cache_data(ttl=_PUBLISHED, max_entries=2, show_spinner=False)
def asset_freshness() -> Rows:
    return ops_reads.asset_freshness()


@st.cache_data(ttl=_PUBLISHED, max_entries=2, show_spinner=False)
def differing_days() -> dict[str, Any] | None:
    return ops_reads.differing_days()


@st.cache_data(ttl=_PUBLISHED, max_entries=4, show_spinner=False)
def restated(since: datetime) -> Rows:
    return ops_reads.restated(since)


@st.cache_data(ttl=_PUBLISHED, max_entries=4, show_spinner=False)
def provider_health(since: datetime) -> Rows:
    return ops_reads.provider_health(since)


def queue() -> Queue:
    return bridge().across_tenants(operations.queue)


def worker_seen_at() -> datetime | None:
    """When any worker last said that it runs."""
    beat = bridge().across_tenants(heartbeats.last).get("worker")
    return beat[0] if beat else None


def minutes(since: datetime, until: datetime) -> list[Minute]:
    return bridge().across_tenants(partial(operations.minutes, since=since, until=until))


def waits(since: datetime, until: datetime) -> list[Wait]:
    return bridge().across_tenants(partial(operations.waits, since=since, until=until))


def dead_letters() -> list[Letter]:
    return bridge().across_tenants(letters.waiting)


def replay(letter_id: str) -> str | None:
    """Why it could not be replayed, or None."""
    return bridge().with_store(lambda store: replaying.replay(store, configuration.load(), letter_id))


def doubtful() -> list[Doubtful]:
    return bridge().across_tenants(watch.doubtful)


def sends(since: datetime) -> list[Sends]:
    return bridge().across_tenants(partial(watch.sends, since=since))


def calls(since: datetime) -> list[Calls]:
    return bridge().across_tenants(partial(watch.calls, since=since))


def firing() -> list[Alert]:
    return bridge().across_tenants(alerts.firing)


def past_alerts(since: datetime) -> list[Alert]:
    return bridge().across_tenants(partial(alerts.past, since=since))


def neighbours(since: datetime, today: date) -> list[Neighbour]:
    return bridge().across_tenants(partial(watch.neighbours, since=since, today=today))


def trace(message_id: str) -> dict[str, Rows]:
    """One message in every table that knows it; facts and decisions, never its text."""
    return bridge().across_tenants(partial(traces.of_message, message_id=message_id))


@st.cache_data(ttl=_PUBLISHED, max_entries=8, show_spinner=False)
def tenant_usage(period: Period) -> Rows:
    return ops_reads.tenant_usage(period)


def breakers() -> list[BreakerChange]:
    """Each target's last change: its state now."""
    return bridge().across_tenants(operations.breakers)


def breaker_changes(since: datetime) -> list[BreakerChange]:
    return bridge().across_tenants(partial(operations.breaker_changes, since=since))
