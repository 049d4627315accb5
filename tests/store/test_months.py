"""The months of the large tables are all kept alike, whether a migration found them or they were made later."""

import psycopg
import pytest

from mychatflow.settings import Settings
from mychatflow.store.schema import PARTITIONED

_STORAGE = """
select inhrelid::regclass::text, (select array_agg(setting order by setting) from unnest(reloptions) as setting)
from pg_inherits
inner join pg_class on pg_class.oid = inhrelid
where inhparent = %s::regclass
"""


@pytest.mark.parametrize("table", PARTITIONED)
def test_a_later_month_is_stored_as_those_before(fresh: Settings, table: str) -> None:
    with psycopg.connect(fresh.role_url("engine")) as connection:
        storage: dict[str, list[str]] = dict(connection.execute(_STORAGE, (table,)).fetchall())

    assert len(storage) > 10
    assert f"{table}_other" in storage
    assert "autovacuum_analyze_threshold=10000" in storage[f"{table}_other"]
    assert len({tuple(options) for options in storage.values()}) == 1
