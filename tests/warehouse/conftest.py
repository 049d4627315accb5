"""A warehouse of its own for each test, on a fresh database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mychatflow.settings import Settings
from warehouse import publish, reader
from warehouse.reader import Reader


@pytest.fixture
def installation(fresh: Settings, tmp_path: Path) -> Settings:
    """Settings with an empty database and an empty warehouse."""
    return fresh.model_copy(update={"warehouse_url": f"duckdb:///{tmp_path}/warehouse/warehouse.duckdb"})


@pytest.fixture
def published(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader of this installation's published marts, for the functions in warehouse.reads too."""
    found = Reader(publish.published_dir(installation))
    monkeypatch.setattr(reader, "current", lambda: found)
    yield found
    found.close()
