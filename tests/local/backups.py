"""An installation's database with its backups and its copied log, for the tests of both ways."""

import asyncio
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr

from mychatflow.local import backup, programs, restore
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import schema
from mychatflow.store.session import Store
from tests.factories import Tenant, a_contact, a_tenant


@dataclass(slots=True)
class Place:
    """An installation's database, its backups and its copied log."""

    settings: Settings
    server: EmbeddedPostgres
    tenant: Tenant

    @property
    def backups(self) -> Path:
        return self.settings.data_dir.parent / "backups"

    @property
    def wal(self) -> Path:
        assert self.settings.wal_dir is not None
        return self.settings.wal_dir

    def take(self) -> Path:
        return backup.make(self.settings, self.backups, at=datetime.now(UTC))[0]

    def add(self, wa_id: str) -> UUID:
        async def work(store: Store) -> UUID:
            return await a_contact(store, self.tenant, wa_id=wa_id)

        return with_store(self.settings, work)

    def people(self) -> set[str]:
        with psycopg.connect(self.settings.role_url("pipeline")) as connection:
            rows = connection.execute("select wa_id from contacts where erased_at is null").fetchall()
        return {row[0] for row in rows}

    def restore(self, source: Path, **how: Any) -> restore.Restored:
        self.server.stop()
        usual = {"wal": None, "keys": None, "at": datetime.now(UTC)}
        done = restore.restore(self.settings, source, **(usual | how))
        self.server.start()
        return done

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mychatflow", *arguments],
            env=programs.environment(self.settings),
            cwd=programs.CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )


def with_store(settings: Settings, work):
    async def run():
        store = Store(settings)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="mcf-bk-", ignore_cleanup_errors=True) as directory:
        root = Path(directory)
        settings = Settings(
            _env_file=None, MYCHATFLOW_DATA_DIR=root / "data", wal_dir=root / "wal", webhook_secret=SecretStr("s")
        )
        server = EmbeddedPostgres(settings)
        server.start()
        schema.migrate(settings, today=datetime.now(UTC).date())
        (settings.media_dir / "t").mkdir(parents=True)
        (settings.media_dir / "t" / "one").write_bytes(b"sealed")
        yield Place(settings, server, with_store(settings, a_tenant))
        server.stop()


@pytest.fixture(scope="module")
def taken(place: Place) -> Path:
    place.add("34600000001@c.us")
    return place.take()
