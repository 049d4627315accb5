"""What a failed message takes back of all that was counted, and gives again when it arrived after all."""

from datetime import timedelta
from uuid import uuid4

from mychatflow.store.session import Store
from realtime.engine.pool import Pool
from realtime.engine.statuses import apply_statuses
from tests.factories import Tenant, a_campaign
from tests.realtime.engine.test_statuses import SENT, a_sent_message, hear, rows


async def test_a_failed_message_says_why_in_the_outbox(store: Store, pool: Pool, tenant: Tenant) -> None:
    await a_sent_message(store, pool, tenant)
    await hear(pool, tenant, -1)

    await apply_statuses(pool)

    assert await rows(pool, "select state, last_error from outbox") == [("failed", "whatsapp: ERROR")]

    # It arrived after all.
    await hear(pool, tenant, 2)
    await apply_statuses(pool)
    assert await rows(pool, "select state, last_error from outbox") == [("sent", None)]


async def test_a_campaigns_message_counts_as_failed_until_it_arrives(store: Store, pool: Pool, tenant: Tenant) -> None:
    await a_sent_message(store, pool, tenant)
    async with pool.connection() as connection:
        campaign_id = await a_campaign(store, tenant)
        await connection.execute(
            "insert into campaign_recipients (tenant_id, campaign_id, contact_id, instance_id, state, outbox_id)"
            " select tenant_id, %s, contact_id, instance_id, 'sent', id from outbox",
            (campaign_id,),
        )
    told = "select state, reason from campaign_recipients"

    await hear(pool, tenant, -1)
    await apply_statuses(pool)
    assert await rows(pool, told) == [("failed", "ERROR")]

    await hear(pool, tenant, 3)
    await apply_statuses(pool)
    assert await rows(pool, told) == [("read", None)]


async def test_a_failed_message_opens_no_reply_pair(store: Store, pool: Pool, tenant: Tenant) -> None:
    await a_sent_message(store, pool, tenant)
    async with pool.connection() as connection:
        await connection.execute("update contacts set lead_awaiting_reply_since = %s", (SENT,))

    await hear(pool, tenant, -1)
    await apply_statuses(pool)
    assert await rows(pool, "select lead_awaiting_reply_since from contacts") == [(None,)]

    # A late receipt proves that it arrived all the same.
    await hear(pool, tenant, 2)
    await apply_statuses(pool)
    assert await rows(pool, "select lead_awaiting_reply_since from contacts") == [(SENT,)]


async def test_a_failed_reply_is_nobodys_first(store: Store, pool: Pool, tenant: Tenant) -> None:
    lost, episode = await a_sent_message(store, pool, tenant), uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "insert into episodes (tenant_id, id, contact_id, instance_id, start_reason, started_at, first_reply_at,"
            " first_agent_reply_at, first_human_reply_at) select tenant_id, %s, contact_id, instance_id, 'initial',"
            " %s, %s, %s, %s from interactions",
            (episode, SENT, SENT, SENT, SENT + timedelta(hours=2)),
        )
        # A colleague answered from the phone, two hours later.
        await connection.execute(
            "insert into interactions (tenant_id, id, occurred_at, contact_id, instance_id, message_id, direction,"
            " author, status) select tenant_id, %s, %s, contact_id, instance_id, 'PHONE', 'outgoing', 'human', 'sent'"
            " from interactions where id = %s",
            (uuid4(), SENT + timedelta(hours=2), lost),
        )
        await connection.execute("update interactions set episode_id = %s", (episode,))
    firsts = "select first_reply_at, first_agent_reply_at, first_human_reply_at from episodes"

    await hear(pool, tenant, -1)
    await apply_statuses(pool)
    later = SENT + timedelta(hours=2)
    assert await rows(pool, firsts) == [(later, None, later)]

    # It arrived after all.
    await hear(pool, tenant, 2)
    await apply_statuses(pool)
    assert await rows(pool, firsts) == [(SENT, SENT, later)]


async def test_a_conversation_whose_only_reply_failed_waits_again(store: Store, pool: Pool, tenant: Tenant) -> None:
    await a_sent_message(store, pool, tenant)
    asked, episode = SENT - timedelta(seconds=5), uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "insert into episodes (tenant_id, id, contact_id, instance_id, start_reason, started_at, last_inbound_at,"
            " first_reply_at, first_agent_reply_at, last_reply_at, has_answer, is_waiting) select tenant_id, %s,"
            " contact_id, instance_id, 'initial', %s, %s, %s, %s, %s, true, false from interactions",
            (episode, asked, asked, SENT, SENT, SENT),
        )
        await connection.execute(
            "insert into interactions (tenant_id, id, occurred_at, contact_id, instance_id, message_id, direction,"
            " author, status) select tenant_id, %s, %s, contact_id, instance_id, 'ASKED', 'incoming', 'customer',"
            " 'received' from interactions",
            (uuid4(), asked),
        )
        await connection.execute("update interactions set episode_id = %s", (episode,))
    told = "select has_answer, is_waiting, waiting_since, last_reply_at from episodes"

    await hear(pool, tenant, -1)
    await apply_statuses(pool)
    assert await rows(pool, told) == [(False, True, asked, None)]

    # It arrived after all.
    await hear(pool, tenant, 2)
    await apply_statuses(pool)
    assert await rows(pool, told) == [(True, False, None, SENT)]


async def test_the_message_before_a_failed_one_stays_the_one_answered(store: Store, pool: Pool, tenant: Tenant) -> None:
    await a_sent_message(store, pool, tenant, wa_id="FIRST")
    await a_sent_message(store, pool, tenant, wa_id="LATER")
    later = SENT + timedelta(seconds=30)
    async with pool.connection() as connection:
        await connection.execute("update outbox set sent_at = %s where wa_message_id = 'LATER'", (later,))
        await connection.execute("update outbox set contact_id = (select min(id::text)::uuid from contacts)")
        await connection.execute("update interactions set contact_id = (select min(id::text)::uuid from contacts)")
        await connection.execute("update contacts set lead_awaiting_reply_since = %s", (later,))

    await hear(pool, tenant, -1, wa_id="LATER")
    await apply_statuses(pool)

    found = await rows(
        pool, "select lead_awaiting_reply_since from contacts where id in (select contact_id from interactions)"
    )
    assert found == [(SENT,)]
