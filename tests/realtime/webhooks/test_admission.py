"""A busy number's rate is asked of Redis ahead of its commits, and yet never exceeded."""

import asyncio
from uuid import UUID, uuid4

import redis.asyncio

from realtime.webhooks.admission import CountedAhead
from realtime.webhooks.rate_limit import Rate, RateLimiter

HOUR = 3_600_000


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted(RateLimiter):
    """Counts how often Redis is asked."""

    asked = 0

    async def admit(self, asked, rate):
        self.asked += 1
        return await super().admit(asked, rate)


def counted_ahead(limiter: RateLimiter, rate: Rate, **clock: Clock) -> CountedAhead[UUID]:
    return CountedAhead(limiter, rate, name="instance:{}".format, **clock)


async def left_of(client: redis.asyncio.Redis, number: UUID, rate: Rate) -> int:
    name = f"instance:{number}"
    return (await RateLimiter(client).admit({name: 0}, rate))[name].left


async def test_a_busy_number_is_asked_for_now_and_then(redis_client: redis.asyncio.Redis) -> None:
    limiter, clock, number = Counted(redis_client), Clock(), uuid4()
    admission = counted_ahead(limiter, Rate(limit=100_000, window_ms=HOUR), clock=clock)

    for step in range(200):
        clock.now = step * 0.01
        assert await admission({number: 20}) == {number: (20, 0)}

    assert limiter.asked < 40
    # What was counted ahead and is not used yet is little.
    used = 100_000 - await left_of(redis_client, number, Rate(limit=100_000, window_ms=HOUR))
    assert 200 * 20 <= used <= 200 * 20 + 400


async def test_a_quiet_number_pays_for_what_it_sends(redis_client: redis.asyncio.Redis) -> None:
    rate, clock, number = Rate(limit=6_000, window_ms=HOUR), Clock(), uuid4()
    admission = counted_ahead(RateLimiter(redis_client), rate, clock=clock)

    for second in range(60):
        clock.now = float(second)
        assert (await admission({number: 1}))[number][0] == 1

    assert await left_of(redis_client, number, rate) == 6_000 - 60


async def test_many_processes_never_admit_too_much(redis_client: redis.asyncio.Redis) -> None:
    rate, clock, number = Rate(limit=5_000, window_ms=HOUR), Clock(), uuid4()
    processes = [counted_ahead(RateLimiter(redis_client), rate, clock=clock) for _ in range(20)]
    admitted = 0

    for step in range(60):
        clock.now = step * 0.03
        answers = await asyncio.gather(*(process({number: 7}) for process in processes))
        admitted += sum(answer[number][0] for answer in answers)

    # What is counted ahead and runs out of time is lost, and never the other way round.
    assert 4_500 <= admitted <= 5_000


async def test_a_spent_number_is_told_when_to_come_again(redis_client: redis.asyncio.Redis) -> None:
    admission = counted_ahead(RateLimiter(redis_client), Rate(limit=10, window_ms=HOUR))
    number = uuid4()
    await admission({number: 10})

    admitted, retry_after = (await admission({number: 1}))[number]

    assert admitted == 0
    assert retry_after > 0
