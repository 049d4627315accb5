"""The scripts that prepare a real server, run as its administrator would, before production migrates and serves."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from mychatflow.local.commands import database
from mychatflow.local.postgres import BINARIES, EmbeddedPostgres
from mychatflow.settings import ROLES, Settings
from mychatflow.store import schema
from mychatflow.store.session import Store

SCRIPTS = Path(__file__).parents[2] / "deploy" / "postgres"
NAMES = (*ROLES, "dagster")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A new server with an empty database `mychatflow` and nobody but its administrator."""
    home = tmp_path_factory.mktemp("bare")
    server = EmbeddedPostgres(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=home))
    server.launch()
    until = time.monotonic() + 60
    while not server.answers():
        assert time.monotonic() < until
        time.sleep(0.1)
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute("create database mychatflow")
    yield server
    server.stop()


def prepared(server: EmbeddedPostgres, script: str) -> None:
    login = psycopg.conninfo.conninfo_to_dict(server.admin_url("mychatflow"))
    environment = {
        "PATH": f"{BINARIES}:{os.defpath}",
        "PGHOST": str(login["host"]),
        "PGPASSWORD": str(login["password"]),
    } | {f"{name.upper()}_PASSWORD": f"it's {name}" for name in NAMES}
    subprocess.run(["sh", str(SCRIPTS / script)], env=environment, check=True)


def address(server: EmbeddedPostgres, role: str) -> SecretStr:
    host = psycopg.conninfo.conninfo_to_dict(server.admin_url())["host"]
    database = "dagster" if role == "dagster" else "mychatflow"
    user = role if role == "dagster" else f"mychatflow_{role}"
    return SecretStr(f"postgresql://{user}:it%27s%20{role}@/{database}?host={str(host).replace('/', '%2F')}")


def test_production_migrates_and_serves_with_the_roles_of_the_script(bare, tmp_path):
    prepared(bare, "roles.sh")
    prepared(bare, "roles.sh")
    settings = Settings(
        _env_file=None,
        MYCHATFLOW_ENV="production",
        MYCHATFLOW_DATA_DIR=tmp_path,
        database_url=address(bare, "app"),
        **{f"database_{role}_url": address(bare, role) for role in ROLES if role != "app"},
    )

    assert schema.migrate(settings, today=date(2026, 11, 25)) == schema.newest_revision()

    store = Store(settings, pool_size=1)
    asyncio.run(_refused(store, settings))
    for role in ROLES:
        with psycopg.connect(settings.role_url(role)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


async def _refused(store: Store, settings: Settings) -> None:
    try:
        await database.refuse_unsafe_role(store, settings)
    finally:
        await store.close()


def test_dagster_has_a_database_of_its_own(bare):
    prepared(bare, "dagster.sh")
    prepared(bare, "dagster.sh")

    with psycopg.connect(address(bare, "dagster").get_secret_value()) as connection:
        connection.execute("create table runs (id int)")
