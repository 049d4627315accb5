"""Makes one JSON object of every line that a program we start writes, whatever it is made of: `… json_lines NAME`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from mychatflow.local import masking

_LONGEST_LINE = 64 * 1024


def put_before(name: str) -> None:
    """From now on what this process and its children write goes through us; on a terminal it stays as it is.

    Ends by itself with the last of those that write.
    """
    if sys.stderr.isatty():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    writer = subprocess.Popen(
        [sys.executable, "-m", "mychatflow.local.json_lines", name], stdin=subprocess.PIPE, stdout=sys.stderr.fileno()
    )
    assert writer.stdin is not None
    os.dup2(writer.stdin.fileno(), sys.stdout.fileno())
    os.dup2(writer.stdin.fileno(), sys.stderr.fileno())
    writer.stdin.close()


def written(lines: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Each line that says something, as an object without secrets."""
    for raw in lines:
        line = raw[:_LONGEST_LINE].decode(errors="replace").strip()
        if line:
            yield (
                json.dumps(_object(line, name), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
                + b"\n"
            )


def _object(line: str, name: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        said = {"message": line}
    if not isinstance(said, dict):
        said = {"message": line}
    level = str(said.pop("level", "info")).lower()
    # Dagster calls it so.
    message = said.pop("message", None) or said.pop("event", "")
    timestamp = said.pop("timestamp", datetime.now(UTC).isoformat())
    said = masking.clean({"message": message, **said})
    return {"timestamp": timestamp, "level": level, "process": name, **said}


def main() -> None:
    # A Ctrl-C is for whoever writes to us; we end when they have ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in written(sys.stdin.buffer, sys.argv[1]):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
