"""The published marts: a new read-only file that dashboards, queries and reports read."""

from datetime import UTC, datetime

import dagster as dg

from pipelines import metadata
from pipelines.assets.landing import FRESHNESS, OWNERS
from pipelines.assets.sql_models import TABLES
from pipelines.partitions import POOL
from pipelines.resources import Installation
from warehouse import rollup


@dg.asset(
    key=["published", "snapshot"],
    deps=[[model.layer, model.name] for model in TABLES if model.layer == "marts"],
    group_name="trust",
    kinds={"duckdb"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    pool=POOL,
)
def snapshot(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[None]:
    """The marts as one read-only file. Grain: one file per publication. A rerun publishes the next number."""
    published = rollup.publish_marts(installation.settings, at=datetime.now(UTC))
    installation.beat("snapshot")
    return dg.MaterializeResult(metadata=metadata.published(published))
