"""Gives back the disk of past months whose events or words are gone: deleting alone leaves their space taken."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final, Literal

import psycopg
from psycopg import sql
from psycopg.errors import LockNotAvailable

from mychatflow.settings import Settings

# What a row takes beside its columns: its header and the pointer to it.
_ROW_BYTES = 28
# Below it, writing a month anew frees less than it costs.
_WORTH_BYTES = 1 << 20
# Whoever reads a conversation waits while a month of it is written anew: a second, not minutes. Nobody reads events.
_MOST_BYTES: Final = {"analytics_events": float("inf"), "interactions": 128 << 20}
_MONTHS = """
select relname from pg_inherits inner join pg_class on pg_class.oid = inhrelid
where inhparent = %s::regclass and relname ~ '_[0-9]{4}_[0-9]{2}$' order by relname
"""
_LIVE = """
select count(*), coalesce(sum(pg_column_size(kept.*)), 0)::bigint
from {} as kept where occurred_at >= %s and occurred_at < %s
"""
Table = Literal["analytics_events", "interactions"]


def free(settings: Settings, table: Table, *, until: date) -> int:
    """Empty months become files of no length, half empty ones are written anew; returns the bytes that came back.

    Nothing writes months before `until`'s any more but imports of old history, which wait a moment or make us wait.
    """
    freed = 0
    with (
        psycopg.connect(settings.role_url("owner"), autocommit=True) as owner,
        psycopg.connect(settings.role_url("pipeline"), autocommit=True) as pipeline,
    ):
        owner.execute("set lock_timeout = '2s'")
        for name, first, after in _past_months(owner, table, until):
            before = _size(owner, name)
            if before > _MOST_BYTES[table]:
                continue
            live = sql.SQL(_LIVE).format(sql.Identifier(table))
            rows, live_bytes = pipeline.execute(live, (first, after)).fetchall()[0]
            try:
                _shrink(owner, name, before, rows, live_bytes + rows * _ROW_BYTES)
            except LockNotAvailable:
                # Somebody reads it: tomorrow's run comes by again.
                continue
            freed += before - _size(owner, name)
    return freed


def _past_months(owner: psycopg.Connection, table: Table, until: date) -> Iterator[tuple[str, datetime, datetime]]:
    for (name,) in owner.execute(_MONTHS, (table,)).fetchall():
        year, month = (int(part) for part in name.split("_")[-2:])
        first = datetime(year, month, 1, tzinfo=UTC)
        after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        if after.date() <= until:
            yield name, first, after


def _shrink(owner: psycopg.Connection, name: str, size: int, rows: int, live_bytes: int) -> None:
    table = sql.Identifier(name)
    if rows == 0 and size > 0:
        with owner.transaction():
            owner.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
            # Only without the wall the owner sees whether a row has come meanwhile.
            owner.execute(sql.SQL("alter table {} no force row level security").format(table))
            if owner.execute(sql.SQL("select 1 from {} limit 1").format(table)).fetchone() is None:
                owner.execute(sql.SQL("truncate {}").format(table))
            owner.execute(sql.SQL("alter table {} force row level security").format(table))
    elif size > _WORTH_BYTES and _heap(owner, name) > 2 * live_bytes:
        owner.execute(sql.SQL("vacuum (full, analyze) {}").format(table))


def _size(owner: psycopg.Connection, name: str) -> int:
    return int(owner.execute("select pg_total_relation_size(%s::regclass)", (name,)).fetchall()[0][0])


def _heap(owner: psycopg.Connection, name: str) -> int:
    return int(owner.execute("select pg_relation_size(%s::regclass)", (name,)).fetchall()[0][0])
