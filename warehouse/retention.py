"""Lets the warehouse forget single events that Postgres no longer keeps; daily numbers stay."""

# ruff: noqa: S608 — table names come from this file.

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from mychatflow.settings import Settings
from warehouse import connection

_TABLES = ("raw.analytics_events", "marts.analytics_events")


def forget_events(settings: Settings, before: Mapping[UUID, datetime]) -> int:
    """Delete each tenant's events older than its cutoff; returns how many facts went."""
    if not before:
        return 0
    with connection.writer(settings) as warehouse, connection.transaction(warehouse):
        known = {
            f"{schema}.{table}"
            for schema, table in warehouse.execute(
                "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
            ).fetchall()
        }
        deleted = [
            int(
                warehouse.execute(
                    f"delete from {table} where tenant_id = ? and occurred_at < ?", [tenant_id, cutoff]
                ).fetchall()[0][0]
            )
            for table in _TABLES
            if table in known
            for tenant_id, cutoff in before.items()
        ]
        warehouse.execute("insert into meta.unpublished values ('analytics_events', null, null)")
    return sum(deleted)
