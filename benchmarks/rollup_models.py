"""The product's own hourly rollup, thirty-two counts by quarter and by hour, beside a scan of the columns it reads."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from benchmarks.rollup_peers import Cost, cost
from warehouse import models
from warehouse.windows import Window

_DAYS: Final = 90
_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_MODELS: Final = ("int_activity_quarter_hourly", "analytics_summary_hourly")
# The same conversations as `events` has, with the columns that the models read; silence cooled nobody down.
_FACTS: Final = f"""
create table raw.analytics_events as
with
begun as materialized (
    select
        cast(pow(random(), 3) * greatest(10, least(1000, $count // 100000)) as integer) as tenant,
        cast(pow(random(), 3) * 3 as integer) as instance,
        timestamptz '2026-01-01 08:00' + interval 1 day * (number * {_DAYS} // $count)
            + to_seconds(random() * 12 * 3600) as began_at
    from range(0, $count, 30) as numbers(number)
),
conversations as (
    select
        md5('tenant ' || tenant)::uuid as tenant_id,
        md5('number ' || tenant || ' ' || instance)::uuid as instance_id,
        began_at
    from begun
),
steps as materialized (
    select
        *,
        ['message_received', 'lead_scored', 'llm_attempt', 'message_sent', 'message_delivered', 'message_read']
            [1 + step % 6] as event_type,
        random() as chance
    from conversations cross join range(30) as steps(step)
)
select
    tenant_id, instance_id, event_type,
    case event_type when 'message_received' then if(chance < 0.9, 'text', 'image') end as type,
    case event_type when 'message_sent' then if(chance < 0.9, 'agent', 'human') end as author,
    case event_type when 'lead_scored' then 'inbound' end as cause,
    case event_type when 'llm_attempt' then if(chance < 0.98, 'ok', 'failed') end as outcome,
    case event_type when 'message_received' then chance < 0.3 end as is_question,
    case event_type when 'message_sent' then chance < 0.02 end as used_fallback,
    case event_type when 'llm_attempt' then cast(chance * 500 as bigint) end as cost_micro_usd,
    began_at + to_seconds(step // 6 * 40 + step % 6) as occurred_at,
    null::varchar as reason, null::uuid as part_of, null::uuid as event_id, null::uuid as contact_id,
    null::uuid as episode_id, null::json as properties, 1::bigint as batch, null::timestamptz as ingested_at
from steps
order by date_trunc('hour', began_at)
"""
_BESIDE: Final = """
create table staging.stg_lead_scores (tenant_id uuid, contact_id uuid, cause varchar, as_of timestamptz);
create table staging.stg_contacts (tenant_id uuid, contact_id uuid, instance_id uuid)
"""
_SCAN: Final = """
select
    count(*), max(tenant_id), max(instance_id), max(event_type), max(type), max(author), max(cause), max(reason),
    max(outcome), sum(is_question::int), sum(used_fallback::int), max(part_of), sum(cost_micro_usd), max(occurred_at)
from raw.analytics_events
"""
_COUNTED: Final = "select sum(message_received_count), sum(message_sent_count), sum(cost_micro_usd) from {}"


def measured(directory: Path, count: int) -> dict[str, Cost]:
    """A scan, 90 days in one statement a model, and the newest day again; every message is counted once each time."""
    file = directory / "models.duckdb"
    with duckdb.connect(str(file)) as warehouse:
        warehouse.execute("set threads = 2; set memory_limit = '6GB'; set timezone = 'UTC'")
        for schema in ("raw", "staging", "intermediate", "marts"):
            warehouse.execute(f"create schema {schema}")
        warehouse.execute(_FACTS, {"count": count})
        warehouse.execute(_BESIDE)
        warehouse.execute(f"create view staging.stg_events as {models.by_name('stg_events').sql}")
        warehouse.execute("set preserve_insertion_order = false")
        whole = Window(start=_SINCE, end=_SINCE + timedelta(days=_DAYS))
        scans = [cost(lambda: warehouse.execute(_SCAN).fetchall()) for _ in range(3)]
        found = {
            "scan of the models' columns": min(scans, key=lambda done: done.cpu_seconds),
            "the product's models": cost(lambda: _compute(warehouse, whole)),
        }
        newest = Window(start=whole.end - timedelta(days=1), end=whole.end)
        found["their newest day again"] = cost(lambda: _compute(warehouse, newest))
        _must_count_all(warehouse, count)
    file.unlink()
    return found


def _compute(warehouse: duckdb.DuckDBPyConnection, window: Window) -> None:
    """As a run does: what the window held goes, and one statement a model brings it anew."""
    for name, instant in (("window_start", window.start), ("window_end", window.end)):
        warehouse.execute(f"set variable {name} = timestamptz '{instant.isoformat()}'")
    for model in map(models.by_name, _MODELS):
        column = model.promise.time_column
        warehouse.execute(f"create table if not exists {model.table} as select * from ({model.sql}) limit 0")
        warehouse.execute(
            f"delete from {model.table} where {column} >= '{window.start.isoformat()}'"
            f" and {column} < '{window.end.isoformat()}'"
        )
        warehouse.execute(f"insert into {model.table} by name {model.sql}")


def _must_count_all(warehouse: duckdb.DuckDBPyConnection, count: int) -> None:
    spent = warehouse.execute("select sum(cost_micro_usd) from raw.analytics_events").fetchall()[0][0]
    steps = -(-count // 30) * 5
    for name in _MODELS:
        found = warehouse.execute(_COUNTED.format(models.by_name(name).table)).fetchall()[0]
        if found != (steps, steps, spent):
            raise SystemExit(f"{name} counted {found}, not {(steps, steps, spent)}: the times mean nothing")
