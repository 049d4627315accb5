"""Follow-ups and campaigns whose hour has struck, marked for the worker; nothing is sent from here."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from mychatflow.store import due_work
from mychatflow.store.due_work import DueWork
from mychatflow.store.session import Store
from pipelines.assets.landing import OWNERS
from pipelines.resources import Installation


@dg.asset(
    key=["postgres", "follow_ups"],
    group_name="growth",
    kinds={"python", "postgres"},
    owners=OWNERS,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=30)),
)
def follow_ups(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[None]:
    """Due follow-ups and campaigns, marked. Grain: one per follow-up or campaign. A rerun marks only new ones."""
    marked = installation.with_store(_mark)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": marked.total,
            "follow_ups": marked.follow_ups,
            "campaigns": marked.campaigns,
        }
    )


async def count_due(store: Store) -> DueWork:
    """What a run would mark, for the schedule that looks first."""
    async with store.platform_transaction() as transaction:
        return await due_work.count(transaction, at=datetime.now(UTC))


async def _mark(store: Store) -> DueWork:
    async with store.platform_transaction() as transaction:
        return await due_work.mark(transaction, at=datetime.now(UTC))
