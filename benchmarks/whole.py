"""The whole product at once: many active conversations, Dagster on its schedules, people at the dashboards.

Starts `mychatflow up --demo` in a directory of its own, with a gateway and a model (1 s) of ours in other processes.
Each conversation writes once a minute, from its due time, whatever the product does. The soak is `--minutes 60
--conversations 5000`.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from benchmarks import numbered, report, watch
from benchmarks.processes import CHECKOUT, children_seconds
from benchmarks.product import Product, product
from benchmarks.report import goal
from benchmarks.traffic import Seen, Traffic, deliveries, messages, post, until_answered, write
from benchmarks.watch import Watch
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE
from tests.fakes.llm import ABOUT_NUMBERS

Row = dict[str, report.Value]
_LARGEST_LOAD = 1.0
_MODEL_MS, _DEBOUNCE_MS = 1000, 500
_WARM_UP_SECONDS = 10.0
_DAY_SECONDS = 60.0


@contextmanager
def days_anew(running: Product) -> Iterator[None]:
    """The largest plan ends at 50,000 messages a day, and ten minutes bring twice that: each minute begins a day."""
    over, url = threading.Event(), EmbeddedPostgres(running.settings).admin_url(DATABASE)

    def begin_days() -> None:
        while not over.wait(_DAY_SECONDS):
            with psycopg.connect(url) as connection:
                connection.execute("update usage_days set used = 0 where tenant_id = %s", (running.tenant.tenant_id,))

    beginning = threading.Thread(target=begin_days, daemon=True)
    beginning.start()
    try:
        yield
    finally:
        over.set()
        beginning.join()


def observe(running: Product, traffic: Traffic, *, viewers: int) -> tuple[Seen, list[dict[str, Any]], Watch, float]:
    """Write and look for so long; everything that was acknowledged has its answer, or never gets one.

    Last the seconds of CPU that the generator took: its work is the same in every run, so they tell the host's pace.
    """
    settings, tenant = running.settings, running.tenant
    post(f"{running.model}/_control", {"reply": ABOUT_NUMBERS})
    write(settings, tenant, traffic, seconds=_WARM_UP_SECONDS, out="warm-up")
    until_answered(running.gateway, messages(settings, "warm-up"), traffic)
    already = {chat: len(rows) for chat, rows in deliveries(running.gateway, tenant).items()}
    clicks = settings.data_dir / "clicks.jsonl"
    command = [sys.executable, "-m", "benchmarks.viewers", "--url", running.dashboards, "--viewers", str(viewers)]
    command += ["--seconds", str(traffic.seconds), "--out", str(clicks)]
    with Watch(running) as watched, days_anew(running):
        looking = subprocess.Popen(command, cwd=CHECKOUT)
        try:
            before = children_seconds()
            write(settings, tenant, traffic, seconds=traffic.seconds, out="load")
            generating = children_seconds() - before
            # A last page may still come.
            is_broken = looking.wait(timeout=300) != 0
        finally:
            looking.kill()
    if is_broken:
        sys.exit("the viewers ended early: what they say stands above")
    written = messages(settings, "load")
    until_answered(running.gateway, written, traffic, already=sum(already.values()))
    answers = {chat: rows[already.get(chat, 0) :] for chat, rows in deliveries(running.gateway, tenant).items()}
    pages = [json.loads(line) for line in clicks.read_text().splitlines()]
    return Seen(written=written, answers=answers), pages, watched, generating


def counts(traffic: Traffic, seen: Seen, pages: list[dict[str, Any]]) -> list[Row]:
    """What must hold before a time means anything."""
    told = numbered.verdict(traffic, seen)
    return [
        goal("messages written", len(seen.written), ""),
        goal("answers", sum(map(len, seen.answers.values())), ""),
        goal("refused", len(seen.written) - len(seen.acknowledged), "", 0),
        goal("lost", len(told.lost), "", 0),
        goal("doubled", len(told.doubled), "", 0),
        goal("out of order", len(told.order_breaks), "", 0),
        goal("texts that answer nothing", numbered.without_number(seen), "", 0),
        goal("clicks", len(pages), ""),
        goal("pages with an error", sum(page["errors"] > 0 for page in pages), "", 0),
    ]


def times(traffic: Traffic, seen: Seen, pages: list[dict[str, Any]]) -> list[Row]:
    overheads = numbered.overheads(traffic, seen)
    acks = [message["ack_ms"] - message["due_ms"] for message in seen.acknowledged]
    taken = [page["seconds"] for page in pages]
    return [
        goal("reply beyond model and debounce, p50", report.percentile(overheads, 0.5), "ms"),
        goal("reply beyond model and debounce, p95", report.percentile(overheads, 0.95), "ms", 100),
        goal("reply beyond model and debounce, p99", report.percentile(overheads, 0.99), "ms"),
        goal("acknowledgement, p99", report.percentile(acks, 0.99), "ms", 20),
        goal("a viewer's page, p50", report.percentile(taken, 0.5), "s", 1.0),
        goal("a viewer's page, p95", report.percentile(taken, 0.95), "s"),
    ]


def uses(watched: Watch) -> list[Row]:
    samples = watched.samples
    start, middle, end = (watch.megabytes_at(samples, place) for place in (0.0, 0.5, 1.0))
    largest = max(samples, key=lambda each: each.total_megabytes)
    ages = [each.queue_age for each in samples if each.queue_age is not None]
    rows = [
        goal("oldest message in the queue, most", max(ages, default=float("nan")), "s", 30),
        goal("memory at the start", start, "MB"),
        goal("memory in the middle", middle, "MB"),
        goal("memory at the end", end, "MB"),
        goal("memory, most", largest.total_megabytes, "MB", 1500),
        # The first half fills caches; what grows after it grows for good.
        goal("memory, end ÷ middle", end / middle, "×", 1.05),
    ]
    last = samples[-1].megabytes
    for kind in sorted(last):
        rows.append(goal(f"memory of {kind} at the end", last[kind], "MB"))
        rows.append(goal(f"memory of {kind} when most was used", largest.megabytes.get(kind, 0.0), "MB"))
    return rows + [goal(f"CPU of {kind}", used, "cores") for kind, used in watch.cores(samples).items()]


def runs(running: Product, *, since: float) -> Row:
    """Dagster's runs that ended well meanwhile: its schedules did work beside the load."""
    path = running.settings.data_dir / "dagster" / "history" / "runs.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as history:
        (ended,) = history.execute(
            "select count(*) from runs where status = 'SUCCESS' and end_time >= ?", (since,)
        ).fetchone()
    return goal("Dagster runs that ended well", ended, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--viewers", type=int, default=20)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    traffic = Traffic(
        chats=given.conversations,
        rate=given.conversations / 60,
        seconds=given.minutes * 60,
        model_ms=_MODEL_MS,
        debounce_ms=_DEBOUNCE_MS,
    )
    with product(traffic, demo=True) as running:
        since = time.time()
        seen, pages, watched, generating = observe(running, traffic, viewers=given.viewers)
        worked = runs(running, since=since)
    rows = [goal("load before the start", load, "", _LARGEST_LOAD), *counts(traffic, seen, pages), worked]
    if any(row["is_met"] is False for row in rows[1:]):
        report.show_goals("whole", rows)
        sys.exit("counts do not match: no time is shown")
    pace = goal("the generator's CPU a message", 1_000 * generating / len(seen.written), "ms")
    report.show_goals("whole", [*rows, pace, *times(traffic, seen, pages), *uses(watched)])


if __name__ == "__main__":
    main()
