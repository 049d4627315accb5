"""Starts Dagster for this installation: `python -m mychatflow.local.dagster`."""

import subprocess
import sys

from mychatflow import settings as configuration
from mychatflow.local import json_lines, programs


def main() -> None:
    """Write Dagster's home where it is missing, then become `dagster dev`."""
    settings = configuration.load()
    home = settings.data_dir / "dagster"
    environment = programs.environment(settings)
    subprocess.run([sys.executable, "-m", "pipelines.home"], env=environment, check=True)
    json_lines.put_before("dagster")
    programs.become(
        settings,
        [
            *("-m", "dagster", "dev", *_format(), "--workspace", str(programs.CHECKOUT / "workspace.yaml")),
            *("--host", programs.LOOPBACK, "--port", str(settings.dagster_port)),
        ],
        DAGSTER_HOME=str(home),
    )


def _format() -> tuple[str, ...]:
    return () if sys.stderr.isatty() else ("--log-format", "json")


if __name__ == "__main__":
    main()
