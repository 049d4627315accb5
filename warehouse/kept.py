"""Days whose events a tenant no longer keeps: what was published of them stays, and no run counts them again."""

# ruff: noqa: S608 — names of tables and columns come from this repository's files, never from a request.

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from mychatflow.settings import Settings
from warehouse import models, postgres
from warehouse.models import Model
from warehouse.windows import Window

_FACTS = "raw.analytics_events"
_FORGOTTEN = """
create or replace temp table forgotten as
select
    tenant_id as kept_tenant_id,
    timezone as kept_timezone,
    events_kept_from as kept_from,
    -- Two days behind the newest data a day is told in full, however little a tenant keeps.
    landed_at - interval 2 days as told_before
from raw.tenants
where events_kept_from is not null
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """From when on one tenant's events still exist."""

    tenant_id: str
    kept_from: datetime


def since(settings: Settings, window: Window | None = None) -> list[Kept]:
    """The tenants who have forgotten a part of the window (or anything at all). Raises PostgresUnreachable."""
    after = "-infinity" if window is None else window.start.isoformat()
    with postgres.reading(settings) as reading:
        found = reading.rows(
            "select id::text, events_kept_from at time zone 'UTC' from tenants"
            f" where events_kept_from > '{after}' order by id"
        )
    return [Kept(tenant_id=tenant_id, kept_from=instant.replace(tzinfo=UTC)) for tenant_id, instant in found]


def told(found: Sequence[Kept]) -> str:
    """What a person should know about the days that stay as they are."""
    spans = ", ".join(f"{item.tenant_id} before {item.kept_from:%Y-%m-%d}" for item in found)
    return f"left as published, because events are no longer kept: tenant {spans}"


def listed(found: Sequence[Kept]) -> list[dict[str, str]]:
    """The same for programs."""
    return [{"tenant_id": item.tenant_id, "kept_from": f"{item.kept_from:%Y-%m-%d}"} for item in found]


def remember(warehouse: duckdb.DuckDBPyConnection) -> bool:
    """Set aside who has forgotten what, as of the newest landing; False when nobody has."""
    warehouse.execute(_FORGOTTEN)
    return bool(warehouse.execute("select 1 from forgotten limit 1").fetchall())


def may_change(model: Model) -> str | None:
    """The rows that can still be counted from events, as a condition; None for a table made of anything else."""
    instant = _instant(model)
    if instant is None or not is_counted_from_events(model):
        return None
    edge = "kept_from"
    if model.promise.looks_back_days:
        edge = f"greatest(kept_from, least(kept_from + interval {model.promise.looks_back_days} days, told_before))"
    return f"not exists (select 1 from forgotten where kept_tenant_id = tenant_id and {instant} < {edge})"


def is_counted_from_events(model: Model) -> bool:
    """Whether it reads events itself or through views; what is made of such tables finds their rows still there."""
    return any(
        name == _FACTS or (name in (views := _views()) and is_counted_from_events(views[name])) for name in model.reads
    )


def _instant(model: Model) -> str | None:
    if model.promise.replaces == "local_days":
        return "timezone(kept_timezone, cast(local_date as timestamp))"
    return model.promise.counted_at or model.promise.time_column


def _views() -> dict[str, Model]:
    return {model.table: model for model in models.discover() if model.is_view}
