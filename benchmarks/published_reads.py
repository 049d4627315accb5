"""Readers of the published numbers, marts against facts, new files all the time: `mychatflow bench published_reads`.

The largest of a thousand businesses asks; times are of the reading process's CPU.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import report
from mychatflow.settings import Settings
from warehouse import connection, publish
from warehouse.reader import NothingPublished, Reader

_UNTIL = datetime(2026, 4, 1, tzinfo=UTC)
_ASKED = 60
_PUBLICATIONS = 15
_FACTS = """
create or replace table marts.analytics_events as
select
    md5('tenant ' || floor(pow(random(), 3) * 1000))::uuid as tenant_id, uuid() as event_id,
    ['message_received', 'lead_scored', 'llm_attempt', 'message_sent', 'message_delivered', 'message_read']
        [1 + number % 6] as event_type,
    timestamptz '2026-04-01' - to_seconds(90 * 86400.0 * (number + 1) / $count) as occurred_at
from range($count) as numbers(number)
order by cast(occurred_at as date), tenant_id
"""
_MART = """
create or replace table marts.analytics_summary_hourly as
select
    tenant_id, date_trunc('hour', occurred_at) as hour_at,
    count(*) filter (where event_type = 'message_received') as message_received_count,
    count(*) filter (where event_type = 'message_sent') as message_sent_count
from marts.analytics_events group by all order by tenant_id, hour_at
"""
_LARGEST = "select mode(tenant_id) as tenant_id from analytics_events"
_OF_MART = """
select cast(hour_at as date) as day, sum(message_received_count)::bigint as received, sum(message_sent_count)::bigint
from analytics_summary_hourly where tenant_id = $tenant_id and hour_at >= $since group by 1 order by 1
"""
_OF_FACTS = """
select
    cast(occurred_at as date) as day, count(*) filter (where event_type = 'message_received') as received,
    count(*) filter (where event_type = 'message_sent')
from analytics_events where tenant_id = $tenant_id and occurred_at >= $since group by 1 order by 1
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000, help="events in 90 days")
    parser.add_argument("--publishing", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.publishing:
        return _publish(options.publishing)
    with tempfile.TemporaryDirectory(prefix="mcf-bench-") as directory:
        settings = _settings(Path(directory))
        with connection.writer(settings) as warehouse:
            warehouse.execute(_FACTS, {"count": options.events})
            warehouse.execute(_MART)
            publish.publish(settings, warehouse, at=_UNTIL, data_through=_UNTIL)
        reader = Reader(publish.published_dir(settings))
        asked = {"tenant_id": reader.rows(_LARGEST)[0]["tenant_id"], "since": _UNTIL - timedelta(days=28)}
        if list(map(tuple, _values(reader, _OF_MART, asked))) != list(map(tuple, _values(reader, _OF_FACTS, asked))):
            raise SystemExit("the mart and the facts answer differently, so the times mean nothing")
        mart, facts = (_milliseconds(reader, sql, asked) for sql in (_OF_MART, _OF_FACTS))
        swaps, reads, errors = _beside_a_publisher(Path(directory), reader, asked)
    report.show(
        "published reads",
        [
            report.goal("mart ÷ facts, median", report.percentile(mart, 0.5) / report.percentile(facts, 0.5), "", 0.2),
            report.goal("mart, p95", report.percentile(mart, 0.95), "CPU ms", 20),
            report.goal("facts, p95", report.percentile(facts, 0.95), "CPU ms"),
            report.goal("a new file and its first answer, p95", report.percentile(swaps, 0.95), "CPU ms", 10),
            report.goal("reads while publishing", reads, ""),
            report.goal("of these with an error", errors, "", 0),
        ],
    )
    return 0


def _settings(directory: Path) -> Settings:
    return Settings(
        _env_file=None, MYCHATFLOW_DATA_DIR=directory, warehouse_url=f"duckdb:///{directory}/warehouse.duckdb"
    )


def _publish(directory: Path) -> int:
    """One day changes again and again: each time a new file."""
    settings = _settings(directory)
    for _ in range(_PUBLICATIONS):
        with connection.writer(settings) as warehouse:
            ends = [_UNTIL - timedelta(days=1), _UNTIL]
            warehouse.execute("insert into meta.unpublished values ('analytics_summary_hourly', ?, ?, null)", ends)
            publish.publish(settings, warehouse, at=_UNTIL, data_through=_UNTIL)
    return 0


def _milliseconds(reader: Reader, sql: str, asked: dict[str, Any]) -> list[float]:
    found = []
    for _ in range(_ASKED):
        started = time.process_time()
        reader.rows(sql, asked)
        found.append((time.process_time() - started) * 1000)
    return found


def _values(reader: Reader, sql: str, asked: dict[str, Any]) -> list[Any]:
    return [row.values() for row in reader.rows(sql, asked)]


def _beside_a_publisher(directory: Path, reader: Reader, asked: dict[str, Any]) -> tuple[list[float], int, int]:
    """What a reader takes when it meets a new file, how often it read, and how often in vain."""
    publisher = subprocess.Popen([sys.executable, "-m", "benchmarks.published_reads", "--publishing", str(directory)])
    swaps, reads, errors, version = [], 0, 0, reader.version()
    while publisher.poll() is None:
        newest = reader.version()
        started = time.process_time()
        try:
            reader.rows(_OF_MART, asked)
        except (duckdb.Error, NothingPublished):
            errors += 1
        if newest != version:
            swaps.append((time.process_time() - started) * 1000)
        version, reads = newest, reads + 1
        time.sleep(0.01)
    if publisher.returncode:
        raise SystemExit("publishing failed")
    return swaps, reads, errors


if __name__ == "__main__":
    main()
