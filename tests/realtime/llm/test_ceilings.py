"""No provider is asked more often in a minute than it allows; whoever has room answers instead."""

import asyncio
import itertools

import pytest
import redis.asyncio

from realtime.llm.ceilings import Ceilings
from realtime.llm.contract import AllProvidersUnavailable, Target
from realtime.llm.router import Router
from realtime.webhooks.rate_limit import RateLimiter
from tests.realtime.llm.conftest import a_request, a_target


def limited(router: Router, **limits: int) -> Router:
    router.ceilings.limits = dict(router.ceilings.limits) | limits
    return router


async def test_the_next_provider_takes_what_is_above(router, models):
    limited(router, openai=2)

    replies = [await router.reply(a_request("openai", "anthropic")) for _ in range(4)]

    assert [reply.provider for reply in replies] == ["openai", "openai", "anthropic", "anthropic"]
    assert len(models.calls("openai")) == 2


async def test_processes_share_one_window(redis_client: redis.asyncio.Redis):
    processes = [Ceilings(limiter=RateLimiter(redis_client), limits={"openai": 30}, patience=30) for _ in range(4)]

    admitted = await asyncio.gather(*(each.admits(a_target("openai")) for each in processes for _ in range(20)))

    assert sum(admitted) == 30


async def test_what_many_ask_at_once_is_one_question(redis_client: redis.asyncio.Redis):
    ceilings = Ceilings(limiter=RateLimiter(redis_client), limits={"openai": 30}, patience=30)
    await ceilings.admits(a_target("openai"))
    before = (await redis_client.info("commandstats"))["cmdstat_evalsha"]["calls"]

    admitted = await asyncio.gather(*(ceilings.admits(a_target("openai")) for _ in range(40)))

    assert admitted == [True] * 29 + [False] * 11
    assert (await redis_client.info("commandstats"))["cmdstat_evalsha"]["calls"] == before + 1


async def test_a_busy_provider_is_asked_about_now_and_then(redis_client: redis.asyncio.Redis):
    moments = itertools.count()
    # Each call to a model a hundredth of a second after the one before.
    ceilings = Ceilings(
        limiter=RateLimiter(redis_client), limits={"openai": 1_000}, patience=30, clock=lambda: next(moments) / 100
    )
    await ceilings.admits(a_target("openai"))
    before = (await redis_client.info("commandstats"))["cmdstat_evalsha"]["calls"]

    admitted = [await ceilings.admits(a_target("openai")) for _ in range(1_100)]

    asked = (await redis_client.info("commandstats"))["cmdstat_evalsha"]["calls"] - before
    assert 900 <= sum(admitted) <= 999
    assert asked < 500


async def test_a_tenants_own_key_has_a_window_of_its_own(redis_client: redis.asyncio.Redis):
    ceilings = Ceilings(limiter=RateLimiter(redis_client), limits={"openai": 1}, patience=30)
    own = Target(provider="openai", model="gpt-5.5", key_id="k1", api_key="secret")

    found = [await ceilings.admits(each) for each in (a_target("openai"), a_target("openai"), own, own)]

    assert found == [True, False, True, False]


async def test_nobody_with_room_is_an_outage_worth_a_second_try(router):
    limited(router, openai=1)
    await router.reply(a_request("openai"))

    with pytest.raises(AllProvidersUnavailable) as caught:
        await router.reply(a_request("openai"))

    assert caught.value.retry_at is not None
    assert caught.value.attempts == ()


async def test_a_silent_redis_keeps_nobody_waiting(unused_tcp_port: int):
    async def never_answers(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    server = await asyncio.start_server(never_answers, "127.0.0.1", unused_tcp_port)
    client = redis.asyncio.Redis(port=unused_tcp_port, socket_timeout=5)
    ceilings = Ceilings(limiter=RateLimiter(client), limits={"openai": 1})

    async with asyncio.timeout(3):
        assert [await ceilings.admits(a_target("openai")) for _ in range(3)] == [True, True, True]

    await client.aclose()
    server.close()
