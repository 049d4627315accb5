"""Finds the SQL models, reads what each promises, and puts them in the order they depend on one another."""

import functools
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final, Literal

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

# The C parser reads the promises faster; both are safe loaders.
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"
LAYERS = ("staging", "intermediate", "marts")


class ModelRefused(Exception):
    """A model file breaks the rules of its folder; the message names the file."""


class Equation(BaseModel):
    """A condition that every row must meet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    holds: str
    severity: Literal["block", "warn"] = "block"


class Promise(BaseModel):
    """A model's .yml: what the table means, how it is replaced and what must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    grain: tuple[str, ...]
    topic: Literal["conversations", "leads", "models", "growth", "delivery", "accounts", "trust"]
    owner: str = "team:data"
    materialized: Literal["table", "view"] = "table"
    # `window`: rows whose time_column falls in the window. `local_days`: the tenants' local dates the window touches.
    # `batch`: the rows of the newest landings. `everything`: the whole table.
    replaces: Literal["window", "local_days", "batch", "everything"] = "everything"
    time_column: str | None = None
    # When that was counted which a row of a table replaced whole tells, once it will not change any more.
    counted_at: str | None = None
    # How many days before its own a row needs the events of.
    looks_back_days: int = 0
    # From when on a row counts as published for good, so that changing it is a restatement.
    closed_at: str | None = None
    # How old the newest data may get before a person should look.
    fresh_within_minutes: int = 75
    columns: dict[str, str]
    not_null: tuple[str, ...] = ()
    equations: tuple[Equation, ...] = ()


class Model(BaseModel):
    """One table or view: its SQL, its promise and the tables it reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    name: str
    sql: str
    promise: Promise
    reads: tuple[str, ...]

    @property
    def table(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def is_view(self) -> bool:
        return self.promise.materialized == "view"


def discover(directory: Path = SQL_DIRECTORY) -> tuple[Model, ...]:
    """Every model of the folder, each after the ones it reads. Raises ModelRefused."""
    # The usual folder is read once, whether it was named or not.
    return _discovered(directory)


@functools.cache
def _discovered(directory: Path) -> tuple[Model, ...]:
    found = {
        model.table: model
        for model in _parsed(file for layer in LAYERS for file in sorted(directory.glob(f"{layer}/*.sql")))
    }
    graph = {table: [name for name in model.reads if not name.startswith("raw.")] for table, model in found.items()}
    # What tells of runs (restatements, reconciliation) is computed when all else has run.
    last = [table for table, reads in graph.items() if any(name.startswith("meta.") for name in reads)]
    for table in last:
        graph[table] = [*graph[table], *(name for name in graph if name not in last)]
    for table, dependencies in graph.items():
        for name in dependencies:
            if name not in found and not name.startswith("meta."):
                raise ModelRefused(f"{table} reads {name}, which no file in sql/ makes")
    order = TopologicalSorter(graph).static_order()
    return tuple(found[table] for table in order if table in found)


def by_name(name: str) -> Model:
    """The model of that table name, with or without its schema. Raises ModelRefused."""
    for model in discover():
        if name in {model.name, model.table}:
            return model
    raise ModelRefused(f"there is no model {name}: {', '.join(sorted(model.name for model in discover()))}")


def with_views(names: Iterable[str]) -> tuple[Model, ...]:
    """Those models and the views they are made from, in order; what lands can always be read."""
    wanted = {by_name(name).table for name in names}
    views = {model.table for model in discover() if model.is_view}
    for model in reversed(discover()):
        if model.table in wanted:
            wanted.update(views.intersection(model.reads))
    return tuple(model for model in discover() if model.table in wanted or model.layer == "staging")


def with_upstream(names: Iterable[str]) -> tuple[Model, ...]:
    """Those models and everything they are made from, in order."""
    wanted = {by_name(name).table for name in names}
    for model in reversed(discover()):
        if model.table in wanted:
            wanted.update(model.reads)
    return tuple(model for model in discover() if model.table in wanted)


@contextmanager
def blamed(model: Model, kind: Literal["sql", "yml"]) -> Iterator[None]:
    """What the database cannot bind or convert stands in that file of the model. Raises ModelRefused."""
    try:
        yield
    except (duckdb.ProgrammingError, duckdb.DataError) as error:
        raise ModelRefused(f"{model.name}.{kind}: {error}") from error


def _parsed(files: Iterable[Path]) -> Iterator[Model]:
    with duckdb.connect() as parser:
        for file in files:
            sql = file.read_text(encoding="utf-8")
            yield Model(
                layer=file.parent.name,
                name=file.stem,
                sql=sql,
                promise=_promise(file.with_suffix(".yml")),
                reads=_tables_read(parser, file, sql),
            )


def _promise(file: Path) -> Promise:
    if not file.exists():
        raise ModelRefused(f"{file.name} is missing: every model says what it promises")
    try:
        written = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
        return Promise.model_validate(written)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        faults = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in found)
        raise ModelRefused(f"{file.name}: {faults}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ModelRefused(f"{file.name}: {error}") from error


def _tables_read(parser: duckdb.DuckDBPyConnection, file: Path, sql: str) -> tuple[str, ...]:
    """Schema-qualified tables in the statement, found by DuckDB's own parser without running it."""
    serialized = json.loads(parser.execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if serialized["error"]:
        raise ModelRefused(f"{file.name}: {serialized['error_message']}")
    tables = {f"{node['schema_name']}.{node['table_name']}" for node in _nodes(serialized) if node["schema_name"]}
    allowed = (*LAYERS[: LAYERS.index(file.parent.name) + 1], "raw", "meta")
    for table in tables:
        if table.partition(".")[0] not in allowed:
            raise ModelRefused(f"{file.name} reads {table}: a model reads only its own layer and those to its left")
    return tuple(sorted(tables))


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every table reference of a serialized statement, however deep."""
    if isinstance(value, dict):
        if value.get("type") == "BASE_TABLE":
            yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)
