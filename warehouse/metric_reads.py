"""Any number of the registry, for any filter: one value, its course by day, its parts, and the facts behind it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pyarrow as pa

from mychatflow.rules import answer_quality
from warehouse import metric_filter, metric_sql, metrics, reader, reads
from warehouse.metric import Metric
from warehouse.metric_filter import Filter
from warehouse.metric_sql import First
from warehouse.metrics import UnknownMetric
from warehouse.questions import Row

_NAMED = re.compile(r"\$(\w+)")
# More than any list a person reads; a file may hold more, and says so.
_LISTED = 1_000
# What is listed from single events, which a tenant keeps for some time alone; totals of the marts stay.
_LET_GO = {"events", "replies"}
MOST_PEOPLE = 500


def value(tenant_id: UUID, name: str, asked: Filter) -> Row:
    """The tile: value, numerator and denominator; of times also how many and the percentiles.

    All are None, with `kept_from`, where the events that the filter needs are no longer kept.
    """
    metric = _scaled(tenant_id, checked(name, asked))
    match metric.kind:
        case "none":
            return _finished(metric, {"numerator": None})
        case "ratio" | "lift":
            parts = [value(tenant_id, part, _shared(part, asked)) for part in metric.divides or ()]
            return _ratio(metric, parts[0], parts[1])
        case _:
            if since := _let_go_before(tenant_id, metric, asked):
                return {**dict.fromkeys(_finished(metric, {})), "kept_from": since}
            rows = _ask(metric_sql.totals(metric, asked), tenant_id, asked)
            return _finished(metric, rows[0] if rows else {})


def series(tenant_id: UUID, name: str, asked: Filter) -> list[Row]:
    """The chart: the same on every date of the period, zeros included; no data stays no data."""
    metric = _scaled(tenant_id, checked(name, asked))
    if metric.kind in {"ratio", "lift"}:
        first, second = (series(tenant_id, part, _shared(part, asked)) for part in metric.divides or ())
        divided = {row["local_date"]: row for row in second}
        return [
            {"local_date": row["local_date"], **_ratio(metric, row, divided[row["local_date"]])}
            for row in first
            if row["local_date"] in divided
        ]
    if metric.kind == "none":
        return []
    found = {
        row["local_date"]: row for row in _ask(metric_sql.totals(metric, asked, by="local_date"), tenant_id, asked)
    }
    dates = asked.period.dates() if asked.period else sorted(found)
    since = _let_go_before(tenant_id, metric, asked, by="local_date")
    unknown = dict.fromkeys(_finished(metric, {}))
    return [
        {"local_date": day, **(unknown if since and day < since else _finished(metric, found.get(day, {})))}
        for day in dates
    ]


def parts(tenant_id: UUID, name: str, asked: Filter, *, by: str) -> list[Row]:
    """The number of each value of a dimension, largest first; together they are the tile."""
    metric = _scaled(tenant_id, checked(name, asked))
    metric_filter.refuse_unknown(metric, Filter(where={by: UUID(int=0)}))
    if metric.kind in {"ratio", "lift", "none"}:
        return []
    if _let_go_before(tenant_id, metric, asked, by=by):
        return []
    rows = _ask(metric_sql.totals(metric, asked, by=by), tenant_id, asked)
    finished = [{by: row["local_date"], **_finished(metric, row)} for row in rows]
    if metric.share_of and by in metric.share_of:
        whole = sum(row["numerator"] for row in finished)
        finished = [
            row | {"denominator": whole, "value": row["numerator"] / whole if whole else None} for row in finished
        ]
    return sorted(finished, key=lambda row: (-(row["numerator"] or 0), str(row[by])))


def facts(
    tenant_id: UUID, name: str, asked: Filter, *, limit: int | None = _LISTED, of_denominator: bool = False
) -> list[Row]:
    """The drill-down and the file: every fact behind the number, newest first; of a ratio those of its numerator."""
    sql, values = _listing(tenant_id, name, asked, limit=limit, of_denominator=of_denominator)
    return reader.current().rows(sql, values) if sql else []


def people(
    tenant_id: UUID,
    name: str,
    asked: Filter,
    *,
    first: First = "busiest",
    least_ms: int = 0,
    below_ms: int | None = None,
    limit: int = MOST_PEOPLE,
) -> list[Row]:
    """Whose facts they are, one row for each person; `event_count` sums to the number."""
    sql = metric_sql.people(checked(name, asked), asked, first=first)
    limits = {"least_ms": least_ms, "below_ms": below_ms, "limit": limit}
    return reader.current().rows(sql, _bound(sql, tenant_id, asked, **limits))


@contextmanager
def batches(
    tenant_id: UUID, name: str, asked: Filter, *, of_denominator: bool = False
) -> Iterator[pa.RecordBatchReader]:
    """All of the same facts for a file, a batch at a time."""
    sql, values = _listing(tenant_id, name, asked, limit=None, of_denominator=of_denominator)
    if not sql:
        raise UnknownMetric(name)
    with reader.current().batches(sql, values) as found:
        yield found


def _listing(
    tenant_id: UUID, name: str, asked: Filter, *, limit: int | None, of_denominator: bool
) -> tuple[str | None, dict[str, Any]]:
    metric = checked(name, asked)
    if metric.divides:
        part = metric.divides[1 if of_denominator and metric.kind == "ratio" else 0]
        return _listing(tenant_id, part, _shared(part, asked), limit=limit, of_denominator=False)
    if metric.kind == "none":
        return None, {}
    sql = metric_sql.listed(metric, asked, of_denominator=of_denominator)
    return sql, _bound(sql, tenant_id, asked, limit=2**62 if limit is None else limit)


def checked(name: str, asked: Filter) -> Metric:
    """The registry's entry, when the filter fits it. Raises UnknownMetric, FilterRefused."""
    metric = metrics.by_name(name)
    metric_filter.refuse_unknown(metric, asked)
    return metric


