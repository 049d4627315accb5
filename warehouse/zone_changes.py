"""A tenant that moves to another time zone gets all its local days computed again."""

import duckdb

_HAS_TENANTS = "select 1 from information_schema.tables where table_schema = 'raw' and table_name = 'tenants'"
# A day more on either side: in the new zone the same instants may fall on the day before or after.
_TOUCH = """
insert into meta.pending_days
with
movers as (
    select tenants.tenant_id from raw.tenants as tenants
    inner join zones_before using (tenant_id)
    where tenants.timezone <> zones_before.timezone
),
days as (
    select distinct cast(timezone('UTC', occurred_at) as date) as utc_date
    from raw.analytics_events semi join movers using (tenant_id)
    union
    select distinct cast(timezone('UTC', started_at) as date)
    from raw.episodes semi join movers using (tenant_id)
    union
    -- Silence writes no event: weeks after the last one it still cools.
    select distinct cast(timezone('UTC', as_of) as date)
    from raw.lead_score_events semi join movers using (tenant_id)
)
select distinct utc_date + unnest([-1, 0, 1]), 0 from days
"""


def remember(warehouse: duckdb.DuckDBPyConnection) -> bool:
    """Set the zones aside before tenants land; False when no tenant ever landed."""
    if not warehouse.execute(_HAS_TENANTS).fetchall():
        return False
    warehouse.execute("create or replace temp table zones_before as select tenant_id, timezone from raw.tenants")
    return True


def touch_days_of_movers(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Remember every day of the tenants whose zone is another one now."""
    warehouse.execute(_TOUCH)
