"""One person writes in two chats at once: neither turn loses what the other decides of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from mychatflow.store.session import Store
from realtime.engine.claim import Claims
from realtime.engine.commit import ContactChange, TurnCloser, TurnEnd
from realtime.engine.facts import Facts, FactWriter, Overtaken
from realtime.engine.loop import Loop
from realtime.engine.pool import Pool
from realtime.engine.records import EpisodeEntry
from realtime.engine.work import Lease
from tests.factories import Tenant, a_contact
from tests.realtime.engine.test_last_word import CHAT, a_lease, answered_by_phone, rows

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


class _OvertakenOnce:
    """An agent that finds another turn of the person ahead of it, the first time."""

    pending = 0

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self.served: list[Lease] = []
        self.is_done = asyncio.Event()

    async def serve(self, lease: Lease) -> bool:
        self.served.append(lease)
        if len(self.served) == 1:
            raise Overtaken
        is_due = await self._claims.release(lease)
        self.is_done.set()
        return is_due


async def test_a_conversation_that_two_chats_begin_at_once_is_one(store: Store, pool: Pool, tenant: Tenant):
    contact_id, at = await a_contact(store, tenant, wa_id=CHAT), datetime.now(UTC)
    begun = [
        Facts(
            lease=await a_lease(pool, tenant, chat_id=chat_id),
            contact=answered_by_phone(contact_id, until=at),
            episode=EpisodeEntry(
                id=uuid4(), contact_id=contact_id, start_reason="initial", language=None, started_at=at
            ),
        )
        for chat_id in (CHAT, _HIDDEN_CHAT)
    ]
    writer = FactWriter(pool)

    first, second = await asyncio.gather(*(writer.write(facts) for facts in begun), return_exceptions=True)

    assert not isinstance(first, Exception)
    assert isinstance(second, Overtaken)
    assert len(await rows(pool, "select id from episodes")) == 1


async def test_a_turn_that_was_overtaken_is_taken_anew_at_once(pool: Pool, tenant: Tenant):
    await a_lease(pool, tenant)
    async with pool.connection() as connection:
        await connection.execute("update chat_leases set leased_until = null, due_at = now()")
    claims, stopping = Claims(pool, index=1), asyncio.Event()
    agent = _OvertakenOnce(claims)
    running = asyncio.create_task(Loop(pool, claims, agent, rung=asyncio.Event(), stopping=stopping).run())

    await asyncio.wait_for(agent.is_done.wait(), 5)
    stopping.set()
    await running

    assert len(agent.served) == 2
