"""What a backfill computes over which ranges: the answer to its `--dry-run`, and what its run follows."""

import argparse
import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from mychatflow import settings as configuration
from mychatflow.settings import Settings
from pipelines import answers, backfill
from warehouse import kept, models
from warehouse.kept import Kept
from warehouse.sources import APPENDED, SNAPSHOTS
from warehouse.windows import Window, covering

# A quarter a run: one statement per model and still a place to resume from.
_DAYS_A_RUN = 92
_SOURCES = {source.name for source in (*APPENDED, *SNAPSHOTS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which tables are computed again, over which ranges."""

    tables: tuple[str, ...]
    sources: tuple[str, ...]
    windows: tuple[Window, ...]


def main(arguments: list[str] | None = None) -> int:
    return answers.run(functools.partial(_say, backfill.parsed(arguments)))


def asked(options: argparse.Namespace) -> Plan:
    """The plan of parsed arguments. Raises ModelRefused."""
    return plan(names(options), Window(start=options.since, end=options.until))


def names(options: argparse.Namespace) -> list[str]:
    """The assets named, however often --asset was given, and as Dagster writes them too."""
    return [name.replace("/", ".") for group in options.asset for name in group]


def plan(assets: Sequence[str], window: Window) -> Plan:
    """Everything the named tables are made from, in ranges of at most a quarter. Raises ModelRefused."""
    tables = [model.name for model in models.discover() if not model.is_view]
    wanted = [name.removeprefix("raw.") for name in assets]
    found = models.with_upstream([name for name in wanted if name in tables or name not in _SOURCES] or tables)
    read = {table.removeprefix("raw.") for model in found for table in model.reads if table.startswith("raw.")}
    return Plan(
        tables=tuple(model.table for model in found if not model.is_view),
        sources=tuple(sorted(read & _SOURCES)),
        windows=tuple(_quarters(covering(window.start, window.end))),
    )


def forgotten(settings: Settings, todo: Plan) -> list[Kept]:
    """Who has let go of events that the plan would need: their numbers of those days stay as published."""
    return kept.since(settings, Window(start=todo.windows[0].start, end=todo.windows[-1].end))


def described(todo: Plan, skipped: Sequence[Kept], *, is_dry: bool) -> dict[str, object]:
    """The plan as an answer."""
    return {
        "tables": list(todo.tables),
        "sources": list(todo.sources),
        "ranges": [[f"{item.start:%Y-%m-%d}", f"{item.end:%Y-%m-%d}"] for item in todo.windows],
        "left_as_published": kept.listed(skipped),
        "dry_run": is_dry,
    }


def counted(number: int, thing: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _quarters(window: Window) -> list[Window]:
    step = timedelta(days=_DAYS_A_RUN)
    starts = [window.start + step * index for index in range(-(-window.days // _DAYS_A_RUN))]
    return [Window(start=start, end=min(start + step, window.end)) for start in starts]


def _say(options: argparse.Namespace) -> int:
    todo = asked(options)
    days, skipped = sum(window.days for window in todo.windows), forgotten(configuration.load(), todo)
    sentence = (
        f"would compute {', '.join(todo.tables)} over {counted(days, 'day')} in {counted(len(todo.windows), 'run')}"
    )
    if skipped:
        sentence += f"; {kept.told(skipped)}"
    answers.give(described(todo, skipped, is_dry=True), as_json=options.json, sentence=sentence)
    return answers.OK


if __name__ == "__main__":
    sys.exit(main())
