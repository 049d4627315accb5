"""The months of messages are all kept alike, whether a migration found them or they were made later or too late."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.settings import Settings
from mychatflow.store import schema
from tests.warehouse import history

_STORAGE = """
select inhrelid::regclass::text, (select array_agg(setting order by setting) from unnest(reloptions) as setting)
from pg_inherits
inner join pg_class on pg_class.oid = inhrelid
where inhparent = %s::regclass
"""


_LOOKED_AFTER = (
    "autovacuum_analyze_scale_factor=2",
    "autovacuum_analyze_threshold=500",
    "autovacuum_vacuum_insert_threshold=10000",
    "autovacuum_vacuum_threshold=5000",
)


@pytest.mark.parametrize(
    ("table", "kept"), [("interactions", (*_LOOKED_AFTER, "fillfactor=70")), ("analytics_events", _LOOKED_AFTER)]
)
def test_a_later_month_is_stored_as_those_before(fresh: Settings, table: str, kept: tuple[str, ...]) -> None:
    with psycopg.connect(fresh.role_url("engine")) as connection:
        storage: dict[str, list[str]] = dict(connection.execute(_STORAGE, (table,)).fetchall())

    assert len(storage) > 10
    assert f"{table}_other" in storage
    assert {tuple(options) for options in storage.values()} == {kept}


def test_a_month_made_too_late_gets_its_rows(fresh: Settings) -> None:
    business, may = history.a_business(fresh), datetime(2031, 5, 1, tzinfo=UTC)
    edges = [may - timedelta(microseconds=1), may, may + timedelta(days=31, microseconds=-1), may + timedelta(days=31)]
    history.write_events(fresh, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=at) for at in edges])
    # What it was written by is the warehouse's watermark: a row that moves is no new one.
    question = "select tableoid::regclass::text, occurred_at, ingested_xid from analytics_events order by occurred_at"
    with psycopg.connect(fresh.role_url("pipeline")) as pipeline:
        before = pipeline.execute(question).fetchall()
    assert {table for table, *_ in before} == {"analytics_events_other"}

    schema.ensure_months(fresh, first=may.date(), last=may.date())
    schema.ensure_months(fresh, first=may.date(), last=may.date())

    with psycopg.connect(fresh.role_url("pipeline")) as pipeline:
        after = pipeline.execute(question).fetchall()
    places = [
        "analytics_events_other",
        "analytics_events_2031_05",
        "analytics_events_2031_05",
        "analytics_events_other",
    ]
    assert [table for table, *_ in after] == places
    assert [row[1:] for row in after] == [row[1:] for row in before]
    with psycopg.connect(fresh.role_url("owner")) as owner:
        assert owner.execute("select count(*) from analytics_events_other").fetchone() == (0,)
