"""The scripts that prepare a real server, run as its administrator would, before production migrates and serves."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from mychatflow.local import setup
from mychatflow.local.commands import database
from mychatflow.local.postgres import BINARIES, EmbeddedPostgres
from mychatflow.settings import ROLES, Settings
from mychatflow.store import schema
from mychatflow.store.session import Store

SCRIPTS = Path(__file__).parents[2] / "deploy" / "postgres"
NAMES = (*ROLES, "dagster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """Who prepares that server. One of a rented server owns the database and may make roles, and no more."""

    administrator: str
    host: str
    password: str


@pytest.fixture(scope="module", params=["postgres", "rented"])
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    """A new server with an empty database `mychatflow` and nobody but its administrator, a superuser or not."""
    home = tmp_path_factory.mktemp("bare")
    server = EmbeddedPostgres(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=home))
    server.launch()
    until = time.monotonic() + 60
    while not server.answers():
        assert time.monotonic() < until
        time.sleep(0.1)
    superuser = psycopg.conninfo.conninfo_to_dict(server.admin_url())
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        if request.param == "rented":
            password = sql.Literal(superuser["password"])
            connection.execute(sql.SQL("create role rented with login createrole createdb password ") + password)
        connection.execute(f"create database mychatflow owner {request.param}")
    yield Bare(administrator=request.param, host=str(superuser["host"]), password=str(superuser["password"]))
    server.stop()


def prepared(server: Bare, script: str) -> None:
    environment = {
        "PATH": f"{BINARIES}:{os.defpath}",
        "PGHOST": server.host,
        "PGPASSWORD": server.password,
        "POSTGRES_USER": server.administrator,
    } | {f"{name.upper()}_PASSWORD": f"it's {name}" for name in NAMES}
    subprocess.run(["sh", str(SCRIPTS / script)], env=environment, check=True)


def address(server: Bare, role: str) -> SecretStr:
    database = "dagster" if role == "dagster" else "mychatflow"
    user = role if role == "dagster" else f"mychatflow_{role}"
    return SecretStr(f"postgresql://{user}:it%27s%20{role}@/{database}?host={quote(server.host, safe='')}")


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
    assert_the_pipeline_sees_every_tenant(settings)


def test_a_preview_makes_the_roles_itself(bare, tmp_path):
    login = f"postgresql://{bare.administrator}:{bare.password}@/mychatflow?host={quote(bare.host, safe='')}"
    settings = Settings(
        _env_file=None, MYCHATFLOW_ENV="preview", MYCHATFLOW_DATA_DIR=tmp_path, database_url=SecretStr(login)
    )

    setup.migrate(settings, today=date(2026, 11, 25))

    assert_the_pipeline_sees_every_tenant(settings)


def assert_the_pipeline_sees_every_tenant(settings: Settings) -> None:
    """Where no role may have BYPASSRLS, it read not one row, and said nothing."""
    tenant_id = uuid4()
    with psycopg.connect(settings.role_url("engine")) as engine:
        engine.execute("insert into tenants (id, email, name) values (%s, 'a@example.test', 'A')", (tenant_id,))
    with psycopg.connect(settings.role_url("pipeline")) as pipeline:
        assert pipeline.execute("select name from tenants where id = %s", (tenant_id,)).fetchone() == ("A",)


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
