"""Dagster's SQLite event log with its files kept open: Dagster's own opens and closes one for each event."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

# The index, and the run that is under way; the web page of an old run opens its file for a moment.
_MOST_OPEN: Final = 4


class OpenEventLog(SqliteEventLogStorage):
    """Named in dagster.yaml.

    Dagster's own makes an engine, a connection, a commit on disk and a checkpoint for each of a run's events: a
    quarter's backfill of a small business took 30 to 40 s instead of 6 to 10, and 14 s of CPU instead of 8.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._open: OrderedDict[str, Engine] = OrderedDict()
        self._tables: set[str] = set()
        # The connections of the batch that this thread is writing, by file.
        self._batch: dict[str, Connection] | None = None
        self._of_batch = ExitStack()
        super().__init__(*arguments, **options)
        # A batch holds it while each of its events asks for it again.
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # entered and left alone, as the lock is

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "OpenEventLog":
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if self._batch is None:
                with self._engine(shard).begin() as connection:
                    yield connection
                return
            if shard not in self._batch:
                self._batch[shard] = self._of_batch.enter_context(self._engine(shard).begin())
            yield self._batch[shard]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """In one transaction for each file; Dagster's own makes one or two for each event."""
        with self._db_lock, ExitStack() as self._of_batch:
            self._batch = {}
            try:
                super().store_event_batch(events)
            finally:
                self._batch = None

    def has_table(self, table_name: str) -> bool:
        """Asked twice for each check; a table that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        with self._db_lock:
            for engine in self._open.values():
                engine.dispose()
            self._open.clear()
        super().dispose()

    def _engine(self, shard: str) -> Engine:
        engine = self._open.pop(shard, None) or self._opened(shard)
        self._open[shard] = engine
        while len(self._open) > _MOST_OPEN:
            _, oldest = self._open.popitem(last=False)
            oldest.dispose()
        return engine

    def _opened(self, shard: str) -> Engine:
        engine = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
        event.listen(engine, "connect", _wait_for_no_disk)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine


def _wait_for_no_disk(connection: Any, _record: Any) -> None:
    # With its write-ahead log SQLite keeps the file whole either way; a power cut may cost the last events of a run,
    # which is then ended as killed.
    connection.execute("pragma synchronous = normal")