def _scaled(tenant_id: UUID, metric: Metric) -> Metric:
    if not metric.is_scaled_by_reply:
        return metric
    return replace(metric, scale=metric.scale * reads.reply_saves_minutes(tenant_id))


def _let_go_before(tenant_id: UUID, metric: Metric, asked: Filter, by: str | None = None) -> date | None:
    """The first day kept, when the number would be counted from single events of which some are gone."""
    if metric.facts not in _LET_GO or metric_sql.mart_knows(metric, asked, by):
        return None
    since = reads.kept_from(tenant_id)
    return since if since and asked.span.since < since else None


def _shared(part: str, asked: Filter) -> Filter:
    """A part of a ratio is narrowed by the dimensions it has: an episode has no provider."""
    known = metrics.by_name(part).dimensions
    return Filter(period=asked.period, where={name: item for name, item in asked.where.items() if name in known})


def _ask(sql: str, tenant_id: UUID, asked: Filter) -> list[Row]:
    return reader.current().rows(sql, _bound(sql, tenant_id, asked))


def _bound(sql: str, tenant_id: UUID, asked: Filter, **more: Any) -> dict[str, Any]:
    values = {"tenant_id": tenant_id, **asked.values(), **more}
    # The engine refuses values that the statement does not name.
    return {name: values[name] for name in set(_NAMED.findall(sql))}


def _finished(metric: Metric, row: Row) -> Row:
    if metric.kind == "quantile":
        empty = dict.fromkeys(metric_sql.QUANTILES)
        found = {"numerator": 0, **empty, **{key: row[key] for key in ("numerator", *empty) if key in row}}
        return {"value": found["p50"], **found}
    numerator = row.get("numerator", 0)
    if not metric.is_rate:
        return {"value": None if numerator is None else numerator * metric.scale, "numerator": numerator}
    denominator = row.get("denominator") or 0
    rate = numerator / denominator if denominator else None
    return {"value": rate, "numerator": numerator, "denominator": denominator}


def _ratio(metric: Metric, first: Row, second: Row) -> Row:
    if metric.kind == "lift":
        return _lift(first, second)
    # Of a rate the numerator is what was counted: cost per durable resolution is per episode settled.
    above, below = first["value"], second["numerator"]
    return {"value": above / below if below and above is not None else None, "numerator": above, "denominator": below}


def _lift(treated: Row, held_out: Row) -> Row:
    """The difference of two rates with its 95 % interval."""
    found: Row = {"value": None, "low": None, "high": None, "numerator": treated["value"], "denominator": None}
    if treated["value"] is None or held_out["value"] is None:
        return found
    low, high = answer_quality.difference(*((rate["value"], rate["denominator"]) for rate in (treated, held_out)))
    value = treated["value"] - held_out["value"]
    return found | {"value": value, "low": low, "high": high, "denominator": held_out["value"]}
