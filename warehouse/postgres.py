"""The one way from the warehouse into Postgres: as the pipeline role, columns at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import pyarrow as pa

from mychatflow.settings import Settings
from mychatflow.store import silence


class PostgresUnreachable(Exception):
    """The operational database did not answer."""


class Reading:
    """One transaction, and in it one question at a time.

    The driver's own cursor brings pandas and polars, which each run would pay with 80 MB and more than a second.
    """

    def __init__(self, statement: adbc.AdbcStatement) -> None:
        self._statement = statement

    def execute(self, command: str) -> None:
        """Run what answers nothing."""
        self._statement.set_sql_query(command)
        self._statement.execute_update()

    def batches(self, question: str) -> pa.RecordBatchReader:
        """The rows as they come; the next question ends them."""
        self._statement.set_sql_query(question)
        stream, _ = self._statement.execute_query()
        return pa.RecordBatchReader.from_stream(stream)

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """All rows at once, for few; instants without their zone, for which Arrow would ask pandas."""
        columns = self.batches(question).read_all().columns
        return list(zip(*(column.to_pylist() for column in columns), strict=True))


@contextmanager
def reading(settings: Settings) -> Iterator[Reading]:
    """A transaction of its own. Raises PostgresUnreachable."""
    try:
        database = adbc_driver_postgresql.connect(silence.limited(settings.role_url("pipeline")))
        connection = adbc.AdbcConnection(database)
    except adbc.Error as error:
        raise PostgresUnreachable("Postgres does not answer as the pipeline role: `mychatflow doctor`") from error
    with database, connection:
        connection.set_autocommit(enabled=False)
        with adbc.AdbcStatement(connection) as statement:
            yield Reading(statement)
