"""Checks that need more than one table: whether Postgres and the warehouse hold the same events."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from pipelines.partitions import POOL
from pipelines.resources import Installation
from warehouse import kept, reconciliation
from warehouse.windows import Window

# A day old enough to be complete, young enough to be mended before anybody reads a report.
COMPARED = timedelta(days=7)


@dg.asset_check(
    asset=["marts", "analytics_events"],
    name="equals_postgres",
    blocking=True,
    pool=POOL,
    description="The same events stand in Postgres and in the warehouse, id by id, over the last week.",
)
def equals_postgres(installation: dg.ResourceParam[Installation]) -> dg.AssetCheckResult:
    """Fails with the missing and surplus ids and the command that mends it."""
    now = datetime.now(UTC)
    found = reconciliation.reconcile(installation.settings, at=now, window=Window(start=now - COMPARED, end=now))
    return dg.AssetCheckResult(
        passed=found.is_equal,
        metadata={
            "postgres_count": found.postgres_count,
            "warehouse_count": found.warehouse_count,
            **found.named(),
            "mend_with": found.mending_command or "",
            "not_compared": kept.told(found.kept) if found.kept else "",
        },
    )
