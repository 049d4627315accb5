"""The hourly rollup as pandas does it, in an environment of its own: prints seconds and totals as JSON."""

import json
import sys
import time

import duckdb


def main() -> None:
    with duckdb.connect(sys.argv[1], read_only=True) as warehouse:
        started, started_cpu = time.perf_counter(), time.process_time()
        frame = warehouse.execute("from events").df()
        loaded, loaded_cpu = time.perf_counter(), time.process_time()
    counted = frame.assign(
        hour_at=frame["occurred_at"].dt.floor("h"),
        received=frame["event_type"] == "message_received",
        sent=frame["event_type"] == "message_sent",
        cost=frame["cost_micro_usd"].where(frame["event_type"] == "llm_attempt"),
    )
    rolled = counted.groupby(["tenant_id", "instance_id", "hour_at"])[["received", "sent", "cost"]].sum()
    done, done_cpu = time.perf_counter(), time.process_time()
    totals = [len(rolled), *(int(rolled[name].sum()) for name in ("received", "sent", "cost"))]
    told = {"load_seconds": loaded - started, "seconds": done - loaded, "totals": totals}
    print(json.dumps(told | {"load_cpu_seconds": loaded_cpu - started_cpu, "cpu_seconds": done_cpu - loaded_cpu}))


if __name__ == "__main__":
    main()
