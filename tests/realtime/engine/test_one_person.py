"""One person writes in two chats at once: neither turn loses what the other decides of them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.store.session import Store
from realtime.engine.commit import ContactChange, TurnCloser, TurnEnd
from realtime.engine.pool import Pool
from tests.factories import Tenant, a_contact
from tests.realtime.engine.test_last_word import CHAT, a_lease, rows

_HIDDEN_CHAT = "77000000001@lid"


@pytest.mark.parametrize("is_stop_first", [True, False])
async def test_a_stop_holds_whatever_another_chat_decides_in_the_same_moment(
    store: Store, pool: Pool, tenant: Tenant, is_stop_first: bool
):
    contact_id, at = await a_contact(store, tenant, wa_id=CHAT), datetime.now(UTC)
    pauses = ContactChange(paused_until=at + timedelta(hours=2))
    ends = [
        TurnEnd(lease=await a_lease(pool, tenant, chat_id=chat_id), contact_id=contact_id, seqs=(), contact=change)
        for chat_id, change in ((CHAT, ContactChange(opted_out_at=at)), (_HIDDEN_CHAT, pauses))
    ]
    closer = TurnCloser(pool)

    await asyncio.gather(*(closer.close(end) for end in (ends if is_stop_first else reversed(ends))))

    assert await rows(pool, "select opted_out_at, paused_until from contacts") == [(at, at + timedelta(hours=2))]


async def test_nothing_is_said_to_who_said_stop_in_another_chat_a_moment_before(
    store: Store, pool: Pool, tenant: Tenant
):
    contact_id, at = await a_contact(store, tenant, wa_id=CHAT), datetime.now(UTC)
    stops = TurnEnd(
        lease=await a_lease(pool, tenant),
        contact_id=contact_id,
        seqs=(),
        contact=ContactChange(opted_out_at=at),
    )
    replies = TurnEnd(
        lease=await a_lease(pool, tenant, chat_id=_HIDDEN_CHAT), contact_id=contact_id, seqs=(), needs_consent=True
    )
    closer = TurnCloser(pool)

    stopped, replied = await asyncio.gather(closer.close(stops), closer.close(replies))

    assert (stopped.verdict, replied.verdict) == ("done", "changed")
