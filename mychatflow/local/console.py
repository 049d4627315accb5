"""How the command speaks: data on stdout, progress on stderr, and every error with its cause and what to do next."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from rich.console import Console
from rich.markup import escape
from rich.table import Table

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
DEPENDENCY_DOWN: Final = 3
PARTIAL: Final = 4
REFUSED: Final = 78
# Another program reads what is piped: there each row is one line.
_PIPED_WIDTH: Final = 10_000

# Both honour NO_COLOR and lose their colours when they are not a terminal.
out = Console(soft_wrap=True)
if not out.is_terminal:
    out.width = _PIPED_WIDTH
err = Console(stderr=True, soft_wrap=True)


class Failure(Exception):
    """An expected error: what went wrong, the command that helps, and the exit code."""

    def __init__(self, cause: str, *, next_step: str | None = None, exit_code: int = FAILED) -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
        self.exit_code = exit_code


def say(line: str) -> None:
    """Progress, for a person."""
    err.print(line, markup=False, highlight=False)


def complain(failure: Failure) -> None:
    """Print the error on stderr."""
    err.print(f"[bold red]error:[/] {escape(failure.cause)}", highlight=False)
    if failure.next_step:
        err.print(f"[bold]next:[/]  {escape(failure.next_step)}", highlight=False)


def give_json(value: Any) -> None:
    """One JSON document on one line of stdout."""
    sys.stdout.write(json.dumps(value, default=plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def give_line(line: str) -> None:
    """A sentence of an answer on stdout, as it is."""
    out.print(line, markup=False, highlight=False)


def give_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table on stdout; what the rows hold is shown as it is, never read as markup."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for place, column in enumerate(columns):
        # An id that is cut short helps nobody, and a time or name that begins a line is not broken over two.
        table.add_column(column, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*(escape(shown(cell)) for cell in row))
    out.print(table)


def give_record(record: Mapping[str, Any]) -> None:
    """Names and values, one a line, on stdout."""
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        out.print(f"[bold]{escape(name.ljust(width))}[/]  {escape(shown(value))}", highlight=False)


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=plain, ensure_ascii=False)
    return str(plain(value)) if isinstance(value, datetime | date) else str(value)


def plain(value: Any) -> str:
    """What JSON has no word for: instants as ISO 8601, ids as text."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return value.hex()
    raise TypeError(f"{type(value).__name__} has no JSON form")
