"""Publishing one changed day against writing every mart anew: `mychatflow bench publication`."""

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta

import duckdb

from benchmarks import report
from mychatflow.settings import Settings
from warehouse import connection, publish

_DAY = datetime(2026, 3, 1, tzinfo=UTC)
_EVENTS = """
create or replace table marts.analytics_events as
select
    uuid() as tenant_id, uuid() as event_id, uuid() as instance_id, uuid() as contact_id, uuid() as episode_id,
    'message_received' as event_type, '{"type": "text", "language": "es", "length": ' || number || '}' as properties,
    timestamptz '2026-03-02' - to_seconds(number * 86400 * 90 // $count) as occurred_at, now() as ingested_at
from range($count) as numbers(number)
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events in 90 days")
    count = parser.parse_args(arguments).events
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(_env_file=None, warehouse_url=f"duckdb:///{directory}/warehouse.duckdb")
        with connection.writer(settings) as warehouse:
            warehouse.execute(_EVENTS, {"count": count})
            whole = _timed(settings, warehouse)
            ends = [_DAY, _DAY + timedelta(days=1)]
            warehouse.execute("insert into meta.unpublished values ('analytics_events', ?, ?, null)", ends)
            changed = _timed(settings, warehouse)
    rows: list[dict[str, report.Value]] = [
        {"publication": "whole", "events": count, "cpu_seconds": whole},
        {"publication": "one day", "events": count, "cpu_seconds": changed, "whole_over_this": whole / changed},
    ]
    report.show("publication", rows)
    return 0


def _timed(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> float:
    started = time.process_time()
    publish.publish(settings, warehouse, at=_DAY, data_through=_DAY)
    return time.process_time() - started


if __name__ == "__main__":
    main()
