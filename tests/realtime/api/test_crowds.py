"""A caller's burst waits for itself alone, and a spent minute is refused without looking anything up."""

import asyncio
import time
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest

from mychatflow.identity import Identity
from mychatflow.rules.role import Role
from realtime.api.allowance import PER_MINUTE, Left
from realtime.api.crowds import Crowded, Crowds


def a_caller() -> Identity:
    return Identity(tenant_id=uuid4(), member_id=None, role=Role.VIEWER)


async def passed(crowds: Crowds, credentials: str, caller: Identity) -> None:
    async with crowds.turn(credentials, caller):
        pass


async def test_a_burst_of_reads_holds_up_its_own_caller_alone():
    crowds, go_on = Crowds(), asyncio.Event()
    under_way: list[str] = []

    async def called(credentials: str, method: str = "GET") -> None:
        async with crowds.lane(credentials, method, asked="postgres"):
            under_way.append(credentials)
            await go_on.wait()

    async with asyncio.TaskGroup() as calls:
        for _ in range(20):
            calls.create_task(called("noisy"))
        await asyncio.sleep(0)
        calls.create_task(called("quiet"))
        calls.create_task(called("noisy", "POST"))
        await asyncio.sleep(0)
        seen = list(under_way)
        go_on.set()

    assert seen == ["noisy"] * 2 + ["quiet", "noisy"]
    assert len(under_way) == 22


async def test_calls_that_nobody_would_wait_for_are_refused():
    crowds, go_on = Crowds(), asyncio.Event()

    async def called(method: str) -> None:
        async with crowds.lane("noisy", method, asked="postgres"):
            await go_on.wait()

    async with asyncio.TaskGroup() as calls:
        for number in range(40):
            calls.create_task(called("POST" if number % 2 else "GET"))
        await asyncio.sleep(0)
        assert (crowds.is_full("noisy"), crowds.is_full("quiet")) == (True, False)
        for method in ("GET", "POST"):
            with pytest.raises(Crowded):
                await called(method)
        go_on.set()
    await called("GET")
    assert not crowds.is_full("noisy")


