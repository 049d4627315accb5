"""The months of messages are all kept alike, whether a migration found them or they were made later."""

import psycopg

from mychatflow.settings import Settings

_STORAGE = """
select inhrelid::regclass::text, (select array_agg(setting order by setting) from unnest(reloptions) as setting)
from pg_inherits
inner join pg_class on pg_class.oid = inhrelid
where inhparent = 'interactions'::regclass
"""


def test_a_later_month_is_stored_as_those_before(fresh: Settings) -> None:
    with psycopg.connect(fresh.role_url("engine")) as connection:
        storage: dict[str, list[str]] = dict(connection.execute(_STORAGE).fetchall())

    assert len(storage) > 10
    assert "interactions_other" in storage
    assert {tuple(options) for options in storage.values()} == {("fillfactor=70",)}
