"""A landing that is larger than one of the file's row groups reaches the readers whole."""

import psycopg

from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import rollup
from warehouse.reader import Reader

# A row group of DuckDB holds 122,880 rows.
_COUNT = 130_000


def test_the_first_landing_of_a_business_with_a_past_is_published_whole(
    installation: Settings, published: Reader
) -> None:
    business = history.a_business(installation)
    with psycopg.connect(installation.role_url("engine")) as connection:
        connection.execute(
            "insert into analytics_events (tenant_id, event_id, occurred_at, event_type, instance_id, properties)"
            " select %s, gen_random_uuid(), %s - n * interval '1 minute', 'message_received', %s, '{}'"
            " from generate_series(1, %s) as n",
            (business.tenant_id, NOON, business.instance_id, _COUNT),
        )

    rollup.rollup(installation, at=NOON)

    assert published.rows("select count(*)::bigint as n from analytics_events") == [{"n": _COUNT}]
    counted = "select sum(message_received_count)::bigint as n from analytics_summary_daily"
    assert published.rows(counted) == [{"n": _COUNT}]
