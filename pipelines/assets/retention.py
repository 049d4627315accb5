"""What tenants no longer keep is let go daily, and next month's partitions are ready before they are needed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg

from mychatflow.local import backup, restore
from mychatflow.rules import retention as rules
from mychatflow.store import media_files, media_vault, old_months, schema
from mychatflow.store import retention as kept
from mychatflow.store.media_vault import MediaVault
from mychatflow.store.session import Store
from pipelines.assets.landing import OWNERS
from pipelines.partitions import POOL
from pipelines.resources import Installation
from warehouse import retention as warehouse_retention

_AHEAD = timedelta(days=92)
# As long as Dagster keeps what it knows of them.
_RUNS_KEPT = timedelta(days=30)


@dg.asset(
    key=["postgres", "retention"],
    group_name="trust",
    kinds={"python", "postgres"},
    owners=OWNERS,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)),
    pool=POOL,
)
def retention(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[None]:
    """Text and events older than a tenant keeps. Grain: one per tenant. A rerun finds nothing more to delete."""
    at = datetime.now(UTC)
    schema.ensure_months(installation.settings, first=at.date(), last=(at + _AHEAD).date())
    counts, words_before, events_before = installation.with_store(
        lambda store: _clean(store, media_vault.opened(installation.settings), at)
    )
    forgotten = warehouse_retention.forget_events(installation.settings, events_before)
    counts["warehouse_facts"] = forgotten.event_count
    counts["warehouse_runs"] = warehouse_retention.forget_runs(installation.settings, at - _RUNS_KEPT)
    counts["folders_kept_aside"] = restore.forget_aside(installation.settings, before=at - backup.KEPT)
    freed = {"warehouse_freed_bytes": forgotten.freed_bytes, "postgres_freed_bytes": 0}
    if counts.get("events") and events_before:
        until = max(events_before.values()).date()
        freed["postgres_freed_bytes"] += old_months.free(installation.settings, "analytics_events", until=until)
    if counts.get("messages") and words_before:
        until = max(words_before).date()
        freed["postgres_freed_bytes"] += old_months.free(installation.settings, "interactions", until=until)
    return dg.MaterializeResult(metadata={"dagster/row_count": sum(counts.values()), **counts, **freed})


async def _clean(
    store: Store, vault: MediaVault, at: datetime
) -> tuple[dict[str, int], list[datetime], dict[UUID, datetime]]:
    totals = {
        "idempotency_keys": await kept.clean_idempotency_keys(store, at=at),
        "webhook_deliveries": await kept.clean_webhook_deliveries(store, at=at),
    }
    words_before, events_before = [], {}
    for policy in await kept.policies(store):
        cutoffs = rules.cutoffs(policy.settings, at=at)
        if cutoffs.events_before is not None:
            events_before[policy.tenant_id] = cutoffs.events_before
        if cutoffs.messages_before is not None:
            words_before.append(cutoffs.messages_before)
        if cutoffs.media_before is not None:
            forgotten = await media_files.forget(store, vault, policy.tenant_id, before=cutoffs.media_before)
            totals["media"] = totals.get("media", 0) + forgotten
        for kind, count in (await kept.clean_tenant(store, policy.tenant_id, cutoffs)).items():
            totals[kind] = totals.get(kind, 0) + count
    # The warehouse lets go of nothing that a hold begun meanwhile keeps in Postgres.
    return totals, words_before, await kept.without_holds(store, events_before)
