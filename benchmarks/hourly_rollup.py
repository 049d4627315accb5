"""The hourly rollup beside a bare scan, a loop over days, Postgres, dbt, pandas: `mychatflow bench hourly_rollup`.

The ratios are of CPU seconds: wall time on a machine with other work means nothing, for the short ones least.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
import psycopg

from benchmarks import report
from benchmarks.processes import tree_seconds
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings

_DAYS = 90
_DBT = Path(__file__).with_name("peers") / "rollup_dbt"
# As traffic is: businesses of very different size (one for each 100,000 events, a thousand at most), most with one
# number; people write five times within minutes between eight and eight, and each message brings six events. Events
# that fall on any hour of any business at random make nearly as many groups as events, which no summary has.
_EVENTS = f"""
create table events as
with
conversations as (
    select
        number // 30 as conversation,
        cast(pow(random(), 3) * greatest(10, least(1000, $count // 100000)) as integer) as tenant_id,
        cast(pow(random(), 3) * 3 as integer) as instance_id,
        timestamp '2026-01-01 08:00' + interval 1 day * (number * {_DAYS} // $count)
            + to_seconds(random() * 12 * 3600) as began_at
    from range(0, $count, 30) as numbers(number)
)
select
    tenant_id,
    instance_id,
    ['message_received', 'lead_scored', 'llm_attempt', 'message_sent', 'message_delivered', 'message_read']
        [1 + step % 6] as event_type,
    cast(random() * 500 as bigint) as cost_micro_usd,
    began_at + to_seconds(step // 6 * 40 + step % 6) as occurred_at
from conversations cross join range(30) as steps(step)
order by cast(began_at as date)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    seconds: float
    cpu_seconds: float


def _measured(directory: Path, count: int, options: argparse.Namespace) -> list[dict[str, report.Value]]:
    file = directory / f"events-{count}.duckdb"
    costs: dict[str, _Cost] = {}
    with duckdb.connect(str(file)) as warehouse:
        warehouse.execute("set threads = 2")
        warehouse.execute(_EVENTS, {"count": count})
        costs["scan of the same columns"] = _cost(lambda: warehouse.execute(_SCAN).fetchall())
        rollup = _ROLLUP.format(within="")
        costs["one statement"] = _cost(lambda: warehouse.execute(f"create table rolled as {rollup}"))
        expected = warehouse.execute(_TOTALS).fetchall()[0]
        costs["day by day"] = _cost(lambda: _by_days(warehouse))
        _same(warehouse.execute(_TOTALS).fetchall()[0], expected)
        if options.postgres:
            costs["Postgres"] = _postgres(directory, warehouse, expected)
    # The others open the file themselves.
    if options.peers:
        costs["dbt-duckdb"] = _dbt(options.peers, file, expected)
        costs["pandas, in memory"], costs["pandas with reading"] = _pandas(options.peers, file, expected)
    file.unlink()
    return [_row(way, cost, costs) | {"events": count, "groups": expected[0]} for way, cost in costs.items()]


def _row(way: str, cost: _Cost, costs: dict[str, _Cost]) -> dict[str, report.Value]:
    return {
        "way": way,
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "over_the_scan": cost.cpu_seconds / costs["scan of the same columns"].cpu_seconds,
        "over_one_statement": cost.cpu_seconds / costs["one statement"].cpu_seconds,
    }


def _by_days(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("delete from rolled")
    for day in range(_DAYS):
        bounds = [f"timestamp '2026-01-01' + interval {day + more} day" for more in (0, 1)]
        within = f"where occurred_at >= {bounds[0]} and occurred_at < {bounds[1]}"
        warehouse.execute(f"insert into rolled {_ROLLUP.format(within=within)}")


def _dbt(python: Path, file: Path, expected: tuple[int, ...]) -> _Cost:
    """The whole command as a schedule would run it, Python's start included."""
    where = ["--project-dir", str(_DBT), "--profiles-dir", str(_DBT), "--target-path", str(file.parent / "target")]
    command = [str(python.parent / "dbt"), "--quiet", "--log-path", str(file.parent), "run", *where]
    cost = _cost(lambda: subprocess.run(command, env=os.environ | {"ROLLUP_FILE": str(file)}, check=True))
    with duckdb.connect(str(file), read_only=True) as warehouse:
        found = warehouse.execute(_TOTALS.replace("rolled", "rolled_by_dbt")).fetchone()
    _same(found, expected)
    return cost


def _pandas(python: Path, file: Path, expected: tuple[int, ...]) -> tuple[_Cost, _Cost]:
    command = [python, Path(__file__).with_name("peers") / "rollup_pandas.py", file]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    _same(tuple(told["totals"]), expected)
    grouping = _Cost(seconds=told["seconds"], cpu_seconds=told["cpu_seconds"])
    return grouping, _Cost(
        seconds=told["seconds"] + told["load_seconds"], cpu_seconds=told["cpu_seconds"] + told["load_cpu_seconds"]
    )


def _postgres(directory: Path, warehouse: duckdb.DuckDBPyConnection, expected: tuple[int, ...]) -> _Cost:
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
            rollup = f"create table rolled as {_ROLLUP.format(within='')}"
            cost = _cost(lambda: connection.execute(rollup), of=server.pid)
            found = connection.execute(_TOTALS).fetchone()
    finally:
        server.stop()
    _same(found, expected)
    return cost


def _same(found: tuple[int, ...] | None, expected: tuple[int, ...]) -> None:
    if found != expected:
        raise SystemExit(f"the results differ, so the times mean nothing: {found} is not {expected}")


def _cost(work: Callable[[], object], *, of: int | None = None) -> _Cost:
    """What the work takes of the clock, and of the CPU in this process tree or in that of another."""
    measured = psutil.Process(of)
    started, before = time.perf_counter(), tree_seconds(measured)
    work()
    return _Cost(seconds=time.perf_counter() - started, cpu_seconds=tree_seconds(measured) - before)


if __name__ == "__main__":
    main()
