"""Sessions, history and courtesies through the gateway, and what their failures are called."""

from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.local.phone.records import Customer
from mychatflow.local.phone.records import SessionStatus as PhoneStatus
from realtime.channels import gateway_answers
from realtime.channels.gateway_types import GatewayFailed, SessionStatus, WebhookTarget, bare_message_id
from realtime.channels.waha import WahaClient
from tests.fakes.waha import SESSION, FakeWaha
from tests.fakes.waha_faults import FaultKind

CHAT = "22222222222@c.us"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
WEBHOOK = WebhookTarget(url="http://127.0.0.1:9/api/webhooks/whatsapp", hmac_key="secret")


async def test_a_new_session_carries_our_webhook(client: WahaClient, gateway: FakeWaha) -> None:
    state = await client.create_session("shop-2", WEBHOOK, metadata={"business.name": "Bright Smile"})

    hook = gateway.webhook("shop-2")
    assert state.status in {SessionStatus.STARTING, SessionStatus.WORKING}
    assert (hook.url, hook.hmac_key, hook.retries.policy, hook.retries.attempts) == (
        WEBHOOK.url,
        "secret",
        "exponential",
        15,
    )
    account = await client.account("shop-2")
    assert account is not None
    assert account.name == "Bright Smile"


async def test_a_taken_name_is_told_apart(client: WahaClient) -> None:
    with pytest.raises(GatewayFailed) as refused:
        await client.create_session(SESSION, WEBHOOK)

    assert refused.value.kind == "exists"


async def test_a_session_stops_and_starts(client: WahaClient) -> None:
    assert (await client.stop_session(SESSION)).status is SessionStatus.STOPPED
    assert (await client.start_session(SESSION)).status is SessionStatus.STARTING


async def test_a_changed_webhook_takes_effect(client: WahaClient, gateway: FakeWaha) -> None:
    await client.update_session(SESSION, WEBHOOK)

    assert gateway.webhook().url == WEBHOOK.url


async def test_the_code_is_shown_only_for_pairing(client: WahaClient, gateway: FakeWaha) -> None:
    with pytest.raises(GatewayFailed) as refused:
        await client.qr_code(SESSION)
    gateway.set_status(PhoneStatus.SCAN_QR_CODE)

    code = await client.qr_code(SESSION)

    assert refused.value.kind == "not_ready"
    assert (code.mimetype, code.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("mimetype", "body"),
    [
        ("image/png", b"\x89PNG"),
        ("application/json", b'{"mimetype": "image/png", "data": "iVBORw=="}'),
        ("application/json", b'{"value": "2@abcdef,ghi"}'),
    ],
)
def test_every_form_of_a_code_becomes_a_picture(mimetype: str, body: bytes) -> None:
    code = gateway_answers.read_qr(mimetype, body)

    assert code.mimetype == "image/png"
    assert code.data.startswith(b"\x89PNG")


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data": "%%"}', b'{"value": ""}'])
def test_an_answer_without_a_code_is_unreadable(body: bytes) -> None:
    with pytest.raises(GatewayFailed, match="unreadable"):
        gateway_answers.read_qr("application/json", body)


async def test_history_comes_oldest_first(client: WahaClient, gateway: FakeWaha) -> None:
    for minute in (2, 0, 1):
        gateway.send_from(CHAT, f"minute {minute}", sent_at=NOON + timedelta(minutes=minute))
    await client.send_text(SESSION, CHAT, "our answer")

    history = await client.history(SESSION, CHAT, since=NOON)

    assert [message.text for message in history] == ["minute 0", "minute 1", "minute 2", "our answer"]
    assert [message.is_from_me for message in history] == [False, False, False, True]
    assert history[0].sent_at == NOON
    assert history[0].payload["from"] == CHAT


async def test_history_keeps_the_newest_within_its_limit(client: WahaClient, gateway: FakeWaha) -> None:
    for minute in range(5):
        gateway.send_from(CHAT, f"minute {minute}", sent_at=NOON + timedelta(minutes=minute))

    history = await client.history(SESSION, CHAT, limit=2, since=NOON + timedelta(minutes=1))

    assert [message.text for message in history] == ["minute 3", "minute 4"]


