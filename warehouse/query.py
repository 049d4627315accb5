"""`python -m warehouse.query "SELECT …"`: read-only SQL on the published marts, for people and scripts."""

import argparse
import itertools
import json
import math
import signal
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from warehouse import reader
from warehouse.reader import NothingPublished

_WHAT_THERE_IS = 'To see what there is: mychatflow query "show tables from marts"'
OK, FAILED, USAGE, DEPENDENCY_DOWN = 0, 1, 2, 3
# A table is as wide as its widest row, so all its rows are held; more than anybody reads.
_MOST_SHOWN = 10_000


class StatementRefused(Exception):
    """Anything but one SELECT."""


def select(sql: str) -> Iterator[dict[str, Any]]:
    """The rows of one SELECT, read as they are asked for. Raises StatementRefused, NothingPublished, duckdb.Error."""
    with reader.current().cursor() as cursor:
        statements = cursor.extract_statements(sql)
        if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
            kinds = ", ".join(str(item.type).removeprefix("StatementType.") for item in statements) or "nothing"
            raise StatementRefused(f"one SELECT is expected, this is: {kinds}")
        cursor.execute(sql)
        names = _distinct([str(column[0]) for column in cursor.description or ()])
        while rows := cursor.fetchmany(_MOST_SHOWN):
            yield from (dict(zip(names, row, strict=True)) for row in rows)


def main(arguments: list[str] | None = None) -> int:
    """Print the rows; exit codes as the `mychatflow` command's."""
    parser = argparse.ArgumentParser(prog="mychatflow query", description=__doc__)
    parser.add_argument("sql")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    try:
        rows = select(options.sql)
        if options.json:
            for row in rows:
                print(_line(row))
        else:
            _print_table(rows)
    except StatementRefused as refusal:
        return _complain(f"refused: {refusal}", USAGE)
    except NothingPublished as missing:
        return _complain(str(missing), DEPENDENCY_DOWN)
    except duckdb.Error as error:
        return _complain(f"{error}\n{_WHAT_THERE_IS}", FAILED)
    return OK


def _distinct(names: list[str]) -> list[str]:
    """Two columns of one name are both shown, the second as `name_2`."""
    found: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in itertools.count(2))
        found.append(next(each for each in itertools.chain([name], others) if each not in found))
    return found


def _line(row: dict[str, Any]) -> str:
    try:
        return json.dumps(row, default=plain, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_worded(row), default=plain, ensure_ascii=False)


def _worded(value: Any) -> Any:
    """Keys of JSON are words, and what is no number or endless is none of its numbers."""
    match value:
        case dict():
            return {str(key): _worded(each) for key, each in value.items()}
        case list() | tuple():
            return [_worded(each) for each in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def plain(value: Any) -> str | float | int:
    """What JSON has no word for: instants as ISO 8601, ids as text, decimals as numbers."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case _:
            return str(value)


def _print_table(found: Iterator[dict[str, Any]]) -> None:
    rows = list(itertools.islice(found, _MOST_SHOWN))
    if not rows:
        print("no rows")
        return
    table = Table(box=None, header_style="bold")
    for name in rows[0]:
        table.add_column(escape(name))
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
    # A pipe gets whole values, however wide.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)
    if next(found, None) is not None:
        print(f"these are the first {_MOST_SHOWN:,} rows; --json gives all of them, one a line", file=sys.stderr)


def _complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    # Who has read enough, as `head` has, ends it: without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
