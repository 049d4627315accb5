"""A tenant's program hears of each fact, signed, until it has taken it; and how it hears again."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from mychatflow.events import EventType
from mychatflow.store import analytics_events
from realtime.callbacks.deliveries import Deliveries
from realtime.callbacks.post import Post
from realtime.webhooks import standard
from tests.realtime.api.conftest import a_shop
from tests.realtime.api.conftest import api as api  # noqa: PLC0414 — fixtures by that name
from tests.realtime.api.conftest import rows as rows  # noqa: PLC0414
from tests.realtime.api.conftest import shop as shop  # noqa: PLC0414

DELIVERIES = "select * from webhook_deliveries where event_type is not null order by created_at, id"


async def a_fact(store, shop, event_type=EventType.MESSAGE_RECEIVED, *, at=None, fails=False):
    """Recorded as the product does, with whatever else its transaction holds."""
    natural_key = str(uuid4())
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        await analytics_events.record(
            transaction,
            shop.tenant.tenant_id,
            event_type,
            natural_key=natural_key,
            at=at or datetime.now(UTC),
            instance_id=shop.tenant.instance_id,
            contact_id=shop.contact_id,
            properties={"length": 5},
        )
        if fails:
            raise RuntimeError("the transaction is rolled back")


async def an_endpoint(api, url, *event_types):
    answer = await api.post("/webhook-endpoints", json={"url": url, "event_types": event_types})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def due_now(store, **endpoint):
    """What waits for later is due, and the endpoint as the test says."""
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update webhook_deliveries set next_try_at = now() where state = 'pending'"))
        for name, value in endpoint.items():
            await transaction.execute(text(f"update webhook_endpoints set {name} = :value"), {"value": value})


def verified(heard, *secrets):
    headers, body = heard
    found = {name.encode(): [value.encode()] for name, value in headers.items()}
    keys = [standard.key_of(secret) for secret in secrets]
    return standard.verify(found, body, keys, at=datetime.now(UTC))


async def test_a_fact_is_told_once_and_signed(api, shop, store, receiver, round_of, rows):
    endpoint = await an_endpoint(api, receiver.url)
    await a_fact(store, shop)

    for _ in range(3):
        await round_of()

    [heard] = receiver.heard
    event_id = verified(heard, endpoint["secret"])
    told = json.loads(heard[1])
    assert (told["id"], told["type"]) == (event_id, "message_received")
    assert told["data"]["contact_id"] == str(shop.contact_id)
    assert told["data"]["properties"] == {"length": 5}
    [delivery] = (await api.get(f"/webhook-endpoints/{endpoint['id']}/deliveries")).json()["data"]
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("delivered", 1, 200)
    assert delivery["delivered_at"]
    assert rows("select state from webhook_deliveries where event_type is null") == [{"state": "failed"}]


async def test_what_was_rolled_back_is_never_told(api, shop, store, receiver, round_of):
    await an_endpoint(api, receiver.url)
    with pytest.raises(RuntimeError):
        await a_fact(store, shop, fails=True)

    await round_of()

    assert receiver.heard == []


async def test_a_fact_of_a_long_transaction_is_not_passed_over(api, shop, store, receiver, round_of):
    await an_endpoint(api, receiver.url)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly():
        async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
            await transaction.execute(text("select pg_current_xact_id()"))
            begun.set()
            await goes_on.wait()
            await transaction.execute(
                text(
                    "insert into analytics_events (tenant_id, event_id, occurred_at, event_type)"
                    " values (:tenant_id, gen_random_uuid(), now(), 'human_reply')"
                ),
                {"tenant_id": shop.tenant.tenant_id},
            )

    slow = asyncio.create_task(slowly())
    await begun.wait()
    await a_fact(store, shop)
    await round_of()
    goes_on.set()
    await slow
    await round_of()

    assert sorted(json.loads(body)["type"] for _, body in receiver.heard) == ["human_reply", "message_received"]


async def test_each_hears_what_it_asked_for_and_of_its_own_tenant(api, shop, store, receiver, round_of):
    theirs = await a_shop(store)
    await an_endpoint(api, f"{receiver.url}/some", "lead_scored")
    await a_fact(store, shop)
    await a_fact(store, theirs, EventType.LEAD_SCORED)
    await a_fact(store, shop, EventType.LEAD_SCORED)

    await round_of()

    [(_, body)] = receiver.heard
    assert json.loads(body)["data"]["contact_id"] == str(shop.contact_id)


@pytest.mark.parametrize(("status", "error"), [(500, "refused"), (429, "refused"), (302, "redirected"), (204, None)])
async def test_only_a_success_ends_the_tries(api, shop, store, receiver, round_of, rows, status, error):
    await an_endpoint(api, receiver.url)
    receiver.statuses = [status]
    await a_fact(store, shop)

    await round_of()
    await round_of()
    assert len(receiver.heard) == 1, "the next try has its time"
    await due_now(store)
    await round_of()

    [delivery] = rows(DELIVERIES)
    assert delivery["state"] == "delivered"
    assert len(receiver.heard) == (1 if error is None else 2)
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1
    assert rows("select failing_since from webhook_endpoints where url like 'http:%%'") == [{"failing_since": None}]


async def test_an_address_that_never_answers_is_given_up(api, shop, store, receiver, round_of, rows):
    await an_endpoint(api, receiver.url)
    receiver.statuses = [503] * 20
    await a_fact(store, shop)

    for _ in range(12):
        await round_of()
        await due_now(store)

    [delivery] = rows(DELIVERIES)
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("failed", 8, 503)
    assert len(receiver.heard) == 8


@pytest.mark.parametrize(
    ("status", "failing_for", "reason"), [(410, None, "gone"), (500, timedelta(days=4), "failing")]
)
async def test_a_lost_address_is_switched_off_and_its_tenant_told(
    api, shop, store, receiver, round_of, rows, status, failing_for, reason
):
    endpoint = await an_endpoint(api, receiver.url)
    receiver.statuses = [status]
    await a_fact(store, shop)
    await due_now(store, failing_since=datetime.now(UTC) - failing_for if failing_for else None)

    await round_of()
    await a_fact(store, shop)
    await due_now(store)
    await round_of()

    shown = (await api.get(f"/webhook-endpoints/{endpoint['id']}")).json()
    assert (shown["is_active"], shown["disabled_reason"]) == (False, reason)
    assert len(receiver.heard) == 1
    assert len(rows("select 1 from notifications where kind = 'webhook_endpoint_disabled'")) == 1
    assert len(rows("select 1 from audit_log where action = 'webhook_endpoint.switched_off'")) == 1


async def test_one_that_hangs_holds_up_nobody_else(api, shop, store, fresh, receiver):
    await an_endpoint(api, receiver.url)
    receiver.hangs = asyncio.Event()
    await a_fact(store, shop)
    deliveries = Deliveries(store, fresh)
    async with Post(fresh) as post:
        await deliveries.tell(post)
        await receiver.until(1)
        await an_endpoint(api, f"{receiver.url}/other")
        await a_fact(store, shop)
        await deliveries.tell(post)
        await receiver.until(2)
        receiver.hangs.set()
        await deliveries.settled()


@pytest.mark.parametrize(("statuses", "heard"), [([], 20), ([500], 8)])
async def test_who_takes_all_hears_on_and_who_fails_waits_for_the_next_look(
    api, shop, store, receiver, round_of, statuses, heard
):
    await an_endpoint(api, receiver.url)
    receiver.statuses = statuses
    for _ in range(20):
        await a_fact(store, shop)

    await round_of()

    assert len(receiver.heard) == heard
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == heard


async def test_a_rotated_secret_overlaps_for_a_day(api, shop, store, receiver, round_of):
    first = await an_endpoint(api, receiver.url)
    second = (await api.post(f"/webhook-endpoints/{first['id']}/rotate-secret")).json()
    await a_fact(store, shop)
    await round_of()
    await due_now(store, previous_secret_until=datetime.now(UTC) - timedelta(seconds=1))
    await a_fact(store, shop)
    await round_of()

    during, after = receiver.heard
    assert first["secret"] != second["secret"]
    verified(during, first["secret"])
    verified(during, second["secret"])
    verified(after, second["secret"])
    with pytest.raises(standard.SignatureRejected):
        verified(after, first["secret"])


async def test_a_fact_is_told_again_when_asked(api, shop, store, receiver, round_of, rows):
    endpoint = await an_endpoint(api, receiver.url)
    await a_fact(store, shop)
    await round_of()
    [delivery] = rows(DELIVERIES)

    one = f"/webhook-endpoints/{endpoint['id']}/deliveries/{delivery['id']}/replay"
    assert (await api.post(one)).json()["state"] == "pending"
    await round_of()

    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1
    assert len(receiver.heard) == 2


async def test_a_time_when_the_address_was_off_is_told_later(api, shop, store, receiver, round_of):
    endpoint = await an_endpoint(api, receiver.url)
    path = f"/webhook-endpoints/{endpoint['id']}"
    await api.patch(path, json={"is_active": False})
    await a_fact(store, shop)
    await round_of()
    assert (await api.patch(path, json={"is_active": True})).json()["disabled_reason"] is None
    await round_of()
    assert receiver.heard == []

    now = datetime.now(UTC)
    since, until = now - timedelta(hours=1), now + timedelta(seconds=1)
    asked = await api.post(f"{path}/replay", json={"since": since.isoformat(), "until": until.isoformat()})
    assert asked.json() == {"count": 1}
    await round_of()

    assert len(receiver.heard) == 1


async def test_a_fact_that_is_no_longer_kept_is_not_told(api, shop, store, receiver, round_of, rows):
    await an_endpoint(api, receiver.url)
    receiver.statuses = [500]
    await a_fact(store, shop)
    await round_of()
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("delete from analytics_events"))
    await due_now(store)
    await round_of()

    [delivery] = rows(DELIVERIES)
    assert (delivery["state"], delivery["last_error"]) == ("failed", "event_no_longer_kept")
    assert len(receiver.heard) == 1


async def test_secrets_are_shown_once_and_kept_sealed(api, rows):
    endpoint = await an_endpoint(api, "https://example.test/hooks")

    listed = (await api.get("/webhook-endpoints")).text
    [kept] = rows("select secret from webhook_endpoints where id = %s", UUID(endpoint["id"]))
    assert endpoint["secret"] not in listed
    assert endpoint["secret"].encode() not in bytes(kept["secret"])
