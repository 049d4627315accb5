"""Real servers for every test: one embedded Postgres and Redis a session, a fresh database a test."""

import contextlib
import gc
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import hypothesis
import psycopg
import pytest
import redis.asyncio
import structlog
from psycopg import sql
from pydantic import SecretStr

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import DATABASE, Settings
from mychatflow.store import roles, schema
from mychatflow.store.session import Store
from tests import asking, private_words

_databases = itertools.count(1)
_MEMORY = Path("/dev/shm")
# Two runs of four workers each, whose Postgres keeps a few hundred megabytes of log.
_ROOM = 4 * 2**30
# What the Makefile does, for whoever calls pytest directly: a child process that compiles all it imports takes seconds.
sys.dont_write_bytecode = False
sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(sys.prefix) / "pycache"))
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# All that the tests import stays: looking through it for garbage again and again is a tenth of a run.
gc.disable()
# How long an example takes says how busy the machine is, not whether the property holds.
hypothesis.settings.register_profile("mychatflow", deadline=None)
hypothesis.settings.load_profile("mychatflow")
# Tracebacks as the product writes them: the usual console shows every local variable, customers' words among them.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    gc.enable()


def pytest_sessionfinish() -> None:
    # Libraries that count what is left at the end find nothing left.
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whatever a test is about, what it logged holds nothing private."""
    report = yield
    private_words.judge(item, report)
    return report


@pytest.fixture(scope="session", autouse=True)
def _logs_of_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nor, when all is done, do the logs of the programs that tests started."""
    yield
    private_words.refuse_in(tmp_path_factory.getbasetemp())


def _in_memory() -> Path | None:
    """Where databases come and go without a disk, or None where that has little room, as in a container."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _ROOM:
        return None
    for left in _MEMORY.glob("mcf-*-*"):
        # A run that was killed leaves what nobody else would ever free.
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    return _MEMORY


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """Settings of an installation of its own; nothing of the developer's environment or .env leaks in."""
    directory = Path(tempfile.mkdtemp(prefix=f"mcf-{os.getpid()}-", dir=_in_memory()))
    yield Settings(_env_file=None, MYCHATFLOW_DATA_DIR=directory, webhook_secret=SecretStr("test-hmac-key"))
    try:
        private_words.refuse_in(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(settings: Settings) -> Iterator[EmbeddedPostgres]:
    """A running Postgres whose database `mychatflow` is migrated and serves as template."""
    server = EmbeddedPostgres(settings)
    server.start()
    schema.migrate(settings, today=datetime.now(UTC).date())
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        # Hundreds of short-lived databases. The servers that tests kill keep the product's own settings.
        connection.execute("alter system set fsync = off")
        connection.execute("alter system set full_page_writes = off")
        connection.execute("alter system set autovacuum = off")
        connection.execute("select pg_reload_conf()")
    _shorten_logins(server, settings)
    yield server
    server.stop()


def _shorten_logins(server: EmbeddedPostgres, settings: Settings) -> None:
    """By thousands, each of which would stretch its password 4,096 times: two thirds of a connection's work for us."""
    address = f"{server.admin_url(DATABASE)}&options={quote('-c scram_iterations=1')}"
    roles.ensure_roles(settings, address)
    with psycopg.connect(address, autocommit=True) as connection:
        password = sql.Literal(server.client_environment()["PGPASSWORD"])
        connection.execute(sql.SQL("alter role postgres password {}").format(password))


@pytest.fixture(scope="session")
def redis_server(settings: Settings) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(settings)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(settings: Settings, redis_server: EmbeddedRedis) -> str:
    assert redis_server.answers()
    return settings.redis_address


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """An empty Redis."""
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


class DatabaseSettings(Settings):
    """Settings whose embedded server is the session's, but whose database is a test's own."""

    database_name: str = DATABASE

    def role_url(self, role):
        return super().role_url(role).replace(f"/{DATABASE}?", f"/{self.database_name}?")


@contextlib.contextmanager
def a_database(settings: Settings, postgres: EmbeddedPostgres) -> Iterator[Settings]:
    """Settings for an empty migrated database, which goes with the block."""
    name = f"test_{next(_databases)}"
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        # Copied file by file, not block by block through the log: a third of the work.
        connection.execute(f"create database {name} template {DATABASE} strategy file_copy")
    yield DatabaseSettings(
        _env_file=None,
        MYCHATFLOW_DATA_DIR=settings.data_dir,
        webhook_secret=settings.webhook_secret,
        database_name=name,
    )
    asking.hang_up()
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def fresh(settings: Settings, postgres: EmbeddedPostgres) -> Iterator[Settings]:
    """Settings for an empty migrated database of the test's own."""
    with a_database(settings, postgres) as database:
        yield database


@pytest.fixture
def now() -> datetime:
    """When the test began: what was computed at import is of the day before once a run crosses midnight."""
    return datetime.now(UTC)


@pytest.fixture
async def store(fresh: Settings) -> AsyncIterator[Store]:
    """A store on an empty migrated database."""
    store = Store(fresh)
    yield store
    await store.close()
