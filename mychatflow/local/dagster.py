"""Starts Dagster for this installation: `python -m mychatflow.local.dagster`."""

import subprocess
import sys

from mychatflow import settings as configuration
from mychatflow.local import json_lines, programs


def main() -> None:
    """Write Dagster's home where it is missing, then become what keeps its three processes together."""
    settings = configuration.load()
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
        # A machine that was paused or starved for half a minute would lose its code, and schedules would stop for good:
        # `dagster dev` does not start it again.
        DAGSTER_GRPC_PROXY_HEARTBEAT_TTL_SECONDS="3600",
    )


if __name__ == "__main__":
    main()
