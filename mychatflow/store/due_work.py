"""What has come due: follow-ups and campaigns whose hour has struck, marked for the worker to send."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_DUE_FOLLOW_UPS = "state = 'scheduled' and due_at <= :at"
_DUE_CAMPAIGNS = "state = 'scheduled' and scheduled_at <= :at"
_COUNT = text(
    f"""
    select
        (select count(*) from follow_ups where {_DUE_FOLLOW_UPS}) as follow_ups,
        (select count(*) from campaigns where {_DUE_CAMPAIGNS}) as campaigns
    """  # noqa: S608 — both conditions stand above
)
_MARK_FOLLOW_UPS = text(f"update follow_ups set state = 'due' where {_DUE_FOLLOW_UPS}")  # noqa: S608
_START_CAMPAIGNS = text(
    f"update campaigns set state = 'running', started_at = :at, updated_at = now() where {_DUE_CAMPAIGNS}"  # noqa: S608
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """How much has come due."""

    follow_ups: int
    campaigns: int

    @property
    def total(self) -> int:
        return self.follow_ups + self.campaigns


async def count(transaction: AsyncConnection, *, at: datetime) -> DueWork:
    """What a marking would mark now; a platform transaction, since it spans tenants."""
    row = (await transaction.execute(_COUNT, {"at": at})).one()
    return DueWork(follow_ups=row.follow_ups, campaigns=row.campaigns)


async def mark(transaction: AsyncConnection, *, at: datetime) -> DueWork:
    """Mark due follow-ups and start due campaigns; the realtime worker decides and sends."""
    follow_ups = await transaction.execute(_MARK_FOLLOW_UPS, {"at": at})
    campaigns = await transaction.execute(_START_CAMPAIGNS, {"at": at})
    return DueWork(follow_ups=follow_ups.rowcount, campaigns=campaigns.rowcount)