async def test_a_rush_is_spread_over_the_minute(monkeypatch):
    now, pauses = 100.0, []
    monkeypatch.setattr("realtime.api.crowds.time.monotonic", lambda: now)

    mine, really = asyncio.current_task(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        # Whoever else sleeps in this process meanwhile, in a thread of its own, is none of this test.
        if asyncio.current_task() is not mine:
            await really(seconds)
            return
        pauses.append(round(seconds, 6))

    monkeypatch.setattr("realtime.api.crowds.asyncio.sleep", sleep)
    crowds = Crowds()

    noisy, quiet = a_caller(), a_caller()

    for _ in range(PER_MINUTE):
        await passed(crowds, "noisy", noisy)
    await passed(crowds, "quiet", quiet)
    # All that were let in at once have passed, and it calls at its minute's pace again.
    now += 60
    await passed(crowds, "noisy", noisy)

    felt = [pause for pause in pauses if pause]
    assert (len(felt), felt[0], felt[-1]) == (PER_MINUTE - 20, 0.05, 59.0)


async def test_who_is_in_a_rush_lets_the_others_pass():
    crowds, rusher, calm = Crowds(), a_caller(), a_caller()
    ended: list[str] = []
    for _ in range(20):
        await passed(crowds, "noisy", rusher)

    async def rush() -> None:
        async with crowds.turn("noisy", rusher):
            ended.append("noisy")

    rushing = asyncio.create_task(rush())
    async with crowds.turn("quiet", calm):
        # Its time of 50 ms is over, and its courtesy is not.
        await asyncio.sleep(0.07)
        ended.append("quiet")
    await rushing
    assert ended == ["quiet", "noisy"]

    # Somebody who waits for a model holds up nobody for long.
    async with crowds.turn("quiet", calm), asyncio.timeout(30):
        await rush()


async def test_who_is_in_a_rush_lets_others_pass_between_two_steps():
    crowds, rusher, calm = Crowds(), a_caller(), a_caller()
    ended: list[str] = []
    for _ in range(20):
        await passed(crowds, "noisy", rusher)
    is_in = asyncio.Event()

    async def rush() -> None:
        async with crowds.turn("noisy", rusher):
            is_in.set()
            await asyncio.sleep(0)
            await crowds.step(rusher.tenant_id)
            ended.append("noisy")

    rushing = asyncio.create_task(rush())
    await is_in.wait()
    async with crowds.turn("quiet", calm):
        # Whoever is in no rush stops nowhere, least of all for itself.
        await crowds.step(calm.tenant_id)
        await asyncio.sleep(0)
        ended.append("quiet")
    await rushing

    assert ended == ["quiet", "noisy"]


async def test_who_is_in_a_rush_is_looked_up_once_a_second(monkeypatch):
    now = 100.0
    monkeypatch.setattr("realtime.api.crowds.time.monotonic", lambda: now)
    monkeypatch.setattr("realtime.api.crowds.asyncio.sleep", AsyncMock())
    crowds, rusher = Crowds(), a_caller()
    for _ in range(20):
        await passed(crowds, "noisy", rusher)
    assert crowds.hurried("noisy") is None

    await passed(crowds, "noisy", rusher)
    assert crowds.hurried("noisy") == rusher
    now += 0.9
    await passed(crowds, "noisy", rusher)
    now += 0.1
    # The calls since then make it no fresher: a key that was revoked is out.
    assert crowds.hurried("noisy") is None
    assert crowds.hurried("quiet") is None


def test_a_spent_minute_is_remembered_until_it_ends(monkeypatch):
    now = 100.0
    monkeypatch.setattr("realtime.webhooks.spent.time.monotonic", lambda: now)
    crowds = Crowds()
    crowds.remember("noisy", Left(limit=10, remaining=-1, reset_seconds=30))

    now += 20.5
    told = crowds.spent("noisy")

    assert told is not None
    assert (told.is_spent, told.reset_seconds) == (True, 10)
    assert crowds.spent("quiet") is None
    now += 10
    assert crowds.spent("noisy") is None


def test_a_caller_who_goes_on_calling_waits_no_longer(monkeypatch):
    now = 100.0
    monkeypatch.setattr("realtime.webhooks.spent.time.monotonic", lambda: now)
    crowds = Crowds()
    crowds.remember("noisy", Left(limit=10, remaining=-1, reset_seconds=2))

    for _ in range(5):
        now += 0.5
        told = crowds.spent("noisy")
        if told is not None:
            crowds.remember("noisy", told)

    assert crowds.spent("noisy") is None


async def test_a_spent_caller_is_refused_at_once_whatever_is_asked(api, shop, redis_client):
    minute = int(time.time()) // 60
    keys = [f"mychatflow:api:{shop.tenant.tenant_id}:{each}" for each in (minute, minute + 1)]
    for key in keys:
        await redis_client.set(key, PER_MINUTE)

    refused = await api.get("/tenant")
    await redis_client.delete(*keys)
    again = await api.post("/quick-replies", json={"title": "t", "body": "b"}, headers={"x-request-id": "mine-1"})

    assert (refused.status_code, refused.headers["ratelimit-remaining"]) == (429, "0")
    # No counter says so any more: it was remembered.
    assert (again.status_code, again.json()["code"]) == (429, "too_many_requests")
    assert 0 < int(again.headers["retry-after"]) <= 60
    # It never came to what adds these to every other answer.
    assert (again.headers["x-frame-options"], again.headers["x-request-id"]) == ("DENY", "mine-1")


async def test_one_call_too_many_at_once_is_refused_before_any_route(api, shop, monkeypatch):
    monkeypatch.setattr("realtime.api.crowds._MOST_AT_ONCE", 0)

    refused = await api.get("/no/such/route")

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-request-id"]
