"""What Postgres and the warehouse hold is compared id by id, and what differs is named."""

from datetime import timedelta

import duckdb
import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import connection, models, publish, reconciliation, rollup
from warehouse.landing import NothingLanded
from warehouse.windows import covering


def test_equal_sides_reconcile(installation: Settings) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=50, days=9))
    with pytest.raises(NothingLanded, match="run `mychatflow rollup`"):
        reconciliation.reconcile(installation, at=NOON)
    rollup.rollup(installation, at=NOON)

    found = reconciliation.reconcile(installation, at=NOON)

    assert found.is_equal
    assert found.postgres_count == found.warehouse_count == 200
    assert found.waiting_count == 0
    assert found.mending_command is None


def test_what_came_since_the_last_landing_waits(installation: Settings) -> None:
    rollup.rollup(installation, at=NOON)
    history.write(installation, history.a_past(history.a_business(installation), turns=5, days=2))

    found = reconciliation.reconcile(installation, at=NOON)

    assert found.is_equal
    assert (found.postgres_count, found.warehouse_count, found.waiting_count) == (0, 0, 20)


def test_what_has_landed_and_is_not_computed_yet_waits(installation: Settings) -> None:
    business = history.a_business(installation)
    rollup.rollup(installation, at=NOON)
    history.write(installation, history.a_past(business, turns=5, days=2))
    rollup.land(installation)

    landed = reconciliation.reconcile(installation, at=NOON)
    rollup.compute(installation, at=NOON)
    computed = reconciliation.reconcile(installation, at=NOON)

    assert landed.is_equal
    assert (landed.postgres_count, landed.warehouse_count, landed.waiting_count) == (0, 0, 20)
    assert computed.is_equal
    assert (computed.postgres_count, computed.warehouse_count, computed.waiting_count) == (20, 20, 0)


def test_a_fact_of_several_instants_is_of_the_earliest_in_any_order(installation: Settings) -> None:
    business, first = history.a_business(installation), NOON - timedelta(days=9)
    days = [first + timedelta(days=shift) for shift in (0, 3, 6)]
    copies = [history.an_event(business, EventType.MESSAGE_RECEIVED, at=at, key="wamid.1") for at in days]
    history.write_events(installation, copies[1:2])
    rollup.rollup(installation, at=NOON)
    history.write_events(installation, copies[::-1])
    rollup.rollup(installation, at=NOON)

    for at in (days[0], days[2], days[1], days[0], days[1]):
        window = covering(at, at + timedelta(seconds=1))
        rollup.rollup(installation, at=NOON, window=window)
        assert reconciliation.reconcile(installation, at=NOON, window=window).is_equal
        with connection.writer(installation) as warehouse:
            kept = warehouse.execute("select occurred_at from marts.analytics_events").fetchall()
        assert kept == [(first,)]
    assert reconciliation.reconcile(installation, at=NOON).is_equal


def test_exactly_the_lost_and_doubled_are_named(installation: Settings) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=50, days=9)
    history.write(installation, past)
    rollup.rollup(installation, at=NOON)
    ids = sorted(str(row[1]) for row in past.events)
    lost, doubled = ids[:3], ids[3]
    with connection.writer(installation) as warehouse:
        warehouse.execute("delete from marts.analytics_events where list_contains(?, event_id::varchar)", [lost])
        warehouse.execute(
            "insert into marts.analytics_events select * from marts.analytics_events where event_id = ?", [doubled]
        )

    found = reconciliation.reconcile(installation, at=NOON)

    assert sorted(found.missing) == lost
    assert found.surplus == (doubled,)
    assert found.mending_command is not None
    assert found.mending_command.startswith("mychatflow backfill --from ")
    with connection.writer(installation) as warehouse:
        unequal = warehouse.execute("select count(*) from meta.reconciliations where not is_equal").fetchall()
    assert unequal[0][0] in range(1, 5)


def test_a_backfill_mends_what_differs(installation: Settings) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=30, days=4))
    rollup.rollup(installation, at=NOON)
    with connection.writer(installation) as warehouse:
        # Lost from the landing table too: only Postgres still has them.
        for table in ("raw.analytics_events", "marts.analytics_events"):
            warehouse.execute(f"delete from {table} where event_type = 'message_delivered'")
    assert len(reconciliation.reconcile(installation, at=NOON).missing) == 30

    window = covering(NOON - timedelta(days=6), NOON)
    rollup.rollup(installation, at=NOON, window=window, only=models.with_views(["analytics_events"]))

    # Told where a page reads it, by the command itself.
    with duckdb.connect(publish.published_dir(installation) / "current", read_only=True) as published:
        told = published.execute("select count(*), bool_and(is_equal) from marts.reconciliation").fetchall()
    assert told[0][0] > 0
    assert told[0][1]
    assert reconciliation.reconcile(installation, at=NOON).is_equal


def test_what_has_not_landed_yet_is_not_missing(installation: Settings) -> None:
    business = history.a_business(installation)
    rollup.rollup(installation, at=NOON)
    event = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(minutes=5))
    history.write_events(installation, [event])

    assert reconciliation.reconcile(installation, at=NOON).is_equal


def test_an_event_gone_from_postgres_is_surplus(installation: Settings) -> None:
    business = history.a_business(installation)
    event = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=5))
    history.write_events(installation, [event])
    rollup.rollup(installation, at=NOON)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("delete from analytics_events")

    found = reconciliation.reconcile(installation, at=NOON)

    assert found.surplus == (str(event[1]),)
    assert found.missing == ()
