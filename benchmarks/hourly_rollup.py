"""The hourly rollup beside a bare scan, loops over its days and hours, and peers: `mychatflow bench hourly_rollup`.

The ratios are of CPU seconds: wall time on a machine with other work means nothing, for the short ones least.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from benchmarks import report, rollup_models, rollup_peers
from benchmarks.rollup_peers import Cost, Limits, Refused, cost, same

_DAYS = 90
_TRIES = 3
# As traffic is: businesses of very different size (one for each 100,000 events, a thousand at most), most with one
# number; people write five times within minutes between eight and eight, and each message brings six events. Events
# that fall on any hour of any business at random make nearly as many groups as events, which no summary has. They
# stand in the order in which hourly landings bring them.
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
order by date_trunc('hour', began_at)
"""
_SCAN = (
    "select count(*), sum(tenant_id), sum(instance_id), sum(cost_micro_usd), max(occurred_at), max(event_type)"
    " from events"
)
Row = dict[str, report.Value]


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    sizes: dict[int, dict[str, Cost]] = {}
    with tempfile.TemporaryDirectory(prefix="mcf-bench-") as directory:
        for count in options.events:
            costs, rows = _measured(Path(directory), count, options)
            sizes[count] = costs
            report.show(f"hourly rollup of {count:,} events", rows)
            own = rollup_models.measured(Path(directory), count)
            report.show_goals(f"the product's models over {count:,} events", _of_models(own))
    report.show_goals("hourly rollup", [goal for count, costs in sizes.items() for goal in _goals(count, costs, sizes)])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--postgres", action="store_true", help="load the same events into a Postgres and group there")
    parser.add_argument(
        "--peers", type=Path, metavar="PYTHON", help="the Python of an environment with peers/rollup-requirements.txt"
    )
    parser.add_argument("--peer-gigabytes", type=float, default=8, help="memory that a peer may take")
    parser.add_argument("--peer-minutes", type=float, default=30, help="time that a peer may take")
    return parser


def _measured(directory: Path, count: int, options: argparse.Namespace) -> tuple[dict[str, Cost], list[Row]]:
    file = directory / f"events-{count}.duckdb"
    with duckdb.connect(str(file)) as warehouse:
        warehouse.execute("set threads = 2; set memory_limit = '6GB'")
        warehouse.execute(_EVENTS, {"count": count})
        costs, expected = _own(warehouse)
        groups = expected[0]
        warehouse.execute("checkpoint")
    rows = [_row(way, done, costs) | {"note": ""} for way, done in costs.items()]
    for way, ask in _peers(file, expected, options).items():
        try:
            costs[way] = ask()
            rows.append(_row(way, costs[way], costs) | {"note": ""})
        except Refused as refused:
            rows.append({"what": way, **dict.fromkeys(list(rows[0])[1:-1])} | {"note": str(refused)})
    file.unlink()
    return costs, [row | {"groups": groups} for row in rows]


def _own(warehouse: duckdb.DuckDBPyConnection) -> tuple[dict[str, Cost], tuple[int, ...]]:
    """The product's way, and the loops that it does not walk; all must make the same rows."""
    rollup = rollup_peers.ROLLUP.format(within="")
    costs = {
        "scan of the same columns": _best(lambda: warehouse.execute(_SCAN).fetchall()),
        "one statement": _best(lambda: warehouse.execute(f"create or replace table rolled as {rollup}")),
    }
    expected = warehouse.execute(rollup_peers.TOTALS).fetchall()[0]
    for name, hours in (("day by day", 24), ("hour by hour", 1)):
        warehouse.execute("truncate rolled")
        costs[name] = cost(lambda hours=hours: _in_steps(warehouse, range(0, _DAYS * 24, hours)))  # type: ignore[misc]
        same(warehouse.execute(rollup_peers.TOTALS).fetchall()[0], expected)
    costs["the newest day again"] = cost(lambda: _in_steps(warehouse, range((_DAYS - 1) * 24, _DAYS * 24, 24)))
    same(warehouse.execute(rollup_peers.TOTALS).fetchall()[0], expected)
    return costs, expected


def _best(work: Callable[[], object]) -> Cost:
    """The cheapest of some: the first reads a cold file, and these are the shortest."""
    return min((cost(work) for _ in range(_TRIES)), key=lambda done: done.cpu_seconds)


def _in_steps(warehouse: duckdb.DuckDBPyConnection, hours: range) -> None:
    """In one transaction: how long the disk takes to confirm thousands is not what is compared."""
    warehouse.execute("begin")
    for hour in hours:
        bounds = [f"timestamp '2026-01-01' + interval {hour + more} hour" for more in (0, hours.step)]
        within = "where {0} >= {1} and {0} < {2}"
        warehouse.execute(f"delete from rolled {within.format('hour_at', *bounds)}")
        warehouse.execute(
            f"insert into rolled {rollup_peers.ROLLUP.format(within=within.format('occurred_at', *bounds))}"
        )
    warehouse.execute("commit")


def _peers(file: Path, expected: tuple[int, ...], options: argparse.Namespace) -> dict[str, Callable[[], Cost]]:
    limits = Limits(gigabytes=options.peer_gigabytes, minutes=options.peer_minutes)
    asked: dict[str, Callable[[], Cost]] = {}
    if options.postgres:
        asked["Postgres"] = lambda: rollup_peers.postgres(file, expected, limits)
    if options.peers:
        asked["dbt-duckdb"] = lambda: rollup_peers.dbt(options.peers, file, expected, limits)
        asked["pandas"] = lambda: rollup_peers.pandas(options.peers, file, expected, limits)
    return asked


def _row(way: str, done: Cost, costs: dict[str, Cost]) -> Row:
    return {
        "what": way,
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "over_the_scan": done.cpu_seconds / costs["scan of the same columns"].cpu_seconds,
        "over_one_statement": done.cpu_seconds / costs["one statement"].cpu_seconds,
    }


def _of_models(costs: dict[str, Cost]) -> list[Row]:
    scan, rollup, day = (done.cpu_seconds for done in costs.values())
    return [
        report.goal("a scan of their columns", scan, "CPU s"),
        report.goal("32 counts by quarter and by hour, 90 days", rollup, "CPU s"),
        report.goal("÷ the scan", rollup / scan, ""),
        report.goal("÷ the scan, for each count", rollup / scan / 32, ""),
        report.goal("the newest day again", day, "CPU s", 0.3),
    ]


def _goals(count: int, costs: dict[str, Cost], sizes: dict[int, dict[str, Cost]]) -> Sequence[Row]:
    own = costs["one statement"].cpu_seconds
    least = min(sizes)
    goals = [
        report.goal("one statement ÷ scan", own / costs["scan of the same columns"].cpu_seconds, "", 3),
        report.goal("one statement ÷ hour by hour", own / costs["hour by hour"].cpu_seconds, "", 1 / 6),
        report.goal("the newest day again", costs["the newest day again"].cpu_seconds, "CPU s", 0.3),
        report.goal(
            f"CPU an event ÷ at {least:,}", own / count * least / sizes[least]["one statement"].cpu_seconds, "", 1.5
        ),
    ]
    if "Postgres" in costs:
        goals.append(report.goal("one statement ÷ Postgres", own / costs["Postgres"].cpu_seconds, "", 1 / 7))
    return [{"events": count} | goal for goal in goals]


if __name__ == "__main__":
    main()
