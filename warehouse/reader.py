"""Opens the published marts for reading: one connection a process, following the link, deaf to everything else."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb
import pyarrow as pa

from mychatflow import settings as configuration
from warehouse import publish

Parameters: TypeAlias = Mapping[str, Any] | Sequence[Any] | None
# A sketch's bucket b holds (1.02^(b-1), 1.02^b] ms; the middle of the two ends is right within 1 %.
_SKETCH_QUANTILE: Final = """
create macro sketch_quantile(bucket, reached_count, total_count, share) as
    2 * pow(1.02, min(bucket) filter (where reached_count >= share * total_count)) / 2.02
"""


class NothingPublished(Exception):
    """There is no published file yet: the first rollup has not run."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"{directory} holds no published marts yet: run `mychatflow rollup`")


@dataclass(slots=True)
class _Answer:
    """What its queries read: nothing so far, or the file that was the newest for the first of them."""

    file: str | None = None


# Each thread that works on the answer has a copy of its context, and so the same answer.
_answer: Final[ContextVar[_Answer | None]] = ContextVar("answer", default=None)


class Reader:
    """Answers queries from the newest published file; safe to share between threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._attached: list[str] = []
        # How many cursors are open on each of them.
        self._asked: Counter[str] = Counter()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def rows(self, sql: str, parameters: Parameters = None) -> list[dict[str, Any]]:
        """The query's rows as plain dicts."""
        with self.cursor() as cursor:
            cursor.execute(sql, parameters)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def batches(self, sql: str, parameters: Parameters = None, *, rows: int = 10_000) -> Iterator[pa.RecordBatchReader]:
        """The query's rows as Arrow batches, read as they are asked for."""
        with self.cursor() as cursor:
            yield cursor.sql(sql, params=parameters).to_arrow_reader(rows)

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of its own on the published file, which stays until its end. Raises NothingPublished."""
        with self._lock:
            connection, file = self._opened()
            cursor = connection.cursor()
            # The search path belongs to a cursor, not to its connection.
            cursor.execute(f"set search_path = '{file}.marts,memory.main'")
            self._asked[file] += 1
        try:
            with cursor:
                yield cursor
        finally:
            with self._lock:
                self._asked[file] -= 1
                self._let_go()

    @contextmanager
    def one_publication(self) -> Iterator[None]:
        """Whatever is published meanwhile: every query of this answer reads the file that the first of them found."""
        answer = _Answer()
        before = _answer.set(answer)
        try:
            yield
        finally:
            _answer.reset(before)
            if answer.file is not None:
                with self._lock:
                    self._asked[answer.file] -= 1
                    self._let_go()

    def version(self) -> str:
        """The name of the file that `current` points to now."""
        try:
            return (self._directory / "current").readlink().name
        except OSError as error:
            raise NothingPublished(self._directory) from error

    def close(self) -> None:
        """Let go of the files; the next query opens them again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection, self._attached = None, []

    def _opened(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        """The answer's own file, or the newest."""
        answer = _answer.get()
        if self._connection is not None and answer is not None and answer.file in self._attached:
            return self._connection, str(answer.file)
        connection, file = self._newest()
        if answer is not None:
            answer.file = file
            # It stays between the queries, too.
            self._asked[file] += 1
        return connection, file

    def _newest(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        while True:
            target = self.version()
            try:
                return self._follow(target)
            except duckdb.IOException:
                # An erasure removes every older file at once, also one whose name was read a moment before.
                if self.version() == target:
                    raise

    def _follow(self, target: str) -> tuple[duckdb.DuckDBPyConnection, str]:
        file = target.removesuffix(".duckdb").replace("-", "_")
        connection = self._connection = self._connection or _deaf_connection(self._directory)
        if file not in self._attached:
            connection.execute(f"attach '{self._directory / target}' as {file} (read_only)")
            self._attached.append(file)
            self._let_go()
        return connection, file

    def _let_go(self) -> None:
        """Of the files before the newest, unless a query that began on one still reads it."""
        for old in [file for file in self._attached[:-1] if not self._asked[file]]:
            if self._connection is not None:
                self._connection.execute(f"detach {old}")
            self._attached.remove(old)
            del self._asked[old]


def _deaf_connection(directory: Path) -> duckdb.DuckDBPyConnection:
    """In memory, allowed to open the published files and nothing else on this machine or beyond."""
    connection = duckdb.connect(":memory:", config={"threads": 2})
    connection.execute(_SKETCH_QUANTILE)
    connection.execute(f"set global timezone = 'UTC'; set allowed_directories = ['{directory}/']")
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    return connection


@cache
def _of(directory: Path) -> Reader:
    return Reader(directory)


def current() -> Reader:
    """This process's reader of the installation's published marts."""
    return _of(publish.published_dir(configuration.load()))
