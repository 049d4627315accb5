"""`python -m pipelines.home`: writes Dagster's instance configuration into the data directory and prints where."""

import sys
from pathlib import Path

from mychatflow import settings as configuration
from mychatflow.settings import Settings

_TEMPLATE = Path(__file__).with_name("dagster.yaml")


def prepare(settings: Settings) -> Path:
    """Make <data dir>/dagster with its dagster.yaml; an edited one is left alone."""
    home = settings.data_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    target = home / "dagster.yaml"
    if not target.exists():
        written = _TEMPLATE.read_text(encoding="utf-8").replace("<home>", str(home.absolute()))
        target.write_text(written, encoding="utf-8")
    return home


def main() -> int:
    print(prepare(configuration.load()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
