"""The one way from the warehouse into Postgres: as the pipeline role, columns at a time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mychatflow.settings import Settings

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor as Cursor  # noqa: PLC0414 — for the annotations of others


class PostgresUnreachable(Exception):
    """The operational database did not answer."""


@contextmanager
def reading(settings: Settings) -> Iterator[Cursor]:
    """A cursor in a transaction of its own. Raises PostgresUnreachable."""
    # Only now: it brings pandas, and Dagster's code server, which only knows of the assets, need not hold those 60 MB.
    dbapi = importlib.import_module("adbc_driver_postgresql.dbapi")

    try:
        postgres = dbapi.connect(settings.role_url("pipeline"))
    except dbapi.Error as error:
        raise PostgresUnreachable("Postgres does not answer as the pipeline role: `mychatflow doctor`") from error
    with postgres, postgres.cursor() as cursor:
        yield cursor