async def test_a_lagging_history_hides_the_newest() -> None:
    async with FakeWaha.running(engine="WEBJS", history_lag_ms=60_000) as gateway:
        await gateway.a_session()
        async with WahaClient(gateway.base_url, gateway.api_key) as client:
            await client.send_text(SESSION, CHAT, "Hello")

            assert await client.history(SESSION, CHAT) == ()


async def test_chats_come_latest_first(client: WahaClient, gateway: FakeWaha) -> None:
    gateway.send_from("11111111111@c.us", "old", sent_at=NOON)
    gateway.send_from(CHAT, "new", sent_at=NOON + timedelta(hours=1))

    chats = await client.chats(SESSION)

    assert [chat.chat_id for chat in chats] == [CHAT, "11111111111@c.us"]
    assert chats[0].last_message_at == NOON + timedelta(hours=1)


async def test_courtesies_reach_the_customer(client: WahaClient, gateway: FakeWaha) -> None:
    received = gateway.send_from(CHAT, "Hello")

    assert await client.start_typing(SESSION, CHAT)
    assert await client.seen(SESSION, CHAT)
    seen = gateway.gateway.chats.find(SESSION, CHAT, received.message_id)
    assert seen is not None
    assert seen.ack.name == "READ"


@pytest.mark.parametrize("fault", ["500_before", "reset_before", "401", "404"])
async def test_a_failed_courtesy_raises_nothing(client: WahaClient, gateway: FakeWaha, fault: FaultKind) -> None:
    gateway.faults.always(fault, path="/api/startTyping")

    assert await client.start_typing(SESSION, CHAT) is False


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("500_before", "gateway_error"),
        ("reset_before", "unreachable"),
        ("401", "auth_failed"),
        ("404", "no_session"),
        ("422", "not_ready"),
        ("html_201", "unreadable"),
        ("huge_201", "unreadable"),
    ],
)
async def test_an_unreachable_history_says_why(
    client: WahaClient, gateway: FakeWaha, fault: FaultKind, kind: str
) -> None:
    # Standing, since an HTTP client may repeat a read by itself after a reset.
    gateway.faults.always(fault, path=f"/api/{SESSION}/chats/{CHAT}/messages")

    with pytest.raises(GatewayFailed) as failed:
        await client.history(SESSION, CHAT)

    assert failed.value.kind == kind


async def test_hidden_ids_are_mapped_to_phones(client: WahaClient, gateway: FakeWaha) -> None:
    gateway.gateway.exchange.keep_customer(Customer(phone="22222222222", name="Ann"))

    lids = await client.lids(SESSION)

    assert list(lids.values()) == [CHAT]
    assert next(iter(lids)).endswith("@lid")


async def test_a_session_name_cannot_leave_its_path(client: WahaClient) -> None:
    with pytest.raises(GatewayFailed):
        await client.session("../default")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (1767225600, datetime(2026, 1, 1, tzinfo=UTC)),
        (1767225600.0, datetime(2026, 1, 1, tzinfo=UTC)),
        ("1767225600", datetime(2026, 1, 1, tzinfo=UTC)),
        (1767225600000, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"low": 1767225600, "high": 0, "unsigned": True}, datetime(2026, 1, 1, tzinfo=UTC)),
        (None, None),
        (True, None),
        ("soon", None),
        (1e300, None),
        ({"low": "x"}, None),
    ],
)
def test_every_kind_of_time_is_read(given: object, read: datetime | None) -> None:
    assert gateway_answers.read_time(given) == read


@pytest.mark.parametrize(
    ("given", "bare"),
    [
        ("true_22222222222@c.us_3EB0A1", "3EB0A1"),
        ("false_120363@g.us_3EB0A2_22222222222@c.us", "3EB0A2"),
        ("3EB0A3", "3EB0A3"),
    ],
)
def test_a_long_id_holds_the_bare_one(given: str, bare: str) -> None:
    assert bare_message_id(given) == bare
