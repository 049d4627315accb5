"""What became of a campaign is counted from its recipients, and both groups have the same days to write."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from mychatflow.store import campaign_results
from tests.factories import NOON, a_campaign, a_contact, a_tenant

YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture
async def tenant(store):
    return await a_tenant(store, timezone="Europe/Madrid", business_name="Bella")


async def test_results_count_each_state_for_those_before_it(store, tenant):
    campaign_id = await a_campaign(store, tenant)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update campaigns set started_at = :at"), {"at": YESTERDAY})
    for state in ("queued", "sent", "delivered", "read", "replied", "failed", "skipped", "held_out", "held_out"):
        wrote = state == "replied"
        contact_id = await a_contact(store, tenant, last_inbound_at=NOON if wrote else None)
        async with store.platform_transaction() as transaction:
            await transaction.execute(
                text(
                    "insert into campaign_recipients (tenant_id, campaign_id, contact_id, state, sent_at, state_at)"
                    " values (:t, :c, :p, :s, :sent_at, :at)"
                ),
                {
                    "t": tenant.tenant_id, "c": campaign_id, "p": contact_id, "s": state, "at": YESTERDAY,
                    "sent_at": YESTERDAY if state in {"sent", "delivered", "read", "replied"} else None,
                },
            )  # fmt: skip
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        found = await campaign_results.results(transaction, tenant.tenant_id, campaign_id)
        # Behind each number stand as many people, whichever it is.
        for part in ("recipients", "queued", "read", "skipped", "opted_out_after", "assigned_wrote", "held_out_wrote"):
            behind = await campaign_results.of_part(
                transaction, tenant.tenant_id, campaign_id, part=part, reason=None, limit=99
            )
            assert len(behind) == found[part], part

    assert {name: found[name] for name in ("recipients", "sent", "delivered", "read", "replied")} == {
        "recipients": 9, "sent": 4, "delivered": 3, "read": 2, "replied": 1,
    }  # fmt: skip
    assert found["recipients"] == sum(found[name] for name in ("queued", "sent", "failed", "skipped", "held_out"))
    assert (found["assigned"], found["assigned_wrote"]) == (5, 1)
    assert found["lift"].difference == pytest.approx(1 / 5)


# Written to an hour, left out four hours and finished five hours after the start; a week later nothing counts any more.
_LIVES = [
    ("sent", None, timedelta(hours=1), timedelta(days=6), "assigned_wrote"),
    ("sent", None, timedelta(hours=1), timedelta(days=8), "assigned"),
    ("sent", None, timedelta(hours=1), timedelta(minutes=-5), "assigned"),
    # Who wrote before their turn came was left out for it, and wrote all the same.
    ("skipped", "messaged_today", timedelta(hours=4), timedelta(hours=3), "assigned_wrote"),
    ("skipped", "opted_out", timedelta(0), timedelta(hours=3), None),
    ("skipped", "campaign_cancelled", timedelta(hours=5), timedelta(hours=3), None),
    ("queued", None, timedelta(0), timedelta(hours=3), None),
    ("held_out", "control group", timedelta(0), timedelta(minutes=30), "held_out_wrote"),
    ("held_out", "control group", timedelta(0), timedelta(days=8), "held_out"),
]


@pytest.mark.parametrize(("state", "reason", "decided", "wrote", "counted"), _LIVES)
async def test_both_groups_have_the_same_days_to_write(store, tenant, state, reason, decided, wrote, counted):
    campaign_id, contact_id = await a_campaign(store, tenant), await a_contact(store, tenant)
    start = NOON - timedelta(days=20)
    values = {"t": tenant.tenant_id, "c": campaign_id, "p": contact_id, "i": tenant.instance_id, "start": start}
    statements = {
        "update campaigns set started_at = :start, frozen_at = cast(:start as timestamptz) + interval '1 minute',"
        " finished_at = cast(:start as timestamptz) + interval '5 hours'": {},
        "insert into campaign_recipients (tenant_id, campaign_id, contact_id, state, reason, state_at)"
        " values (:t, :c, :p, :state, :reason, :at)": {"state": state, "reason": reason, "at": start + decided},
        # Everybody writes much later once more.
        "update contacts set last_inbound_at = :at": {"at": NOON},
        "insert into interactions (tenant_id, occurred_at, contact_id, instance_id, direction, author, status)"
        " values (:t, :at, :p, :i, 'incoming', 'customer', 'received')": {"at": start + wrote},
    }
    async with store.platform_transaction() as transaction:
        for sql, more in statements.items():
            await transaction.execute(text(sql), values | more)

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        found = await campaign_results.results(transaction, tenant.tenant_id, campaign_id)

    told = {name for name in ("assigned", "assigned_wrote", "held_out", "held_out_wrote") if found[name]}
    assert told == ({counted, counted.removesuffix("_wrote")} if counted else set())
