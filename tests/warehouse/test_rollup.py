"""A rollup counts every fact once, on the right day, however often and in whatever order it runs."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.settings import Settings
from mychatflow.store import cipher
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import column_types, connection, models, publish, rollup
from warehouse.reader import Reader
from warehouse.windows import covering, of_days

_OLD = "marts.old_news"


def _marts(published: Reader) -> dict[str, list[tuple[object, ...]]]:
    """Every mart's rows but those that tell of runs."""
    names = [model.name for model in models.discover() if model.layer == "marts" and not model.is_view]
    skipped = {"restatements", "reconciliation"}
    with published.cursor() as cursor:
        return {
            name: sorted(cursor.execute(f"select columns(*)::varchar from {name}").fetchall(), key=str)
            for name in names
            if name not in skipped
        }


def _received_by_day(published: Reader) -> dict[str, int]:
    rows = published.rows(
        "select local_date, sum(message_received_count)::bigint as n from analytics_summary_daily group by all"
    )
    return {str(row["local_date"]): row["n"] for row in rows if row["n"]}


def test_a_rerun_changes_no_number(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="Asia/Kolkata")
    history.write(installation, history.a_past(business, turns=200, days=20))
    rollup.rollup(installation, at=NOON)
    first = _marts(published)

    window = covering(NOON - timedelta(days=12), NOON - timedelta(days=3))
    rollup.rollup(installation, at=NOON, window=window, only=models.discover())
    rollup.rollup(installation, at=NOON)

    assert _marts(published) == first
    assert first["analytics_events"]
    assert published.rows("select * from restatements") == []


def test_one_day_at_a_time_equals_one_statement(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="America/Sao_Paulo")
    history.write(installation, history.a_past(business, turns=150, days=6))
    rollup.rollup(installation, at=NOON)
    whole = _marts(published)

    for index in range(8):
        day = (NOON - timedelta(days=index)).date()
        rollup.rollup(installation, at=NOON, window=of_days(day, day), only=models.discover())

    assert _marts(published) == whole


def test_a_late_event_restates_its_day(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    yesterday = NOON - timedelta(days=1)
    history.write_events(installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=yesterday)])
    rollup.rollup(installation, at=NOON)
    assert _received_by_day(published) == {"2026-11-23": 1}

    history.write_events(installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=yesterday)])
    rollup.rollup(installation, at=NOON + timedelta(hours=1))

    assert _received_by_day(published) == {"2026-11-23": 2}
    restated = published.rows(
        "select model, old_value, new_value, cause from restatements"
        " where column_name = 'message_received_count' order by model"
    )
    assert restated == [
        {"model": name, "old_value": 1.0, "new_value": 2.0, "cause": "late_events"}
        for name in history.COUNTING_MESSAGES
    ]


def test_a_first_rollup_restates_nothing(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=20, days=5))

    rollup.rollup(installation, at=NOON)

    assert published.rows("select * from restatements") == []


def test_an_open_transaction_loses_no_event(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    slow = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=2))
    quick = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=1))
    with psycopg.connect(installation.role_url("engine")) as open_transaction:
        history.copy_rows(open_transaction, history.EVENT_TARGET, [slow])
        # Begun later and committed earlier: a watermark by time would now have passed the slow one.
        history.write_events(installation, [quick])
        rollup.rollup(installation, at=NOON)
        assert _received_by_day(published) == {"2026-11-24": 1}

    rollup.rollup(installation, at=NOON)

    assert _received_by_day(published) == {"2026-11-24": 2}


@pytest.mark.parametrize(
    "zone", ["Europe/Madrid", "Asia/Kolkata", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Kiritimati"]
)
def test_days_are_the_tenants_own(installation: Settings, published: Reader, zone: str) -> None:
    business = history.a_business(installation, timezone=zone)
    # Around the night in which Madrid's clocks go back: 25 October 2026 has 25 hours there.
    begin, chance = datetime(2026, 10, 23, tzinfo=UTC), random.Random(3)
    instants = [begin + timedelta(minutes=chance.randrange(5 * 24 * 60)) for _ in range(400)]
    events = [history.an_event(business, EventType.MESSAGE_RECEIVED, at=at) for at in instants]
    history.write_events(installation, events)

    rollup.rollup(installation, at=NOON)

    local = [at.astimezone(ZoneInfo(zone)) for at in instants]
    assert _received_by_day(published) == Counter(str(at.date()) for at in local)
    by_hour = published.rows(
        "select local_hour, sum(message_received_count)::bigint as n from messages_local_hourly group by all"
    )
    assert {row["local_hour"]: row["n"] for row in by_hour} == Counter(at.hour for at in local)


def test_a_tenant_that_moves_gets_its_days_anew(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="UTC")
    late_evening = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    history.write_events(installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=late_evening)])
    rollup.rollup(installation, at=NOON)
    assert _received_by_day(published) == {"2026-11-20": 1}

    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update settings set timezone = 'Asia/Tokyo'")
    rollup.rollup(installation, at=NOON)

    assert _received_by_day(published) == {"2026-11-21": 1}


def test_hours_days_and_facts_agree(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="Asia/Kolkata")
    history.write(installation, history.a_past(business, turns=300, days=30))

    rollup.rollup(installation, at=NOON)

    totals = published.rows(
        """
        select
            (select count(*) from analytics_events where event_type = 'message_sent') as facts,
            (select sum(message_sent_count)::bigint from analytics_summary_hourly) as hours,
            (select sum(message_sent_count)::bigint from analytics_summary_daily) as days,
            (select sum(message_sent_count)::bigint from messages_local_hourly) as local_hours,
            (select sum(reply_count)::bigint from llm_usage_daily) as by_model,
            (select sum(message_sent_count)::bigint from contact_activity_daily) as by_contact
        """
    )[0]
    assert set(totals.values()) == {300}


