"""A webhook address never leads into our own network, whatever it is called and wherever it points later."""

import asyncio
import socket
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from realtime.callbacks import post
from realtime.callbacks.post import Post
from realtime.channels.public_web import AddressRefused
from tests.realtime.api.conftest import api as api  # noqa: PLC0414 — fixtures by that name
from tests.realtime.api.conftest import shop as shop  # noqa: PLC0414

INNER = [
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://10.0.0.1/",
    "https://192.168.1.1:8443/",
    "http://[fd00::1]/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "https://user:pass@example.com/",
    "https://[half",
    # What the client makes of them is an address, and an address it does not look up.
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://１２７.0.0.1/",
    "https://169.254.169.254./",
    "https://1.2.3.4.5/",
    "https://192.0.0.192/",
    "https://168.63.129.16/",
    "https://[fec0::1]/",
    "https://[64:ff9b::7f00:1]/",
]


@pytest.mark.parametrize("url", INNER)
def test_inner_addresses_are_refused_by_their_words(url):
    with pytest.raises(AddressRefused):
        post.check(url, is_at_home=False)


async def test_the_api_says_which_field_is_refused(api):
    for url in ("http://169.254.169.254/", "gopher://example.com/", "http://10.0.0.1/"):
        answer = await api.post("/webhook-endpoints", json={"url": url})
        assert answer.status_code == 422, url
        assert answer.json()["errors"][0]["where"] == ["body", "url"]


@pytest.mark.parametrize(("env", "fault"), [("production", "https"), ("preview", "private")])
def test_our_own_machine_is_called_in_development_alone(env, fault):
    url = "http://example.com/" if env == "production" else "https://127.0.0.1/"

    with pytest.raises(AddressRefused, match=fault):
        post.check(url, is_at_home=env == "development")
    post.check("http://127.0.0.1:9000/", is_at_home=True)


async def sent(settings, url):
    async with Post(settings) as door:
        return await door.send(url, b"{}", event_id=uuid4(), keys=[b"key"], at=datetime.now(UTC))


@pytest.fixture
def as_preview(fresh):
    return fresh.model_copy(update={"env": "preview"})


@pytest.fixture
def named(monkeypatch):
    """What names lead to, answer by answer; counts how often they were looked up."""
    looked_up = []
    answers = []

    async def getaddrinfo(self, host, port, **_):
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answers.pop(0)]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return answers, looked_up


async def test_a_name_that_leads_inside_is_not_called(as_preview, receiver, named):
    answers, looked_up = named
    answers += [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"]]
    port = receiver.url.split(":")[2].partition("/")[0]

    for _ in range(2):
        answer = await sent(as_preview, f"https://hooks.example.test:{port}/")
        assert (answer.status, answer.error) == (None, "address_refused")
    assert receiver.heard == []
    assert looked_up == ["hooks.example.test"] * 2


async def test_a_name_is_looked_up_once_for_its_call(fresh, receiver, named):
    """Whatever it says afterwards, the call went to the address that was checked."""
    answers, looked_up = named
    answers += [["127.0.0.1"], ["10.0.0.1"]]
    port = receiver.url.split(":")[2].partition("/")[0]

    answer = await sent(fresh, f"http://hooks.example.test:{port}/hooks")

    assert answer.status == 200
    assert looked_up == ["hooks.example.test"]
    assert len(receiver.heard) == 1


async def test_a_move_is_not_followed(fresh, receiver):
    receiver.statuses = [302]

    answer = await sent(fresh, receiver.url)

    assert (answer.status, answer.error) == (302, "redirected")
    assert len(receiver.heard) == 1


async def test_nobody_there_is_a_plain_failure(fresh):
    answer = await sent(fresh, "http://127.0.0.1:9/")

    assert (answer.status, answer.error) == (None, "connection_failed")


async def test_a_name_that_cannot_be_asked_for_is_an_answer_too(settings):
    """Raised instead, it was tried each minute for good, and its endpoint never switched off."""
    async with Post(settings) as opened:
        answer = await opened.send(
            f"https://{'a' * 64}.example.com/", b"{}", event_id=uuid4(), keys=[b"k" * 32], at=datetime.now(UTC)
        )

    assert (answer.status, answer.error) == (None, "address_refused")
