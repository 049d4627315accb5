"""What a new installation does beside starting: demo data, its numbers, and its sessions at the sandbox phone."""

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime

from mychatflow import settings as configuration
from mychatflow.local import programs
from mychatflow.local.demo import sessions
from mychatflow.local.demo import store as demo_store

# Numbers older than the hourly schedule's pace are brought up to now at once.
_FRESH_SECONDS = 3_600


def main() -> int:
    """Write what is missing; the exit code is the roll-up's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="write demo data where there is none")
    wants_demo = parser.parse_args().demo
    settings = configuration.load()
    is_new = wants_demo and demo_store.write(settings, until=datetime.now(UTC)).is_new
    sessions.register(settings)
    published = settings.warehouse_dir / "published" / "current"
    if not is_new and published.exists() and time.time() - published.resolve().stat().st_mtime < _FRESH_SECONDS:
        return 0
    rollup = [sys.executable, "-m", "pipelines.rollup"]
    return subprocess.run(rollup, env=programs.environment(settings), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
