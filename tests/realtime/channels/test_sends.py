"""A send through the gateway ends in exactly one honest outcome, and a repeat never doubles."""

from datetime import timedelta

import pytest

from mychatflow.local.phone.records import Engine
from realtime.channels import gateway_answers
from realtime.channels.gateway_types import GatewayFailed, MediaFile, SendKind
from realtime.channels.waha import WahaClient, make_message_id
from tests.fakes.waha import SESSION, FakeWaha
from tests.fakes.waha_faults import FaultKind
from tests.realtime.channels.conftest import a_client

CHAT = "22222222222@c.us"
A_PIXEL = bytes.fromhex("89504e470d0a1a0a")


@pytest.mark.parametrize("status", [201, 400])
def test_an_answer_holds_nothing_that_postgres_refuses(status: int) -> None:
    outcome = gateway_answers.read_send(status, rb'{"id": "3EB0\u0000", "message": "no \u0000 room"}')

    assert "\x00" not in f"{outcome.message_id}{outcome.detail}"


async def test_a_text_reaches_the_customer(client: WahaClient, gateway: FakeWaha) -> None:
    message_id = make_message_id()

    outcome = await client.send_text(SESSION, CHAT, "Hello 👋", message_id=message_id)

    assert (outcome.kind, outcome.message_id) == (SendKind.SENT, message_id)
    assert gateway.texts(CHAT) == ["Hello 👋"]


@pytest.mark.parametrize("engine", ["NOWEB", "GOWS", "WEBJS"])
async def test_every_engines_answer_names_the_message(engine: Engine) -> None:
    async with FakeWaha.running(engine=engine) as gateway, a_client(gateway) as client:
        await gateway.a_session()

        outcome = await client.send_text(SESSION, CHAT, "Hello", message_id=make_message_id())

        assert outcome.kind is SendKind.SENT
        assert outcome.message_id == gateway.deliveries(CHAT)[0].message_id


@pytest.mark.parametrize(
    ("fault", "kind", "is_delivered"),
    [
        ("500_before", SendKind.AMBIGUOUS, False),
        ("500_after", SendKind.AMBIGUOUS, True),
        ("503_before", SendKind.AMBIGUOUS, False),
        ("reset_before", SendKind.AMBIGUOUS, False),
        ("reset_after", SendKind.AMBIGUOUS, True),
        ("html_201", SendKind.AMBIGUOUS, True),
        ("empty_201", SendKind.AMBIGUOUS, True),
        ("broken_201", SendKind.AMBIGUOUS, True),
        ("truncated_201", SendKind.AMBIGUOUS, True),
        ("huge_201", SendKind.AMBIGUOUS, True),
        ("401", SendKind.AUTH_FAILED, False),
        ("404", SendKind.SESSION_DOWN, False),
        ("422", SendKind.SESSION_DOWN, False),
        ("429", SendKind.REJECTED_RETRY, False),
        ("redirect", SendKind.REJECTED_RETRY, False),
        ("463", SendKind.RESTRICTED, False),
        ("475", SendKind.RESTRICTED, False),
        ("463_as_status", SendKind.RESTRICTED, False),
    ],
)
async def test_each_fault_has_its_outcome(
    client: WahaClient, gateway: FakeWaha, fault: FaultKind, kind: SendKind, is_delivered: bool
) -> None:
    gateway.faults.plan(fault)

    outcome = await client.send_text(SESSION, CHAT, "Hello", message_id=make_message_id())

    assert outcome.kind is kind
    assert gateway.faults.fired[fault] == 1
    assert gateway.texts(CHAT) == (["Hello"] if is_delivered else [])


@pytest.mark.parametrize("fault", ["hang_before", "hang_after", "late"])
async def test_a_slow_gateway_leaves_a_send_ambiguous(gateway: FakeWaha, fault: FaultKind) -> None:
    gateway.faults.plan(fault, seconds=30)
    async with a_client(gateway, timeout=timedelta(milliseconds=200)) as hasty:
        outcome = await hasty.send_text(SESSION, CHAT, "Hello", message_id=make_message_id())

    assert (outcome.kind, outcome.detail) == (SendKind.AMBIGUOUS, "TimeoutError")


@pytest.mark.parametrize("fault", ["500_after", "reset_after", "empty_201", "html_201", "500_before"])
async def test_a_repeat_after_doubt_shows_one_message(client: WahaClient, gateway: FakeWaha, fault: FaultKind) -> None:
    message_id = make_message_id()
    gateway.faults.plan(fault, times=3)

    outcomes = [await client.send_text(SESSION, CHAT, "Hello", message_id=message_id) for _ in range(4)]

    assert [outcome.kind for outcome in outcomes] == [SendKind.AMBIGUOUS] * 3 + [SendKind.SENT]
    assert gateway.texts(CHAT) == ["Hello"]


async def test_the_first_text_of_an_id_stays(client: WahaClient, gateway: FakeWaha) -> None:
    message_id = make_message_id()
    await client.send_text(SESSION, CHAT, "first", message_id=message_id)

    await client.send_text(SESSION, CHAT, "second", message_id=message_id)

    assert gateway.texts(CHAT) == ["first"]
    assert [attempt.is_repeat for attempt in gateway.attempts] == [False, True]


