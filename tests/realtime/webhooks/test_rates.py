"""Strangers are held to their rate, numbers to theirs, and neither gets through because Redis is away."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio
from prometheus_client import REGISTRY
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from mychatflow.settings import Settings
from realtime.webhooks.rate_limit import Rate, RateLimiter, client_address
from tests.factories import Tenant
from tests.realtime.webhooks.conftest import a_door, event, signed


@pytest.fixture
async def nowhere() -> AsyncIterator[redis.asyncio.Redis]:
    """A Redis that is not there."""
    client = redis.asyncio.Redis.from_url("redis://127.0.0.1:1", retry=Retry(NoBackoff(), 0))
    yield client
    await client.aclose()


async def test_the_stranger_beyond_the_rate_waits(
    fresh: Settings, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    assert await redis_client.ping()
    # Of an hour, which a hundred calls do not outlast on any machine.
    async with a_door(fresh.model_copy(update={"webhook_unsigned_rate": "100/hour"}), tenant) as door:
        raw = event(door.tenant.session)
        # X-Forwarded-For changes with every call: nobody we trust wrote it.
        answers = [await door.send(raw, {"X-Forwarded-For": f"10.0.0.{call}"}) for call in range(101)]
        signed_status = (await door.send(raw, signed(raw))).status

    statuses = [answer.status for answer in answers]
    passed = statuses.index(429)
    # A call that a busy Redis answers too late is counted there and here: one or two fewer may pass, never one more.
    assert 90 <= passed <= 100
    assert statuses == [401] * passed + [429] * (101 - passed)
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert signed_status == 200


async def test_a_number_beyond_its_rate_is_asked_to_come_again(
    fresh: Settings, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    assert await redis_client.ping()
    async with a_door(fresh.model_copy(update={"webhook_instance_rate": "3/second"}), tenant) as door:
        answers = [await door.say() for _ in range(12)]

    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert len(door.inbox()) == 12 - len(refused)


async def test_letters_that_nobody_understands_fill_no_table(
    fresh: Settings, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    assert await redis_client.ping()
    rates = {"webhook_unsigned_rate": "3/hour", "webhook_instance_rate": "6/hour"}
    async with a_door(fresh.model_copy(update=rates), tenant) as door:
        malformed = [await door.say(id=None) for _ in range(5)]
        unknown = [(await door.send_signed(event(f"nobody{number}"))).status for number in range(8)]
        letters = door.rows("select count(*) filter (where reason like 'malformed%%') as malformed from dead_letters")

    assert [answer.status for answer in malformed] == [400] * 3 + [429] * 2
    assert int(malformed[-1].headers["Retry-After"]) > 0
    assert unknown == [200] * 6 + [429] * 2
    assert letters == [{"malformed": 3}]


async def test_a_spent_number_is_refused_without_asking_again(
    fresh: Settings, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    async with a_door(fresh.model_copy(update={"webhook_instance_rate": "3/hour"}), tenant) as door:
        before = [(await door.say()).status for _ in range(5)]
        # No counter says so any more: it was remembered.
        await redis_client.flushall()
        refused = await door.say()

    assert before[-1] == refused.status == 429
    assert int(refused.headers["Retry-After"]) > 60


async def test_a_forged_flood_spends_nothing_of_the_number_it_names(
    fresh: Settings, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    assert await redis_client.ping()
    async with a_door(fresh.model_copy(update={"webhook_instance_rate": "3/hour"}), tenant) as door:
        raw = event(door.tenant.session)
        forged = {(await door.send(raw, signed(raw, key=b"another key"))).status for _ in range(20)}
        after = (await door.say()).status

    assert (forged, after) == ({401}, 200)


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        ((b"1.1.1.1, 2.2.2.2",), 0, "9.9.9.9"),
        ((b"1.1.1.1, 2.2.2.2",), 1, "2.2.2.2"),
        ((b"1.1.1.1, 2.2.2.2",), 2, "1.1.1.1"),
        ((b"1.1.1.1", b"2.2.2.2"), 1, "2.2.2.2"),
        ((b"1.1.1.1",), 3, "9.9.9.9"),
        ((b"5.5.5.5," * 1_000 + b"2.2.2.2",), 1, "2.2.2.2"),
        ((b"\xff garbage",), 1, "9.9.9.9"),
        ((b"::ffff:2.2.2.2",), 1, "2.2.2.2"),
        ((), 1, "9.9.9.9"),
    ],
)
def test_the_client_stands_behind_trusted_proxies(forwarded: tuple[bytes, ...], proxies: int, expected: str) -> None:
    assert client_address("9.9.9.9", forwarded, trusted_proxies=proxies) == expected


@pytest.mark.parametrize("proxies", [0, 1])
async def test_garbage_in_forwarded_headers_does_no_harm(
    fresh: Settings, tenant: Tenant, redis_client: redis.asyncio.Redis, proxies: int
) -> None:
    async with a_door(fresh.model_copy(update={"trusted_proxies": proxies}), tenant) as door:
        raw = event(door.tenant.session)
        garbage = {"X-Forwarded-For": "x," * 1_000}

        assert (await door.send(raw, garbage)).status == 401
        assert (await door.send(raw, signed(raw) | garbage)).status == 200


async def test_without_redis_the_limit_still_holds(nowhere: redis.asyncio.Redis) -> None:
    limiter = RateLimiter(nowhere)
    rate = Rate(limit=5, window_ms=60_000)

    verdicts = [(await limiter.admit({"a": 1}, rate))["a"] for _ in range(7)]

    assert [verdict.admitted for verdict in verdicts] == [1] * 5 + [0] * 2
    assert verdicts[-1].retry_after_seconds > 0
    assert limiter.is_local


async def test_a_process_says_that_it_counts_alone_and_that_it_no_longer_does(
    nowhere: redis.asyncio.Redis, redis_client: redis.asyncio.Redis
) -> None:
    told = []
    for client in (nowhere, redis_client):
        await RateLimiter(client).admit({"a": 1}, Rate(limit=5, window_ms=60_000))
        told.append(REGISTRY.get_sample_value("mychatflow_rate_limits_are_local"))

    assert told == [1, 0]


async def test_a_batch_is_admitted_in_part(redis_client: redis.asyncio.Redis) -> None:
    limiter = RateLimiter(redis_client)

    verdicts = await limiter.admit({"a": 8, "b": 2}, Rate(limit=5, window_ms=3_600_000))

    assert (verdicts["a"].admitted, verdicts["b"].admitted) == (5, 2)


async def test_keys_in_redis_do_not_outlive_their_window(redis_client: redis.asyncio.Redis) -> None:
    await RateLimiter(redis_client).admit({"a": 1}, Rate(limit=5, window_ms=60_000))

    lifetimes = [await redis_client.pttl(key) for key in await redis_client.keys("*")]

    assert lifetimes
    assert all(0 < lifetime <= 120_000 for lifetime in lifetimes)
