"""The warehouse as a lake: its catalog in Postgres, its rows as Parquet in a directory or a bucket, for many machines.

Needs the environment of `requirements-lake.txt`: duckdb 1.5.5 with the wheels of its extensions, because DuckDB 2.0
loads none without a network. The models, landings and publications are the same as on one file.
"""

# ruff: noqa: S608 — the address comes from the installation's own settings, never from a request.

import importlib.util
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

import duckdb
import psycopg

from warehouse.busy import WarehouseBusy

_SCHEME = "ducklake:"
_NAME = "lake"
_EXTENSIONS = ("ducklake", "postgres_scanner")
_DEFAULT_REGION = "us-east-1"
# Deleted rows leave the files, then the files' older versions leave the catalog, then the disk.
_REWRITE = (
    f"call ducklake_rewrite_data_files('{_NAME}', delete_threshold => 0)",
    f"call ducklake_merge_adjacent_files('{_NAME}')",
    f"call ducklake_expire_snapshots('{_NAME}', older_than => now())",
    f"call ducklake_cleanup_old_files('{_NAME}', cleanup_all => true)",
)


class LakeRefused(Exception):
    """The lake's address or environment is not usable; the message says what to do."""


class LakeUnreachable(Exception):
    """The lake's catalog or its files did not answer."""

    def __init__(self) -> None:
        super().__init__("the lake's catalog does not answer, or its files are not there: look at WAREHOUSE_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """Where the catalog and the files are."""

    catalog: str
    data_path: str


def of(url: str | None) -> Lake | None:
    """The lake that WAREHOUSE_URL names, `ducklake:postgresql://…#DATA_PATH`; None for a file. Raises LakeRefused."""
    if url is None or not url.startswith(_SCHEME):
        return None
    catalog, _, data_path = url.removeprefix(_SCHEME).partition("#")
    if not catalog.startswith("postgresql://") or not data_path:
        raise LakeRefused(
            "WAREHOUSE_URL: a lake is ducklake:postgresql://user@host/catalog#DATA_PATH, where DATA_PATH is a directory"
            " or s3://bucket/prefix?endpoint=…&region=…"
        )
    return Lake(catalog=catalog, data_path=data_path)


@contextmanager
def opened(lake: Lake, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose current database is the lake. Any number may be open, on any number of machines."""
    with duckdb.connect() as connection:
        for name in _EXTENSIONS:
            connection.execute(f"load '{_extension(name)}'")
        place = urlsplit(lake.data_path)
        if place.scheme == "s3":
            _reach_bucket(connection, place)
        how = f"data_path {_quoted(place._replace(query='').geturl())}{', read_only' if read_only else ''}"
        try:
            connection.execute(f"attach {_quoted(f'ducklake:postgres:{lake.catalog}')} as {_NAME} ({how})")
        except duckdb.IOException:
            # Without its cause, which would tell the catalog's password.
            raise LakeUnreachable from None
        connection.execute(f"use {_NAME}; set timezone = 'UTC'")
        yield connection


def _reach_bucket(connection: duckdb.DuckDBPyConnection, place: SplitResult) -> None:
    """Its keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which the extension reads by itself when it loads."""
    connection.execute(f"load '{_extension('httpfs')}'")
    given = {name: values[-1] for name, values in parse_qs(place.query).items()}
    connection.execute(f"set s3_region = {_quoted(given.get('region', _DEFAULT_REGION))}")
    if "endpoint" in given:
        endpoint = urlsplit(given["endpoint"])
        connection.execute(f"set s3_endpoint = {_quoted(endpoint.netloc)}; set s3_url_style = 'path'")
        connection.execute(f"set s3_use_ssl = {endpoint.scheme == 'https'}")


@contextmanager
def turn(lake: Lake, of_what: str, patience_seconds: float) -> Iterator[None]:
    """The right to write one thing, held in the catalog's own Postgres; raises WarehouseBusy.

    The lake detects conflicts by table, and two transactions that delete and insert the same absent key may both commit
    on 1.5.5: so a table has one writer at a time, and different tables are written at once.
    """
    deadline, key = time.monotonic() + patience_seconds, zlib.crc32(of_what.encode())
    with psycopg.connect(lake.catalog, autocommit=True) as catalog:
        while not catalog.execute("select pg_try_advisory_lock(%s, %s)", (_LOCKS, key - 2**31)).fetchall()[0][0]:
            if time.monotonic() > deadline:
                raise WarehouseBusy(f"{of_what} of the lake", _holder(catalog, key))
            time.sleep(0.05)
        # Ends with the session, so a writer that is killed holds nothing.
        yield


def rewrite(connection: duckdb.DuckDBPyConnection) -> None:
    """Write files with deleted rows anew and delete the old ones, also those that only older snapshots read."""
    for statement in _REWRITE:
        connection.execute(statement)


def size(lake: Lake) -> int:
    """Bytes of the files that the newest snapshot reads."""
    with opened(lake, read_only=True) as connection:
        sizes = f"select coalesce(sum(file_size_bytes), 0) from ducklake_table_info('{_NAME}')"
        return int(connection.execute(sizes).fetchall()[0][0])


# Tells our advisory locks from anybody else's in that database: "lake" in bytes.
_LOCKS = 0x6C616B65


def _holder(catalog: psycopg.Connection, key: int) -> str:
    rows = catalog.execute(
        "select pid from pg_locks where locktype = 'advisory' and classid = %s and objid = %s and granted",
        (_LOCKS, (key - 2**31) % 2**32),
    ).fetchall()
    return f"{rows[0][0]} of the catalog's Postgres" if rows else "unknown"


def _extension(name: str) -> Path:
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    files = list(Path(found.origin).parent.rglob("*.duckdb_extension")) if found and found.origin else []
    if not files:
        raise LakeRefused(
            f"WAREHOUSE_URL names a lake, but the extension {name} is not installed: use the environment of"
            " requirements-lake.txt"
        )
    return files[0]


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