def test_one_fact_stored_twice_counts_once(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    seen = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=3), key="wamid.1")
    from_history = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=5), key="wamid.1")
    history.write_events(installation, [seen, from_history])

    rollup.rollup(installation, at=NOON)
    assert _received_by_day(published) == {"2026-11-24": 1}

    # Read from history once more, on another day and in a later landing.
    days_before = NOON - timedelta(days=3)
    history.write_events(
        installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, at=days_before, key="wamid.1")]
    )
    rollup.rollup(installation, at=NOON)
    assert _received_by_day(published) == {"2026-11-21": 1}
    assert published.rows("select count(*) as n from analytics_events") == [{"n": 1}]


def test_an_empty_installation_publishes_empty_marts(installation: Settings, published: Reader) -> None:
    done = rollup.rollup(installation, at=NOON)

    assert done.published.version == 1
    assert published.rows("select count(*) as n from analytics_summary_hourly") == [{"n": 0}]

    # A mart of an earlier version whose file is gone.
    with connection.writer(installation) as warehouse:
        warehouse.execute(
            "create table marts.old_news as select 1 as n; insert into meta.models values (?, 'x')", [_OLD]
        )
        warehouse.execute("insert into meta.model_runs (model) values ('old_news')")
    rollup.publish_marts(installation, at=NOON)
    assert published.rows("from old_news") == [{"n": 1}]
    rollup.rollup(installation, at=NOON)

    told = "from duckdb_tables() where database_name = current_database() and table_name = 'old_news'"
    assert published.rows(told) == published.rows("from ops.model_runs where model = 'old_news'") == []


def test_an_erased_person_stays_erased(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=50, days=5)
    history.write(installation, past)
    rollup.rollup(installation, at=NOON)
    erased = past.contacts[0][1]

    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "insert into erase_list (tenant_id, contact_id, wa_hash, erased_at) values (%s, %s, 'hash', %s)",
            (business.tenant_id, erased, NOON),
        )
        engine.execute("update contacts set created_at = %s", (NOON - timedelta(days=9),))
    rollup.rollup(installation, at=NOON)
    assert [path.name for path in publish.published_dir(installation).glob("marts-*")] == ["marts-000002.duckdb"]
    # Their phone tells late that it read a message: what lands after an erasure is forgotten as well.
    tick = history.an_event(business, EventType.MESSAGE_READ, at=NOON - timedelta(days=2), contact_id=erased)
    history.write_events(installation, [tick])
    rollup.rollup(installation, at=NOON)
    # The events are still in Postgres here, as after a restore: a backfill reads them again.
    rollup.rollup(installation, at=NOON, window=covering(NOON - timedelta(days=6), NOON))

    for table in ("analytics_events", "episodes", "contact_activity_daily", "lead_scores_current"):
        assert published.rows(f"select 1 from {table} where contact_id = $1", [erased]) == []
    with connection.writer(installation) as warehouse:
        assert warehouse.execute("select 1 from raw.analytics_events where contact_id = ?", [erased]).fetchall() == []


def test_a_person_is_erased_under_any_row_id(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=5, days=5)
    history.write(installation, past)
    _, contact_id, _, wa_id, *_ = past.contacts[0]
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "insert into erase_list (tenant_id, contact_id, wa_hash, erased_at)"
            " values (%s, gen_random_uuid(), %s, now() + interval '1 hour')",
            (business.tenant_id, cipher.wa_hash(installation.master, business.tenant_id, wa_id)),
        )

    rollup.rollup(installation, at=NOON)

    assert published.rows("select 1 from analytics_events where contact_id = $1", [contact_id]) == []


def test_no_name_number_or_text_reaches_the_warehouse(installation: Settings) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=5, days=5))
    rollup.rollup(installation, at=NOON)

    with connection.writer(installation) as warehouse:
        columns = warehouse.execute("select distinct column_name from duckdb_columns() where not internal").fetchall()
        hashes = warehouse.execute("select wa_hash from staging.stg_contacts").fetchall()

    assert {name for (name,) in columns}.isdisjoint({"name", "phone", "wa_id", "chat_id", "content", "body", "email"})
    assert all(len(found) == 32 for (found,) in hashes)


def test_coming_back_reopens_the_episode_before(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=5, days=9, until=NOON - timedelta(days=4))
    history.write(installation, past)
    rollup.rollup(installation, at=NOON)
    tenant_id, _, contact_id, *_ = past.episodes[0]
    came_back_at = NOON - timedelta(days=1)

    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "insert into episodes (tenant_id, contact_id, instance_id, start_reason, started_at)"
            " values (%s, %s, %s, 'reopen', %s)",
            (tenant_id, contact_id, business.instance_id, came_back_at),
        )
    rollup.rollup(installation, at=NOON)

    chained = published.rows("select outcome, reopened_at from episodes order by started_at")
    assert chained == [
        {"outcome": "autonomous", "reopened_at": came_back_at},
        {"outcome": "open", "reopened_at": None},
    ]


def test_every_column_has_the_type_that_is_told_of_it(installation: Settings) -> None:
    rollup.rollup(installation, at=NOON)

    with connection.writer(installation) as warehouse:
        for table, told in column_types.of_all().items():
            # As sql/raw.yml says for what lands, and as DuckDB finds by the SQL for what is made of it.
            found = warehouse.execute(f"describe select * from {table}").fetchall()
            assert {row[0]: row[1].lower() for row in found} == told, table