async def test_an_endless_answer_is_cut(client: WahaClient, gateway: FakeWaha) -> None:
    gateway.faults.plan("huge_201")

    outcome = await client.send_text(SESSION, CHAT, "Hello", message_id=make_message_id())

    assert outcome.detail == "status 201: answer too long"


async def test_webjs_doubles_a_repeated_send() -> None:
    """The negative control: without a caller's id, doubt does double."""
    async with FakeWaha.running(engine="WEBJS") as gateway, a_client(gateway) as client:
        await gateway.a_session()
        gateway.faults.plan("500_after")
        message_id = make_message_id()

        for _ in range(2):
            await client.send_text(SESSION, CHAT, "Hello", message_id=message_id)

        assert gateway.texts(CHAT) == ["Hello", "Hello"]


async def test_lost_answers_double_nothing(client: WahaClient, gateway: FakeWaha) -> None:
    gateway.faults.share("reset_after", 0.3)
    for number in range(60):
        message_id = make_message_id()
        while (await client.send_text(SESSION, CHAT, str(number), message_id=message_id)).kind is SendKind.AMBIGUOUS:
            pass

    assert gateway.faults.fired["reset_after"] >= 10
    assert len(gateway.attempts) > 60
    assert gateway.texts(CHAT) == [str(number) for number in range(60)]


@pytest.mark.parametrize(
    "chat_id",
    ["", "22222222222", "status@broadcast", "1@newsletter", "22222222222@c.us/../x", "abc@c.us", "2" * 30 + "@c.us"],
)
async def test_a_malformed_chat_is_never_asked_for(client: WahaClient, gateway: FakeWaha, chat_id: str) -> None:
    outcome = await client.send_text(SESSION, chat_id, "Hello")

    assert outcome.kind is SendKind.REJECTED_FINAL
    assert gateway.attempts == []


@pytest.mark.parametrize("text", ["", "  \n", "x" * 65_537])
async def test_an_unsendable_text_is_refused_at_once(client: WahaClient, gateway: FakeWaha, text: str) -> None:
    assert (await client.send_text(SESSION, CHAT, text)).kind is SendKind.REJECTED_FINAL
    assert gateway.attempts == []


async def test_a_lone_surrogate_is_sent_readable(client: WahaClient, gateway: FakeWaha) -> None:
    assert (await client.send_text(SESSION, CHAT, "a\ud800b")).is_sent
    assert gateway.texts(CHAT) == ["a?b"]


async def test_a_wrong_key_fails_authentication(gateway: FakeWaha) -> None:
    async with a_client(gateway, api_key="wrong") as stranger:
        assert (await stranger.send_text(SESSION, CHAT, "Hello")).kind is SendKind.AUTH_FAILED


async def test_a_stopped_session_is_down(client: WahaClient) -> None:
    await client.stop_session(SESSION)

    assert (await client.send_text(SESSION, CHAT, "Hello")).kind is SendKind.SESSION_DOWN


async def test_an_unknown_session_is_down(client: WahaClient) -> None:
    assert (await client.send_text("nobody", CHAT, "Hello")).kind is SendKind.SESSION_DOWN


async def test_an_absent_gateway_surely_sent_nothing() -> None:
    async with WahaClient("http://127.0.0.1:1", "key") as client:
        assert (await client.send_text(SESSION, CHAT, "Hello")).kind is SendKind.REJECTED_RETRY


async def test_a_picture_arrives_with_its_caption(client: WahaClient, gateway: FakeWaha) -> None:
    picture = MediaFile(mimetype="image/png", filename="menu.png", data=A_PIXEL)

    outcome = await client.send_media(SESSION, CHAT, picture, shape="image", caption="Our prices")

    delivered = gateway.deliveries(CHAT)[0]
    assert outcome.is_sent
    assert delivered.media is not None
    assert delivered.media.file is not None
    assert (delivered.text, delivered.media.mimetype) == ("Our prices", "image/png")
    assert gateway.gateway.exchange.files.load(delivered.media.file) == A_PIXEL


async def test_a_voice_note_arrives_as_one(client: WahaClient, gateway: FakeWaha) -> None:
    voice = MediaFile(mimetype="audio/ogg", filename="hello.ogg", data=b"OggS")

    assert (await client.send_media(SESSION, CHAT, voice, shape="voice")).is_sent
    delivered = gateway.deliveries(CHAT)[0].media
    assert delivered is not None
    assert delivered.mimetype == "audio/ogg"


async def test_a_file_that_never_comes_is_given_up(gateway: FakeWaha) -> None:
    gateway.faults.plan("hang_before", path="/api/files/desk/slow.png", seconds=30)
    hasty = timedelta(milliseconds=200)

    async with WahaClient(gateway.base_url, gateway.api_key, call_timeout=hasty) as client:
        with pytest.raises(GatewayFailed, match="timeout"):
            await client.media("desk", "/api/files/desk/slow.png")
