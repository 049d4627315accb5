"""One asset per file in sql/: computed together, in one transaction, with every promise of the .yml as a check."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from pipelines import metadata
from pipelines.partitions import DAILY, POOL, asked_window
from pipelines.resources import Installation
from warehouse import checks, models, rollup
from warehouse.checks import CheckResult, ChecksFailed
from warehouse.models import Model

Results = Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]
MODELS = {model.table: model for model in models.discover()}
# No table of Postgres of their own: each is made where another lands.
_LANDS_WITH = {"raw.plans": "raw.tenants", "raw.contact_hashes": "raw.contacts"}
_RERUN = {
    "window": "A rerun replaces exactly its window.",
    "local_days": "A rerun replaces exactly the local days its window touches.",
    "batch": "A rerun replaces exactly its rows.",
    "everything": "A rerun replaces the table.",
}


def _deps(model: Model) -> list[dg.AssetKey]:
    # A view runs nothing, so a table also waits for what its views read.
    direct = [name for name in model.reads if not name.startswith("meta.")]
    behind = [found.path for name in direct if name in MODELS and MODELS[name].is_view for found in _deps(MODELS[name])]
    keys = {tuple(_LANDS_WITH.get(name, name).split(".")) for name in direct}
    return [dg.AssetKey(list(path)) for path in sorted(keys | {tuple(path) for path in behind})]


def _spec(model: Model) -> dg.AssetSpec:
    promise = model.promise
    rerun = "A view: always as fresh as what it reads." if model.is_view else _RERUN[promise.replaces]
    fresh = timedelta(minutes=promise.fresh_within_minutes)
    return dg.AssetSpec(
        key=[model.layer, model.name],
        deps=_deps(model),
        description=f"{promise.description} Grain: one row per {', '.join(promise.grain)}. {rerun}",
        group_name=promise.topic,
        kinds={"duckdb", "sql"},
        owners=[promise.owner],
        freshness_policy=None
        if model.is_view
        else dg.FreshnessPolicy.time_window(fail_window=fresh * 3, warn_window=fresh),
        metadata=metadata.columns(model.table, promise.columns),
    )


def _check_specs(model: Model) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name=name,
            asset=[model.layer, model.name],
            blocking=severity == "block",
            description=checks.told(model, name),
        )
        for name, severity in checks.names(model)
    ]


TABLES = [model for model in MODELS.values() if not model.is_view]
VIEWS = [_spec(model) for model in MODELS.values() if model.is_view]


@dg.multi_asset(
    name="sql_models",
    specs=[_spec(model) for model in TABLES],
    check_specs=[check for model in TABLES for check in _check_specs(model)],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
    pool=POOL,
)
def sql_models(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]) -> Results:
    """The selected models over the window; all of them follow what landed when no window was asked for."""
    window = asked_window(context)
    wanted = models.with_views([key.path[-1] for key in context.selected_asset_keys])
    try:
        runs = rollup.compute(
            installation.settings, at=datetime.now(UTC), window=window, only=wanted if window else None
        )
    except ChecksFailed as failure:
        yield from _check_results(context, failure.results)
        raise dg.Failure(description=str(failure), allow_retries=False) from failure
    for run in runs:
        key = metadata.key(run.model)
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata=metadata.computed(run))
            yield from _check_results(context, run.checks)


def _check_results(context: dg.AssetExecutionContext, results: Sequence[CheckResult]) -> Iterator[dg.AssetCheckResult]:
    for result in metadata.evaluated(results):
        if result.asset_key and dg.AssetCheckKey(result.asset_key, str(result.check_name)) in (
            context.selected_asset_check_keys
        ):
            yield result
