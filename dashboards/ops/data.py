"""The platform-wide numbers, for its staff alone: the published health of tables, and what waits right now."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboards.operational import bridge
from mychatflow.store import operations
from mychatflow.store.operations import BreakerChange, DeadLetter, Minute, Queue, Wait
from warehouse import ops_reads

Rows = list[dict[str, Any]]
_PUBLISHED = timedelta(seconds=30)


@st.cache_data(ttl=_PUBLISHED, max_entries=2, show_spinner=False)
def as_of() -> datetime | None:
    return ops_reads.as_of()


@st.cache_data(ttl=_PUBLISHED, max_entries=2, show_spinner=False)
def asset_freshness() -> Rows:
    return ops_reads.asset_freshness()


@st.cache_data(ttl=_PUBLISHED, max_entries=4, show_spinner=False)
def provider_health(since: datetime) -> Rows:
    return ops_reads.provider_health(since)


def queue() -> Queue:
    return bridge().across_tenants(operations.queue)


def minutes(since: datetime, until: datetime) -> list[Minute]:
    return bridge().across_tenants(partial(operations.minutes, since=since, until=until))


def waits(since: datetime, until: datetime) -> list[Wait]:
    return bridge().across_tenants(partial(operations.waits, since=since, until=until))


def dead_letters() -> list[DeadLetter]:
    return bridge().across_tenants(operations.dead_letters)


def breakers() -> list[BreakerChange]:
    """Each target's last change: its state now."""
    return bridge().across_tenants(operations.breakers)


def breaker_changes(since: datetime) -> list[BreakerChange]:
    return bridge().across_tenants(partial(operations.breaker_changes, since=since))
