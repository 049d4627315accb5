"""A day whose credits change after it was counted, as when a stopped campaign gives some back, is counted again."""

import duckdb

_HAS_USAGE = "select 1 from information_schema.tables where table_schema = 'raw' and table_name = 'usage_days'"
_TOUCH = """
insert into meta.pending_days
select distinct usage_date, 0
from (
    select coalesce(newer.usage_date, older.usage_date) as usage_date
    from raw.usage_days as newer
    full join usage_before as older using (tenant_id, usage_date)
    where newer.used is distinct from older.used
) as changed
"""


def remember(warehouse: duckdb.DuckDBPyConnection) -> bool:
    """Set the credits aside before they land; False when none ever landed."""
    if not warehouse.execute(_HAS_USAGE).fetchall():
        return False
    warehouse.execute(
        "create or replace temp table usage_before as select tenant_id, usage_date, used from raw.usage_days"
    )
    return True


def touch_changed_days(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Remember every day whose credits are others now."""
    warehouse.execute(_TOUCH)
