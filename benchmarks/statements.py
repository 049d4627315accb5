"""Counts what programs ask of Postgres, from the server's own log: statements, and the round trips they took."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg

from benchmarks.processes import Installation

_LINE: Final = re.compile(r"(\d+)\|([^|]*)\|mychatflow_\w+\|LOG:  (?:execute [^:]*|statement): *(\S*)")
_PREFIX: Final = "%p|%v|%u|"


@dataclass(slots=True)
class Asked:
    """A pipeline's statements run in one transaction that nobody opened by name, and are one round trip."""

    statements: int = 0
    round_trips: int = 0


@contextmanager
def counted(running: Installation) -> Iterator[Asked]:
    """Everything that the programs' roles ask meanwhile, their own looking around included."""
    asked = Asked()
    _log_statements(running, "all")
    offset = running.postgres.log.stat().st_size
    try:
        yield asked
    finally:
        _log_statements(running, "none")
        with running.postgres.log.open(errors="replace") as log:
            log.seek(offset)
            count(log, asked)


def count(lines: Iterable[str], asked: Asked) -> None:
    """Between `begin` and `commit` each statement waits for the one before; elsewhere a transaction is a trip."""
    is_open: dict[str, bool] = {}
    last: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        process, transaction, word = found.groups()
        word = word.lower()
        asked.statements += 1
        was_open = is_open.get(process, False)
        is_open[process] = word == "begin" or (was_open and word not in {"commit", "rollback"})
        if was_open or word == "begin" or last.get(process) != transaction:
            asked.round_trips += 1
        last[process] = transaction


def _log_statements(running: Installation, which: str) -> None:
    with psycopg.connect(running.postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"alter system set log_line_prefix = '{_PREFIX}'")
        connection.execute(f"alter system set log_statement = '{which}'")
        connection.execute("select pg_reload_conf()")
