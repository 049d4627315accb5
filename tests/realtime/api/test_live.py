"""The live stream: what happens here is told once and in order, and nothing of anybody else."""

import asyncio
import json
import re
from uuid import uuid4

from sqlalchemy import text

from tests.factories import a_contact
from tests.realtime.api.conftest import a_shop, bearer


async def happens(store, shop, kind="message_received"):
    event_id = uuid4()
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into analytics_events (tenant_id, event_id, occurred_at, event_type, contact_id)"
                " values (:tenant_id, :event_id, now(), :kind, :contact_id)"
            ),
            {
                "tenant_id": shop.tenant.tenant_id,
                "event_id": event_id,
                "kind": kind,
                "contact_id": shop.contact_id,
            },
        )
    return str(event_id)


async def told(api, seconds, opened=None, **headers):
    """The events of one stream and the position after each."""
    events, last = [], None
    async with api.stream("GET", "/live", params={"seconds": seconds}, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if opened is not None:
                opened.set()
            if line.startswith("id: "):
                last = line.removeprefix("id: ")
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
    return events, last


async def test_what_happens_is_told_to_its_tenant_alone(api, shop, store):
    theirs = await a_shop(store)
    opened = asyncio.Event()
    reading = asyncio.create_task(told(api, 4, opened))
    await opened.wait()

    mine = [await happens(store, shop), await happens(store, shop, "lead_scored")]
    await happens(store, theirs)
    events, last = await reading

    assert [event["event_id"] for event in events] == mine
    assert [event["event_type"] for event in events] == ["message_received", "lead_scored"]
    assert all(re.fullmatch(r"[-\d]{10}T[:.\d]+Z", event["occurred_at"]) for event in events)
    # Nobody misses what happened while they were away, or hears it twice.
    later = await happens(store, shop)
    again, _ = await told(api, 1, **{"last-event-id": last})
    assert [event["event_id"] for event in again] == [later]
    # A position is no key: with another tenant's one sees one's own.
    across, _ = await told(api, 1, **bearer(theirs.key), **{"last-event-id": last})
    assert {event["contact_id"] for event in across} <= {str(theirs.contact_id)}


async def test_what_a_merge_or_an_erasure_writes_again_is_not_told_again(api, shop, store):
    _, begin = await told(api, 1)
    early = [await happens(store, shop) for _ in range(2)]
    events, last = await told(api, 1, **{"last-event-id": begin})
    assert {event["event_id"] for event in events} == set(early)

    unheard = await happens(store, shop)
    other = await a_contact(store, shop.tenant)
    body = {"contact_id": str(shop.contact_id)}
    assert (await api.post(f"/contacts/{other}/merge", json=body)).status_code == 200
    async with store.platform_transaction() as transaction:
        rewritten = await transaction.execute(
            text("select count(*) from analytics_events where contact_id = :other and first_xid < ingested_xid"),
            {"other": other},
        )
    assert rewritten.scalar_one() >= 3

    events, _ = await told(api, 1, **{"last-event-id": last})
    assert unheard in [event["event_id"] for event in events]
    assert not set(early) & {event["event_id"] for event in events}


async def test_a_forged_position_is_refused(api):
    for words in ("1", "x-y", "99999999999999999999-" + str(uuid4()), "1-" + "0" * 36):
        assert (await api.get("/live", params={"seconds": 1}, headers={"last-event-id": words})).status_code == 400


async def test_a_stream_ends_within_a_minute(api):
    # Whoever lost their place reads no longer than that.
    assert (await api.get("/live", params={"seconds": 60})).status_code == 422
