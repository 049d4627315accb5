"""`python -m pipelines.reference DIR`: writes the pages that the code itself tells: tables, metrics and settings."""

import sys
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path

from mychatflow.local.commands import config
from mychatflow.settings import Settings
from warehouse import column_types, metric_sql, metrics, models
from warehouse.metric import Metric
from warehouse.metric_filter import Filter
from warehouse.models import Model
from warehouse.periods import Period

_REPLACED = {
    "window": "the rows whose time falls in the window",
    "local_days": "the tenants' local days that the window touches",
    "batch": "the rows of the newest landings",
    "everything": "the whole table",
}
# Whichever period is asked for, a number is made of the same.
_ANY = Filter(period=Period(since=date(2026, 1, 1), until=date(2026, 1, 2)))


def main() -> int:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, lines in (("tables", _tables()), ("metrics", _metrics()), ("settings", _settings())):
        (directory / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _tables() -> Iterator[str]:
    """The data dictionary: what programs may rely on first, then what it is made of."""
    yield from ("# Data dictionary", "", "Every table of the warehouse, from the `.yml` beside its SQL.")
    found = sorted(models.discover(), key=lambda model: (-models.LAYERS.index(model.layer), model.name))
    for layer, members in groupby(found, key=lambda model: model.layer):
        yield from ("", f"## {layer.capitalize()}")
        for model in members:
            yield from _table(model)


def _table(model: Model) -> Iterator[str]:
    promise = model.promise
    yield from ("", f"### {model.table}", "", promise.description, "")
    yield f"- Grain: one row per {', '.join(f'`{name}`' for name in promise.grain)}"
    yield f"- A run replaces {_REPLACED[promise.replaces]}; data is at most {promise.fresh_within_minutes} minutes old"
    yield f"- Owned by {promise.owner.removeprefix('team:')}"
    yield f"- Made from {', '.join(f'`{name}`' for name in model.reads)}" if model.reads else "- Made from nothing else"
    for equation in promise.equations:
        yield f"- Always: `{equation.holds}`"
    yield from ("", "| column | type | meaning |", "| --- | --- | --- |")
    kinds = column_types.of_all()[model.table]
    yield from (f"| `{name}` | {kinds[name]} | {_cell(meaning)} |" for name, meaning in promise.columns.items())


def _metrics() -> Iterator[str]:
    yield from ("# Metrics", "", "Every number once. Tiles, charts, exports and hover texts read this list.", "")
    yield from ("| metric | question | unit | formula | axis | made of |", "| --- | --- | --- | --- | --- | --- |")
    for found in sorted(metrics.METRICS.values(), key=lambda metric: metric.name):
        yield _metric(found)


def _metric(found: Metric) -> str:
    formula = found.numerator if found.denominator is None else f"{found.numerator} ÷ {found.denominator}"
    cells = (
        f"`{found.name}`",
        found.question,
        found.unit,
        f"{formula}; {found.null_rule}",
        found.axis,
        _made_of(found),
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _made_of(found: Metric) -> str:
    """The columns and conditions that the number is computed from: of the mart where it is, and of single facts."""
    if found.divides:
        return f" {'less' if found.kind == 'lift' else '÷'} ".join(f"`{name}`" for name in found.divides)
    if found.facts is None:
        return "" if found.model == "none" else f"`ops.{found.model}`: `{found.column}`"
    facts = f"`sql/facts/{found.facts}.sql`: {_divided(found.counted, found.per_counted)}"
    if not metric_sql.mart_knows(found, _ANY, None):
        return facts
    within = f" where `{found.within}`" if found.within else ""
    return f"`marts.{found.model}`: {_divided(found.column, found.per_column)}{within}; {facts}"


def _divided(over: str, under: str | None) -> str:
    counted = "every row" if over == "true" else f"`{over}`"
    return counted if under is None else f"{counted} ÷ `{under}`"


def _settings() -> Iterator[str]:
    yield from ("# Settings", "", "Environment variables; a `.env` file is read too.", "")
    yield from ("| variable | default | meaning |", "| --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        yield f"| `{config.variable(name)}` | {default} | {_cell(str(field.description))} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
