"""The SQL of any number of the registry: from the mart where it knows the filter, from the facts otherwise."""

# ruff: noqa: S608 — every name and expression comes from the registry; what a viewer chose is bound.

import functools
from collections.abc import Mapping
from typing import Literal

from warehouse import models, questions
from warehouse.metric import Metric
from warehouse.metric_filter import Filter
from warehouse.models import SQL_DIRECTORY

_FROM_SKETCH = """
with
merged as (
    select {day}, bucket, sum(value_count) as value_count from {source} group by all
),
ranked as (
    select
        *,
        sum(value_count) over (partition by local_date order by bucket) as reached_count,
        sum(value_count) over (partition by local_date) as total_count
    from merged
)
select
    local_date,
    cast(any_value(total_count) as bigint) as numerator,
    {quantiles}
from ranked group by all
"""
First = Literal["busiest", "slowest", "costliest", "newest"]
_FIRST: Mapping[First, str] = {
    "busiest": "event_count",
    "slowest": "slowest_ms",
    "costliest": "cost_usd",
    "newest": "last_at",
}
# What of a fact tells how long it took, what it cost and when it was.
_TOLD = {
    "events": ("latency_ms", "cost_micro_usd", "occurred_at"),
    "replies": ("response_ms", "null::bigint", "occurred_at"),
    "episodes": ("first_response_ms", "null::bigint", "started_at"),
}
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def totals(metric: Metric, asked: Filter, *, by: str | None = None) -> str:
    """Numerator and denominator (of times: how many, and their percentiles), by day, by a dimension or in one row."""
    is_from_mart = mart_knows(metric, asked, by)
    source = _mart(metric, asked) if is_from_mart else _facts(metric, asked)
    group = f"{by} as local_date" if by else "null as local_date"
    if metric.kind == "quantile":
        return _quantiles(metric, source, group, is_sketch=is_from_mart)
    counted = metric.column if is_from_mart else metric.counted
    per = metric.per_column if is_from_mart else metric.per_counted
    denominator = f"cast(coalesce(sum({_number(per)}), 0) as bigint)" if per else "null"
    return (
        f"select {group}, cast(coalesce(sum({_narrowed(metric, asked, counted)}), 0) as bigint) as numerator, "
        f"{denominator} as denominator from {source} group by all"
    )


def listed(metric: Metric, asked: Filter, *, of_denominator: bool = False) -> str:
    """The facts behind the number, newest first; `amount` is what each adds to it."""
    expression = metric.per_counted if of_denominator and metric.per_counted else metric.counted
    amount = _number(expression) if of_denominator else _narrowed(metric, asked, expression)
    is_counted = "amount is not null" if metric.kind == "quantile" else "amount <> 0"
    return (
        f"with listed as (select local_date, * exclude (local_date), {amount} as amount from {_facts(metric, asked)}) "
        f"select * from listed where {is_counted} order by all desc limit $limit"
    )


def people(metric: Metric, asked: Filter, *, first: First) -> str:
    """The persons behind the number: how often, how slow at worst, how dear, when last; of times within limits."""
    took, cost, at = _TOLD[str(metric.facts)]
    counted = metric.counted
    if metric.kind == "quantile":
        counted = f"{counted} >= $least_ms and {counted} < coalesce($below_ms, {counted} + 1)"
    narrowed = "".join(f" and {name} = ${name}" for name in asked.where if name in metric.share_of)
    return (
        f"select contact_id, count(*) as event_count, max({took}) as slowest_ms, sum({cost}) / 1e6 as cost_usd, "
        f"max({at}) as last_at from {_facts(metric, asked)} where contact_id is not null and {counted}{narrowed} "
        f"group by contact_id order by {_FIRST[first]} desc nulls last, event_count desc, last_at desc, contact_id asc "
        "limit $limit"
    )


def _number(expression: str) -> str:
    return f"cast(({expression}) as bigint)"


def _narrowed(metric: Metric, asked: Filter, expression: str) -> str:
    narrowing = [f"{name} = ${name}" for name in asked.where if name in metric.share_of]
    if not narrowing:
        return _number(expression)
    return f"case when {' and '.join(narrowing)} then {_number(expression)} else 0 end"


def _quantiles(metric: Metric, source: str, group: str, *, is_sketch: bool) -> str:
    if is_sketch:
        written = ", ".join(
            f"sketch_quantile(bucket, reached_count, total_count, {share}) as {name}"
            for name, share in QUANTILES.items()
        )
        return _FROM_SKETCH.format(day=group, source=source, quantiles=written)
    value = f"({metric.counted})"
    written = ", ".join(f"quantile_cont({value}, {share}) as {name}" for name, share in QUANTILES.items())
    return f"select {group}, count({value}) as numerator, {written} from {source} group by all having numerator > 0"


def mart_knows(metric: Metric, asked: Filter, by: str | None) -> bool:
    """Whether the mart is an aggregate that can be narrowed and grouped by what is asked."""
    if metric.kind == "people" or metric.model == metric.facts or (metric.kind == "quantile" and not metric.within):
        return False
    columns = models.by_name(metric.model).promise.columns
    return metric.model not in _FACT_GRAIN and {*asked.where, *([by] if by else ())} <= set(columns)


# Marts with a row for each fact: the facts beside them say the same with more columns.
_FACT_GRAIN = {
    "episodes",
    "lead_conversions",
    "lead_scores_current",
    "campaign_recipients",
    "follow_up_runs",
    "failover_impact",
}


def _mart(metric: Metric, asked: Filter) -> str:
    within = f" and {metric.within}" if metric.within else ""
    return (
        f"(from marts.{metric.model} where tenant_id = $tenant_id and local_date >= $since and local_date < $until"
        f"{within}{_where(metric, asked)})"
    )


def _facts(metric: Metric, asked: Filter) -> str:
    return f"(from ({_fact_file(str(metric.facts))}) where true{_where(metric, asked)})"


def _where(metric: Metric, asked: Filter) -> str:
    return "".join(f" and {name} = ${name}" for name in asked.where if name not in metric.share_of)


@functools.cache
def _fact_file(name: str) -> str:
    return questions.with_parameters((SQL_DIRECTORY / "facts" / f"{name}.sql").read_text(encoding="utf-8"))
