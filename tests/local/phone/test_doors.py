"""Programs need the gateway's key, and only this machine's own page may be a customer."""

from collections.abc import AsyncIterator

import httpx
import pytest

from mychatflow.local.phone.records import Ack
from tests.fakes.waha import SESSION, FakeWaha
from tests.local.phone.conftest import Business

CHAT = "12025550143@c.us"
HELLO = {"session": SESSION, "phone": "12025550143", "name": "Ann Lee", "text": "Hello"}


@pytest.fixture
async def http(phone: FakeWaha) -> AsyncIterator[httpx.AsyncClient]:
    await phone.a_session()
    async with httpx.AsyncClient(base_url=phone.base_url, timeout=10) as client:
        yield client


@pytest.mark.parametrize("key", [None, "", "wrong", "test-gateway-ke"])
@pytest.mark.parametrize("path", ["/api/sessions", "/api/sendText", "/api/files/default/a.png", "/api/unknown"])
async def test_a_program_needs_the_key(http: httpx.AsyncClient, path: str, key: str | None) -> None:
    answer = await http.get(path, headers={} if key is None else {"X-Api-Key": key})

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized", "statusCode": 401})


async def test_the_key_opens_the_api(http: httpx.AsyncClient, phone: FakeWaha) -> None:
    answer = await http.get("/api/sessions", headers={"X-Api-Key": phone.api_key})

    assert [session["name"] for session in answer.json()] == [SESSION]


async def test_the_page_writes_as_a_customer(http: httpx.AsyncClient, phone: FakeWaha) -> None:
    answer = await http.post("/phone/api/messages", json=HELLO)

    assert answer.status_code == 201
    assert [message.text for message in phone.gateway.chats.messages(SESSION, CHAT)] == ["Hello"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
async def test_another_sites_page_cannot_write(
    http: httpx.AsyncClient, phone: FakeWaha, headers: dict[str, str]
) -> None:
    answer = await http.post("/phone/api/messages", json=HELLO, headers=headers)

    assert answer.status_code == 403
    assert phone.gateway.chats.messages(SESSION, CHAT) == ()


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_another_sites_page_cannot_read(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await http.get("/phone/api/state", headers=headers)).status_code == 403


async def test_a_link_from_the_dashboards_opens_the_phone(http: httpx.AsyncClient) -> None:
    answer = await http.get("/", headers={"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"})

    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"text": ""}, 400),
        ({"phone": "12"}, 400),
        ({"phone": "not a number"}, 400),
        ({"name": 7}, 400),
        ({"session": "nobody"}, 404),
        ({"media": {"mimetype": "image/svg+xml", "data": "AAAA"}}, 400),
        ({"media": {"mimetype": "image/png", "data": "no base64!"}}, 400),
    ],
)
async def test_nonsense_is_refused_politely(http: httpx.AsyncClient, change: dict[str, object], status: int) -> None:
    answer = await http.post("/phone/api/messages", json=HELLO | change)

    assert answer.status_code == status
    assert answer.json()["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'"x"', b"null"])
async def test_a_broken_body_is_refused(http: httpx.AsyncClient, phone: FakeWaha, body: bytes) -> None:
    headers = {"X-Api-Key": phone.api_key, "Content-Type": "application/json"}

    assert (await http.post("/api/sendText", content=body, headers=headers)).status_code == 400


async def test_a_huge_body_is_cut(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await http.post("/phone/api/messages", content=b" " * (15 << 20), headers=headers)

    assert answer.status_code == 413


async def test_looking_at_the_chat_reads_it(http: httpx.AsyncClient, phone: FakeWaha) -> None:
    written = phone.owner_writes(CHAT, "Hello")

    await http.post("/phone/api/read", json={"session": SESSION, "chat_id": CHAT})

    known = phone.gateway.chats.find(SESSION, CHAT, written.message_id)
    assert known is not None
    assert known.ack is Ack.READ


async def test_a_pictures_address_needs_the_key(http: httpx.AsyncClient, phone: FakeWaha, business: Business) -> None:
    await phone.a_session("shop", webhook_url=business.url)
    picture = {"mimetype": "image/png", "filename": "tooth.png", "data": "iVBORw0KGgo="}
    await http.post("/phone/api/messages", json=HELLO | {"session": "shop", "media": picture, "text": "look"})

    payload = (await business.until("message", 1))[0].document["payload"]
    refused = await http.get(payload["media"]["url"])
    given = await http.get(payload["media"]["url"], headers={"X-Api-Key": phone.api_key})

    assert (payload["hasMedia"], payload["body"], payload["media"]["mimetype"]) == (True, "look", "image/png")
    assert refused.status_code == 401
    assert given.content == b"\x89PNG\r\n\x1a\n"


async def test_news_reach_an_open_page(http: httpx.AsyncClient, phone: FakeWaha) -> None:
    async with http.stream("GET", "/phone/api/news") as news:
        lines = news.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        phone.gateway.business.typing(SESSION, CHAT, is_typing=True)
        told = [await anext(lines), await anext(lines)]

    assert '"kind":"typing"' in told[1]
