"""A business is told what happens in the vendor's words, signed, and again until it listens."""

import hashlib
import hmac
import re

import pytest

from mychatflow.local.phone.hooks import delay_before, sign_as_waha
from mychatflow.local.phone.records import Ack, Retries, RetryPolicy
from tests.fakes.waha import SESSION, FakeWaha
from tests.local.phone.conftest import Business

CHAT = "22222222222@c.us"
QUICK_RETRIES = {"policy": "constant", "delaySeconds": 0.01, "attempts": 5}
# The fields of the vendor's documented `message` payload, 2026.7.
PAYLOAD_FIELDS = {
    "id",
    "timestamp",
    "from",
    "fromMe",
    "source",
    "to",
    "participant",
    "body",
    "hasMedia",
    "media",
    "ack",
    "ackName",
    "replyTo",
    "vCards",
    "_data",
}


async def test_a_customers_message_is_told_twice(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url, metadata={"tenant.id": "t1"})

    sent = phone.send_from(CHAT, "What is the price?", author="Ann")

    told = (await business.until("message", 1))[0].document
    also = (await business.until("message.any", 1))[0].document
    assert set(told["payload"]) == PAYLOAD_FIELDS
    assert told["payload"]["id"] == also["payload"]["id"] == sent.full_id == f"false_{CHAT}_{sent.message_id}"
    assert (told["payload"]["from"], told["payload"]["fromMe"]) == (CHAT, False)
    assert told["payload"]["body"] == "What is the price?"
    assert told["metadata"] == {"tenant.id": "t1"}
    assert set(told) == {
        "id",
        "timestamp",
        "event",
        "session",
        "metadata",
        "me",
        "payload",
        "environment",
        "engine",
    }


async def test_the_envelope_has_a_ulid_and_milliseconds(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url)

    phone.send_from(CHAT, "Hello")

    told = (await business.until("message", 1))[0]
    assert re.fullmatch(r"evt_[0-9a-hjkmnp-tv-z]{26}", told.document["id"])
    assert abs(told.document["timestamp"] - int(told.headers["X-Webhook-Timestamp"])) < 60_000
    assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{26}", told.headers["X-Webhook-Request-Id"])


async def test_the_raw_body_is_signed(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url, hmac_key="secret")

    phone.send_from(CHAT, "Grüße 👋")

    told = (await business.until("message", 1))[0]
    assert told.headers["X-Webhook-Hmac"] == hmac.new(b"secret", told.body, hashlib.sha512).hexdigest()
    assert told.headers["X-Webhook-Hmac-Algorithm"] == "sha512"


def test_the_vendors_own_vector_holds() -> None:
    signed = sign_as_waha(b'{"event":"message","session":"default","engine":"WEBJS"}', "my-secret-key")

    assert signed["X-Webhook-Hmac"].startswith("208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8")


async def test_both_signature_schemes_can_be_had(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url, hmac_key="secret")
    phone.sign_as("both")

    phone.send_from(CHAT, "Hello")

    told = (await business.until("message", 1))[0]
    expected = hmac.new(b"secret", told.body, hashlib.sha256).hexdigest()
    assert told.headers["X-Webhook-Signature"] == f"sha256={expected}"
    assert "X-Webhook-Hmac" in told.headers


async def test_a_deaf_business_is_told_again(phone: FakeWaha, business: Business) -> None:
    business.answers = [503, 503]
    await phone.a_session(webhook_url=business.url, events=("message",), retries=QUICK_RETRIES)

    sent = phone.send_from(CHAT, "Hello")

    told = await business.until("message", 3)
    await phone.settled()
    known = phone.gateway.chats.find(SESSION, CHAT, sent.message_id)
    assert len({entry.body for entry in told}) == 1
    assert known is not None
    assert (known.handover.state, known.handover.attempts) == ("delivered", 3)


async def test_retries_end_and_are_shown(phone: FakeWaha, business: Business) -> None:
    business.answers = [500] * 20
    await phone.a_session(webhook_url=business.url, events=("message",), retries=QUICK_RETRIES)

    sent = phone.send_from(CHAT, "Hello")

    await phone.settled()
    known = phone.gateway.chats.find(SESSION, CHAT, sent.message_id)
    assert len(business.told) == 6
    assert known is not None
    assert (known.handover.state, known.handover.status, known.ack) == ("failed", 500, Ack.SERVER)


@pytest.mark.parametrize(
    ("policy", "delays"),
    [("constant", [2, 2, 2]), ("linear", [2, 4, 6]), ("exponential", [2, 4, 8])],
)
def test_delays_follow_the_policy(policy: RetryPolicy, delays: list[float]) -> None:
    retries = Retries(policy=policy, delay_seconds=2, attempts=3)

    assert [delay_before(attempt, retries) for attempt in (1, 2, 3)] == delays


async def test_receipts_come_in_order(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url, events=("message.ack",))

    phone.owner_writes(CHAT, "Hello")
    await business.until("message.ack", 2)
    phone.gateway.customers.read(SESSION, CHAT)

    told = await business.until("message.ack", 3)
    assert sorted(entry.document["payload"]["ack"] for entry in told) == [1, 2, 3]
    assert {entry.document["payload"]["ackName"] for entry in told} == {"SERVER", "DEVICE", "READ"}


async def test_a_late_receipt_takes_nothing_back(phone: FakeWaha) -> None:
    await phone.a_session()
    written = phone.owner_writes(CHAT, "Hello")

    phone.acknowledge(CHAT, written.message_id, Ack.READ)
    phone.acknowledge(CHAT, written.message_id, Ack.SERVER)

    assert phone.deliveries(CHAT)[0].ack is Ack.READ


async def test_a_reply_by_hand_is_told_as_own(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url, events=("message", "message.any"))

    phone.owner_writes(CHAT, "It is me")

    payload = (await business.until("message.any", 1))[0].document["payload"]
    assert (payload["fromMe"], payload["source"], payload["from"]) == (True, "app", CHAT)
    await phone.settled()
    assert business.of("message") == []


async def test_a_reaction_names_its_message(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url, events=("message.reaction",))
    written = phone.owner_writes(CHAT, "Hello")

    phone.gateway.customers.react(SESSION, written.full_id, "🙏")

    payload = (await business.until("message.reaction", 1))[0].document["payload"]
    assert payload["reaction"] == {"text": "🙏", "messageId": written.full_id}


async def test_a_session_tells_its_states(phone: FakeWaha, business: Business) -> None:
    await phone.a_session(webhook_url=business.url, events=("session.status",))

    told = await business.until("session.status", 2)

    assert {entry.document["payload"]["status"] for entry in told} == {"STARTING", "WORKING"}


async def test_custom_headers_are_sent_along(phone: FakeWaha, business: Business) -> None:
    hook = {"url": business.url, "events": ["*"], "customHeaders": [{"name": "X-Shop", "value": "7"}]}
    phone.gateway.lifecycle.create("shop", {"webhooks": [hook]}, is_started=True)

    told = await business.until("session.status", 1)

    assert told[0].headers["X-Shop"] == "7"
    assert "X-Webhook-Hmac" not in told[0].headers
