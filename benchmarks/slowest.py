"""Prints every step of the message that waited longest: the rest of a run looks alike, and this one asks why."""

import subprocess
import sys

from benchmarks import numbered
from benchmarks.customers import message_id
from benchmarks.processes import CHECKOUT, Installation
from benchmarks.traffic import Seen, Traffic


def show(traffic: Traffic, running: Installation, seen: Seen) -> None:
    """On stderr, by the product's own command, while the product still runs."""
    delays = numbered.delays(traffic, seen)
    if not delays:
        return
    number = max(delays, key=delays.__getitem__)
    sent_ms = next(row["sent_ms"] for row in seen.acknowledged if row["number"] == number)
    command = [sys.executable, "-m", "mychatflow", "trace", message_id(traffic.chat(number), number, int(sent_ms))]
    # A step's details fit one line.
    wide = running.environment | {"COLUMNS": "200"}
    told = subprocess.run(command, cwd=CHECKOUT, env=wide, capture_output=True, text=True, check=False)
    sys.stderr.write(f"The slowest, message {number}, {delays[number]:.0f} ms late:\n{told.stdout}{told.stderr}")
