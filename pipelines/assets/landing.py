"""What arrives from the operational Postgres: one raw table per source, under one snapshot."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from pipelines import metadata
from pipelines.partitions import DAILY, POOL, asked_window
from pipelines.resources import Installation
from warehouse import rollup
from warehouse.sources import APPENDED, SNAPSHOTS, Source

FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=3), warn_window=timedelta(minutes=75))
OWNERS = ["team:data"]


def _spec(source: Source) -> dg.AssetSpec:
    arrives = (
        "Appended by transaction id, replaced by key" if source.mode == "appended" else "Replaced whole at each landing"
    )
    return dg.AssetSpec(
        key=["raw", source.name],
        description=f"Postgres {source.name}. Grain: one row per row there. {arrives}: safe to rerun.",
        group_name="landing",
        kinds={"postgres", "duckdb"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        metadata=metadata.columns(f"raw.{source.name}", {}),
    )


@dg.multi_asset(
    name="landing",
    specs=[_spec(source) for source in (*SNAPSHOTS, *APPENDED)],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
    pool=POOL,
)
def landing(
    context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
) -> Iterator[dg.MaterializeResult[None]]:
    """Everything that changed since the last landing; in a backfill, the window's rows as well."""
    landed = rollup.land(installation.settings, window=asked_window(context))
    for key in context.selected_asset_keys:
        name = key.path[-1]
        yield dg.MaterializeResult(
            asset_key=key,
            metadata=metadata.landed(landed, name),
        )
