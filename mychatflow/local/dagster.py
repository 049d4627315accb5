"""Starts Dagster for this installation: `python -m mychatflow.local.dagster`."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from mychatflow import settings as configuration
from mychatflow.local import json_lines, programs

# Numbers can wait for a moment, a customer cannot: on a busy machine Dagster and its runs get a tenth of a core.
_NICENESS: Final = 10
_SESSION_NICENESS: Final = Path("/proc/self/autogroup")


def main() -> None:
    """Write Dagster's home where it is missing, then become what keeps its three processes together."""
    settings = configuration.load()
    _stand_behind()
    home = settings.data_dir / "dagster"
    environment = programs.environment(settings)
    subprocess.run([sys.executable, "-m", "pipelines.home"], env=environment, check=True)
    settings.socket_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_format = "colored" if sys.stderr.isatty() else "json"
    json_lines.put_before("dagster")
    programs.become(
        settings,
        [
            *("-m", "mychatflow.local.dagster_processes", "--log-format", log_format),
            *("--socket", str(settings.socket_dir / "dagster.sock"), "--workspace", str(home / "workspace.yaml")),
            *("--host", programs.LOOPBACK, "--port", str(settings.dagster_port)),
        ],
        DAGSTER_HOME=str(home),
        # Behind others a run's process may take minutes to start: that is late, and with a minute's limit it failed.
        DAGSTER_GRPC_TIMEOUT_SECONDS="300",
    )


def _stand_behind() -> None:
    """Behind whatever else runs here, with all our children."""
    os.nice(_NICENESS)
    # Linux may weigh sessions before processes: in one of our own we may speak for all of it.
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _SESSION_NICENESS.write_text(str(_NICENESS))


if __name__ == "__main__":
    main()
