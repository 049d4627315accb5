"""A tenant hears that its messages run out: at 80 and at 100 percent, once a day each."""

import asyncio
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from mychatflow.store import quota
from tests.factories import a_tenant

TODAY = date(2026, 11, 24)


async def spend(store, tenant, used, *, day=TODAY):
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into usage_days (tenant_id, usage_date, used) values (:tenant_id, :day, :used)"
                " on conflict (tenant_id, usage_date) do update set used = excluded.used"
            ),
            {"tenant_id": tenant.tenant_id, "day": day, "used": used},
        )


async def warned(store, *, today=TODAY):
    async with store.platform_transaction() as transaction:
        return await quota.warn(transaction, today=today)


@pytest.mark.parametrize(
    ("plan", "used", "percents"),
    [
        ("free", 79, []),
        ("free", 80, [80]),
        ("free", 100, [100]),
        ("enterprise", 39_999, []),
        ("enterprise", 40_000, [80]),
    ],
)
async def test_warnings_begin_at_four_fifths(store, plan, used, percents):
    await spend(store, await a_tenant(store, plan=plan), used)

    assert await warned(store) == len(percents)

    async with store.platform_transaction() as transaction:
        found = await transaction.execute(text("select detail, is_urgent from notifications"))
        assert [(row.detail["percent"], row.is_urgent) for row in found] == [(percent, True) for percent in percents]


async def test_each_warning_comes_once_a_day(store):
    tenant = await a_tenant(store, plan="free")
    counts = []
    for used in (80, 90, 100, 99, 100):
        await spend(store, tenant, used)
        counts.append(await warned(store))
    tomorrow = TODAY + timedelta(days=1)
    await spend(store, tenant, 85, day=tomorrow)

    assert counts == [1, 0, 1, 0, 0]
    assert await warned(store, today=tomorrow) == 1


async def test_many_watchers_warn_once(store):
    await spend(store, await a_tenant(store, plan="free"), 80)

    assert sum(await asyncio.gather(*(warned(store) for _ in range(5)))) == 1
