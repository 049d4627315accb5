"""A day whose credits change after it was counted, as when a stopped campaign gives some back, is counted again."""

import duckdb

_HAS_USAGE = "select 1 from information_schema.tables where table_schema = 'raw' and table_name = 'usage_days'"
_TOUCH = """
insert into meta.pending_days
with
days as (
    select tenant_id, usage_date, newer.used as newer, older.used as older
    from raw.usage_days as newer
    full join usage_before as older using (tenant_id, usage_date)
),
begun as (
    select
        tenant_id,
        min(usage_date) filter (where newer is not null) as first_date,
        min(usage_date) filter (where older is not null) as known_date
    from days
    group by tenant_id
)
select usage_date, 0 from days where newer is distinct from older
union
-- From where the counter began on, a reply is no credit any more.
select cast(unnest(range(
    least(first_date, known_date) - 1,
    case
        when first_date is null or known_date is null then cast(timezone('UTC', landed_at) as date) + 1
        else greatest(first_date, known_date)
    end,
    interval 1 day
)) as date), 0
from begun inner join raw.tenants as tenants using (tenant_id)
where first_date is distinct from known_date
"""


def remember(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Set the credits aside before they land."""
    warehouse.execute("create or replace temp table usage_before (tenant_id uuid, usage_date date, used integer)")
    if warehouse.execute(_HAS_USAGE).fetchall():
        warehouse.execute("insert into usage_before select tenant_id, usage_date, used from raw.usage_days")


def touch_changed_days(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Remember every day whose credits are others now."""
    warehouse.execute(_TOUCH)
