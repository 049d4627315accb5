"""A Postgres and a Redis that somebody else runs: reached by address and password, with no file in common."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from mychatflow.local import process
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.redis import BINARY
from mychatflow.settings import Settings
from tests.chaos.cluster import wait_until

_REDIS_PASSWORD = "scale-redis"


@contextlib.contextmanager
def postgres(home: Path, *, host: str, network: str) -> Iterator[str]:
    """The address of an administrative login."""
    server = EmbeddedPostgres(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=home))
    server.start()
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute(f"alter system set listen_addresses = '{host}'")
        connection.execute("create database remote")
    server.stop()
    with (server.data_dir / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {network} scram-sha-256\n")
    server.start()
    try:
        yield f"postgresql://postgres:{urlsplit(server.admin_url()).password}@{host}:5432/remote"
    finally:
        server.stop()


@contextlib.contextmanager
def redis_server(home: Path, *, host: str) -> Iterator[str]:
    """Its address, with the password in it."""
    command = [str(BINARY), "--bind", host, "--requirepass", _REDIS_PASSWORD, "--dir", str(home), "--save", ""]
    child = process.spawn(command, log=home / "redis.log")
    address = f"redis://:{_REDIS_PASSWORD}@{host}:6379/0"
    try:
        wait_until(lambda: _answers(address), seconds=20, what="Redis answers")
        yield address
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)


def _answers(address: str) -> bool:
    with contextlib.closing(redis.Redis.from_url(address, socket_connect_timeout=1)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
