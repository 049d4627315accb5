"""How much of its plan a tenant used day by day, and the word that it runs out, at 80 and at 100 percent."""

from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.plan import DAILY_MESSAGES

# One statement: whoever moves the mark writes the notification, and the mark moves once.
_WARN: Final = text(
    """
    with limits as (
        select * from unnest(cast(:plans as text[]), cast(:limits as integer[])) as known (plan, daily)
    ),
    reached as (
        select usage_days.tenant_id, usage_days.usage_date, limits.daily,
            case when usage_days.used >= limits.daily then 100 else 80 end as percent
        from usage_days
        join tenants on tenants.id = usage_days.tenant_id and tenants.deleted_at is null
        join limits on limits.plan = tenants.plan
        where usage_days.usage_date = :today and usage_days.used * 100 >= limits.daily * 80
    ),
    marked as (
        update usage_days set warned_at_percent = reached.percent
        from reached
        where usage_days.tenant_id = reached.tenant_id
            and usage_days.usage_date = reached.usage_date
            and usage_days.warned_at_percent < reached.percent
        returning usage_days.tenant_id, reached.percent, reached.daily
    )
    insert into notifications (tenant_id, kind, title, detail, is_urgent)
    select
        tenant_id, 'quota',
        case
            when percent = 100 then 'Today''s messages are used up: nobody is answered until midnight UTC'
            else 'Four fifths of today''s messages are used'
        end,
        jsonb_build_object('percent', percent, 'daily_message_limit', daily, 'reason', 'plan_limit'),
        true
    from marked
    returning tenant_id
    """
)

_DAYS: Final = text("select usage_date, used from usage_days where tenant_id = :tenant_id and usage_date >= :since")


async def days(transaction: AsyncConnection, tenant_id: UUID, *, since: date) -> dict[date, int]:
    """What each day took; a day of none is not there."""
    found = await transaction.execute(_DAYS, {"tenant_id": tenant_id, "since": since})
    return {row.usage_date: row.used for row in found}


async def warn(transaction: AsyncConnection, *, today: date) -> int:
    """Write what is due (platform transaction); urgent, so that people on duty get it by e-mail. Returns how many."""
    values = {"plans": [str(plan) for plan in DAILY_MESSAGES], "limits": list(DAILY_MESSAGES.values()), "today": today}
    return len((await transaction.execute(_WARN, values)).all())
