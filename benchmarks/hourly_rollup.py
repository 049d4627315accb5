"""The hourly rollup beside a bare scan, a loop over days, Postgres, dbt, pandas: `mychatflow bench hourly_rollup`."""

import argparse
import json
import os
import subprocess
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
_DBT = Path(__file__).with_name("peers") / "rollup_dbt"
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
    parser.add_argument(
        "--peers", type=Path, metavar="PYTHON", help="the Python of an environment with peers/rollup-requirements.txt"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mcf-bench-") as directory:
        for count in options.events:
            report.show("hourly rollup", _measured(Path(directory), count, options))
    return 0


def _measured(directory: Path, count: int, options: argparse.Namespace) -> list[dict[str, report.Value]]:
    file = directory / f"events-{count}.duckdb"
    with duckdb.connect(str(file)) as warehouse:
        warehouse.execute("set threads = 2")
        warehouse.execute(_EVENTS, {"count": count})
        scan = _seconds(lambda: warehouse.execute(_SCAN).fetchall())
        whole = _seconds(lambda: warehouse.execute(f"create table rolled as {_ROLLUP.format(within='')}"))
        expected = warehouse.execute(_TOTALS).fetchall()[0]
        rows = [_row("scan of the same columns", count, scan, whole), _row("one statement", count, whole, whole)]
        rows.append(_row("day by day", count, _seconds(lambda: _by_days(warehouse)), whole))
        _same(warehouse.execute(_TOTALS).fetchall()[0], expected)
        if options.postgres:
            rows.append(_row("Postgres", count, _postgres(directory, warehouse, expected), whole))
    # The others open the file themselves.
    if options.peers:
        rows.append(_row("dbt-duckdb", count, _dbt(options.peers, file, expected), whole))
        seconds, load_seconds = _pandas(options.peers, file, expected)
        rows.append(_row("pandas, in memory", count, seconds, whole))
        rows.append(_row("pandas with reading", count, seconds + load_seconds, whole))
    file.unlink()
    return rows


def _row(who: str, count: int, seconds: float, whole: float) -> dict[str, report.Value]:
    return {"way": who, "events": count, "seconds": seconds, "over_one_statement": seconds / whole}


def _by_days(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("delete from rolled")
    for day in range(_DAYS):
        bounds = [f"timestamp '2026-01-01' + interval {day + more} day" for more in (0, 1)]
        within = f"where occurred_at >= {bounds[0]} and occurred_at < {bounds[1]}"
        warehouse.execute(f"insert into rolled {_ROLLUP.format(within=within)}")


def _dbt(python: Path, file: Path, expected: tuple[int, ...]) -> float:
    """The whole command as a schedule would run it, Python's start included."""
    where = ["--project-dir", str(_DBT), "--profiles-dir", str(_DBT), "--target-path", str(file.parent / "target")]
    command = [python.parent / "dbt", "--quiet", "--log-path", str(file.parent), "run", *where]
    seconds = _seconds(lambda: subprocess.run(command, env=os.environ | {"ROLLUP_FILE": str(file)}, check=True))
    with duckdb.connect(str(file), read_only=True) as warehouse:
        found = warehouse.execute(_TOTALS.replace("rolled", "rolled_by_dbt")).fetchone()
    _same(found, expected)
    return seconds


def _pandas(python: Path, file: Path, expected: tuple[int, ...]) -> tuple[float, float]:
    command = [python, Path(__file__).with_name("peers") / "rollup_pandas.py", file]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    _same(tuple(told["totals"]), expected)
    return told["seconds"], told["load_seconds"]


def _postgres(directory: Path, warehouse: duckdb.DuckDBPyConnection, expected: tuple[int, ...]) -> float:
    file = directory / "events.csv"
    warehouse.execute(f"copy events to '{file}' (header false)")
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=directory)
    server = EmbeddedPostgres(settings)
    server.start()
    try:
        with psycopg.connect(server.admin_url(), autocommit=True) as connection:
            connection.execute("drop table if exists events, rolled")
            connection.execute(
                "create unlogged table events (tenant_id int, instance_id int, event_type text, cost_micro_usd bigint,"
                " occurred_at timestamp)"
            )
            with file.open("rb") as rows, connection.cursor().copy("copy events from stdin (format csv)") as copy:
                while piece := rows.read(1 << 20):
                    copy.write(piece)
            file.unlink()
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
