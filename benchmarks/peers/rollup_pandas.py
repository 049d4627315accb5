"""The hourly rollup as pandas does it, in an environment of its own: prints seconds and totals as JSON."""

import json
import sys
import time

import duckdb


def main() -> None:
    with duckdb.connect(sys.argv[1], read_only=True) as warehouse:
        started = time.perf_counter()
        frame = warehouse.execute("from events").df()
        loaded = time.perf_counter()
    counted = frame.assign(
        hour_at=frame["occurred_at"].dt.floor("h"),
        received=frame["event_type"] == "message_received",
        sent=frame["event_type"] == "message_sent",
        cost=frame["cost_micro_usd"].where(frame["event_type"] == "llm_attempt"),
    )
    rolled = counted.groupby(["tenant_id", "instance_id", "hour_at"])[["received", "sent", "cost"]].sum()
    done = time.perf_counter()
    totals = [len(rolled), *(int(rolled[name].sum()) for name in ("received", "sent", "cost"))]
    print(json.dumps({"load_seconds": loaded - started, "seconds": done - loaded, "totals": totals}))


if __name__ == "__main__":
    main()
