"""`python -m pipelines.home`: makes Dagster's configuration and memory in the data directory and prints where."""

import fcntl
import importlib
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from mychatflow import settings as configuration
from mychatflow.settings import Settings

_TEMPLATE = Path(__file__).with_name("dagster.yaml")
# What Dagster makes where it finds nothing, and stamps with the version of its tables.
_MEMORY: Final = ("schedules/schedules.db", "history/runs.db", "history/runs/index.db")
# The tables are of the newest version whichever of two stamps is there.
_ONE_STAMP: Final = "delete from alembic_version where rowid > (select min(rowid) from alembic_version)"


def prepare(settings: Settings) -> Path:
    """Make <data dir>/dagster with its dagster.yaml; an edited one is left alone."""
    home = settings.data_dir / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    target = home / "dagster.yaml"
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            written = _TEMPLATE.read_text(encoding="utf-8").replace("<home>", str(home.absolute()))
            target.write_text(written, encoding="utf-8")
        # A storage of somebody's own is theirs to make.
        if "\nstorage:" not in target.read_text(encoding="utf-8"):
            _make_memory(home)
    return home


def _make_memory(home: Path) -> None:
    """Two processes that find none make one each, and what both have stamped opens for nobody ever again."""
    stamps = [_stamps(home / name) for name in _MEMORY]
    if not all(stamps):
        # Dagster's import is most of a start's time, and wanted once.
        importlib.import_module("dagster").DagsterInstance.from_config(str(home)).dispose()


def _stamps(file: Path) -> int:
    """How many a file has, one at most when this returns."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file, timeout=60)) as database, database:
        if not database.execute("select 1 from sqlite_master where name = 'alembic_version'").fetchone():
            return 0
        database.execute(_ONE_STAMP)
        return int(database.execute("select count(*) from alembic_version").fetchone()[0])


def main() -> int:
    print(prepare(configuration.load()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
