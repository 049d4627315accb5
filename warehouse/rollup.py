"""The whole way from Postgres to the published marts, in one call: land, compute, check, publish."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from mychatflow.settings import Settings
from warehouse import connection, landing, models, publish, reconciliation, runs, windows
from warehouse.landing import Landed, NothingLanded
from warehouse.models import Model
from warehouse.publish import Published
from warehouse.runs import ModelRun, Work
from warehouse.windows import Window, covering

_COMPUTED_WITHIN = """
delete from meta.pending_days
where batch <= $1 and utc_date >= cast($2 as date) and utc_date < cast($3 as date)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledUp:
    """What a rollup brought, computed and published."""

    landed: Landed
    runs: tuple[ModelRun, ...]
    published: Published


def rollup(
    settings: Settings,
    *,
    at: datetime,
    window: Window | None = None,
    only: Sequence[Model] | None = None,
) -> RolledUp:
    """Bring the marts up to `at` and publish them; with a window, compute that window's days as well.

    Safe to repeat: every run replaces exactly its days. Raises ChecksFailed, WarehouseBusy, PostgresUnreachable.
    """
    with connection.writer(settings) as warehouse:
        landed = landing.land(settings, warehouse, window=window)
        done = _compute(settings, warehouse, at=at, window=window, only=only)
        published = publish.publish(settings, warehouse, at=at, data_through=_complete_through(warehouse))
    _forget_for_good(settings, published)
    return RolledUp(landed=landed, runs=tuple(done), published=published)


def land(settings: Settings, *, window: Window | None = None) -> Landed:
    """Only bring what changed in Postgres."""
    with connection.writer(settings) as warehouse:
        return landing.land(settings, warehouse, window=window)


def compute(
    settings: Settings, *, at: datetime, window: Window | None = None, only: Sequence[Model] | None = None
) -> list[ModelRun]:
    """Only compute: the days that landings touched, or a window of some models."""
    with connection.writer(settings) as warehouse:
        return _compute(settings, warehouse, at=at, window=window, only=only)


def publish_marts(settings: Settings, *, at: datetime) -> Published:
    """Only publish what is computed."""
    with connection.writer(settings) as warehouse:
        published = publish.publish(settings, warehouse, at=at, data_through=_complete_through(warehouse))
    _forget_for_good(settings, published)
    return published


def _forget_for_good(settings: Settings, published: Published) -> None:
    if published.has_erased:
        connection.rebuild(settings)


def _compute(
    settings: Settings,
    warehouse: duckdb.DuckDBPyConnection,
    *,
    at: datetime,
    window: Window | None,
    only: Sequence[Model] | None,
) -> list[ModelRun]:
    batch, taken_at = _newest_landing(warehouse)
    if only is not None and window is not None:
        # A window in the past says nothing about how fresh a table is.
        work = Work(windows=(covering(window.start, window.end),), cause="backfill")
        done = runs.run(warehouse, only, work, at=at, data_through=min(taken_at, window.end))
        if any(model.table == reconciliation.COMPARED for model in only):
            _compare_again(settings, warehouse, window, at=at, data_through=taken_at)
        if all(model in only for model in models.discover() if not model.is_view):
            computed = work.windows[0]
            warehouse.execute(_COMPUTED_WITHIN, [batch, computed.start, computed.end])
        return done
    runs.drop_what_no_file_makes(warehouse)
    done = runs.run(warehouse, models.discover(), pending(warehouse, window), at=at, data_through=taken_at)
    warehouse.execute("delete from meta.pending_days where batch <= ?", [batch])
    return done


def _compare_again(
    settings: Settings, warehouse: duckdb.DuckDBPyConnection, window: Window, *, at: datetime, data_through: datetime
) -> None:
    """Days that differed are told as equal by the command that mended them, not a day later."""
    if reconciliation.differs(warehouse, window):
        reconciliation.compare(settings, warehouse, at=at, window=window)
        told = [models.by_name("reconciliation")]
        runs.run(warehouse, told, Work(windows=()), at=at, data_through=data_through)


def _newest_landing(warehouse: duckdb.DuckDBPyConnection) -> tuple[int, datetime]:
    rows = warehouse.execute("select max(batch), max(landed_at) from meta.batches").fetchall()
    if rows[0][0] is None:
        raise NothingLanded
    return int(rows[0][0]), rows[0][1]


def _complete_through(warehouse: duckdb.DuckDBPyConnection) -> datetime:
    """Until when all numbers are complete: not until a landing of which some days are not computed yet."""
    through: datetime | None = None
    if pending(warehouse).windows:
        through = warehouse.execute("select max(data_through) from meta.publications").fetchall()[0][0]
    return through or _newest_landing(warehouse)[1]


def pending(warehouse: duckdb.DuckDBPyConnection, window: Window | None = None) -> Work:
    """The days that landings touched since the last run, and the asked ones, as windows."""
    rows = warehouse.execute("select utc_date, batch from meta.pending_days").fetchall()
    days = [day for day, _ in rows]
    if window is None:
        return Work(
            windows=tuple(windows.ranges(days)), first_batch=min((batch for _, batch in rows if batch), default=1)
        )
    asked = windows.ranges([*days, *windows.days_of(window)])
    return Work(windows=tuple(asked), cause="backfill")
