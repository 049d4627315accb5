"""The hourly rollup beside a bare scan, a day-by-day loop, Postgres and pandas: `mychatflow bench hourly_rollup`."""

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg

from benchmarks import report
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings

_DAYS = 90
# A few tenants write most: a tenth of them about half.
_EVENTS = f"""
create table events as
select
    cast(pow(random(), 3) * 1000 as integer) as tenant_id,
    cast(random() * 3 as integer) as instance_id,
    case number % 4 when 0 then 'message_received' when 1 then 'llm_attempt' else 'message_sent' end as event_type,
    cast(random() * 500 as bigint) as cost_micro_usd,
    timestamp '2026-01-01' + to_microseconds(cast(number * {_DAYS} * 86400e6 / $count as bigint)) as occurred_at
from range($count) as numbers(number)
"""
_ROLLUP = """
select
    tenant_id, instance_id, date_trunc('hour', occurred_at) as hour_at,
    count(*) filter (where event_type = 'message_received') as received,
    count(*) filter (where event_type = 'message_sent') as sent,
    sum(cost_micro_usd) filter (where event_type = 'llm_attempt') as cost
from events {within} group by 1, 2, 3
"""
_SCAN = (
    "select count(*), sum(tenant_id), sum(instance_id), sum(cost_micro_usd), max(occurred_at), max(event_type)"
    " from events"
)
_TOTALS = "select count(*)::bigint, sum(received)::bigint, sum(sent)::bigint, sum(cost)::bigint from rolled"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--postgres", action="store_true", help="load the same events into a Postgres and group there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mcf-bench-") as directory:
        for count in options.events:
            report.show("hourly rollup", _measured(Path(directory), count, with_postgres=options.postgres))
    return 0


def _measured(directory: Path, count: int, *, with_postgres: bool) -> list[dict[str, report.Value]]:
    with duckdb.connect(str(directory / f"events-{count}.duckdb")) as warehouse:
        warehouse.execute("set threads = 2")
        warehouse.execute(_EVENTS, {"count": count})
        scan = _seconds(lambda: warehouse.execute(_SCAN).fetchall())
        whole = _seconds(lambda: warehouse.execute(f"create table rolled as {_ROLLUP.format(within='')}"))
        expected = warehouse.execute(_TOTALS).fetchall()[0]
        rows = [_row("scan of the same columns", count, scan, whole), _row("one statement", count, whole, whole)]
        rows.append(_row("day by day", count, _seconds(lambda: _by_days(warehouse)), whole))
        _same(warehouse.execute(_TOTALS).fetchall()[0], expected)
        if importlib.util.find_spec("pandas"):
            rows.append(_row("pandas, in memory", count, _pandas(warehouse), whole))
        if with_postgres:
            rows.append(_row("Postgres", count, _postgres(directory, warehouse, expected), whole))
    return rows


def _row(who: str, count: int, seconds: float, whole: float) -> dict[str, report.Value]:
    return {"way": who, "events": count, "seconds": seconds, "over_one_statement": seconds / whole}


def _by_days(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("delete from rolled")
    for day in range(_DAYS):
        bounds = [f"timestamp '2026-01-01' + interval {day + more} day" for more in (0, 1)]
        within = f"where occurred_at >= {bounds[0]} and occurred_at < {bounds[1]}"
        warehouse.execute(f"insert into rolled {_ROLLUP.format(within=within)}")


def _pandas(warehouse: duckdb.DuckDBPyConnection) -> float:
    frame = warehouse.execute("from events").df()

    def rolled() -> None:
        hours = frame["occurred_at"].dt.floor("h")
        counted = frame.assign(
            received=frame["event_type"] == "message_received",
            sent=frame["event_type"] == "message_sent",
            cost=frame["cost_micro_usd"].where(frame["event_type"] == "llm_attempt"),
        )
        counted.groupby(["tenant_id", "instance_id", hours])[["received", "sent", "cost"]].sum()

    return _seconds(rolled)


def _postgres(directory: Path, warehouse: duckdb.DuckDBPyConnection, expected: tuple[int, ...]) -> float:
    file = directory / "events.csv"
    warehouse.execute(f"copy events to '{file}' (header false)")
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=directory)
    server = EmbeddedPostgres(settings)
    server.start()
    try:
        with psycopg.connect(server.admin_url(), autocommit=True) as connection:
            connection.execute(
                "create unlogged table events (tenant_id int, instance_id int, event_type text, cost_micro_usd bigint,"
                " occurred_at timestamp)"
            )
            with file.open("rb") as rows, connection.cursor().copy("copy events from stdin (format csv)") as copy:
                while piece := rows.read(1 << 20):
                    copy.write(piece)
            connection.execute("vacuum analyze events")
            seconds = _seconds(lambda: connection.execute(f"create table rolled as {_ROLLUP.format(within='')}"))
            found = connection.execute(_TOTALS).fetchone()
    finally:
        server.stop()
    _same(found, expected)
    return seconds


def _same(found: tuple[int, ...] | None, expected: tuple[int, ...]) -> None:
    if found != expected:
        raise SystemExit(f"the results differ, so the times mean nothing: {found} is not {expected}")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
