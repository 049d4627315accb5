"""How a benchmark says what it measured: a table for people on stderr, JSON for programs on stdout."""

import json
import os
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

Value = float | int | str | bool | None
# More columns than that are narrow on a terminal of eighty.
_MOST_COLUMNS = 5
_FILE_WIDTH = 200


def show(title: str, rows: Sequence[Mapping[str, Value]]) -> None:
    """One column per measurement, named by its first value; one line, where there are more of them than figures.

    The load says whether the times mean anything.
    """
    if len(rows) > max(_MOST_COLUMNS, len(rows[0])):
        show_goals(title, rows)
        return
    label, *names = rows[0]
    table = Table(title=title)
    table.add_column("")
    for row in rows:
        table.add_column(str(row[label]), justify="right", overflow="fold")
    for name in names:
        table.add_row(name.replace("_", " "), *(_written(row.get(name)) for row in rows))
    _tell(title, table, rows)


def goal(what: str, measured: float, unit: str, most: float | None = None) -> dict[str, Value]:
    """A figure beside what it may be at most, where that is promised."""
    is_met = None if most is None else measured <= most
    return {"what": what, "measured": measured, "unit": unit, "goal_at_most": most, "is_met": is_met}


def show_goals(title: str, rows: Sequence[Mapping[str, Value]]) -> None:
    """One line per figure."""
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(
            name.replace("_", " "), justify="left" if name in {"what", "unit"} else "right", overflow="fold"
        )
    for row in rows:
        table.add_row(*map(_written, row.values()))
    _tell(title, table, rows)


def _tell(title: str, table: Table, rows: Sequence[Mapping[str, Value]]) -> None:
    # Into a file nothing is as narrow as a terminal, and a row that is cut says nothing.
    Console(stderr=True, width=None if sys.stderr.isatty() else _FILE_WIDTH).print(table)
    print(json.dumps({"benchmark": title, "load_before": os.getloadavg()[0], "rows": list(rows)}))
    sys.stdout.flush()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, 0 < share <= 1; not a number without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def _written(value: Value) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "NO", None: "–"}[value]
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
