"""A crowd's turns take their steps a few at a time and after everybody else's."""

import asyncio
from contextlib import ExitStack
from uuid import UUID, uuid4

from realtime.engine.turnstile import CROWD, Turnstile

LOUD, QUIET = uuid4(), uuid4()
# Longer than any test lasts.
NEVER_AGAIN = 600.0


def crowded(stack: ExitStack, turnstile: Turnstile, tenant_id: UUID = LOUD) -> None:
    for _ in range(CROWD):
        stack.enter_context(turnstile.held(tenant_id))


def stepping(turnstile: Turnstile, count: int, *, went_on: list[int]) -> list[asyncio.Task[None]]:
    async def turn(number: int) -> None:
        await turnstile.step(LOUD)
        went_on.append(number)

    return [asyncio.create_task(turn(number)) for number in range(count)]


async def some_turns_of_the_loop() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_is_no_crowd_never_waits() -> None:
    turnstile = Turnstile(rest_seconds=NEVER_AGAIN)
    with ExitStack() as stack:
        crowded(stack, turnstile)
        stack.enter_context(turnstile.held(QUIET))
        async with asyncio.timeout(NEVER_AGAIN / 2):
            await turnstile.step(QUIET)

    assert turnstile.waiting == 0


async def test_a_crowd_alone_goes_on_all_at_once() -> None:
    turnstile = Turnstile(rest_seconds=NEVER_AGAIN)
    went_on: list[int] = []
    with ExitStack() as stack:
        crowded(stack, turnstile)
        tasks = stepping(turnstile, 50, went_on=went_on)
        await asyncio.sleep(0)

    assert went_on == list(range(50))
    assert all(task.done() for task in tasks)


async def test_a_crowd_beside_others_goes_on_in_order_a_few_at_a_time() -> None:
    turnstile = Turnstile()
    went_on: list[int] = []
    slices = []
    with ExitStack() as stack:
        crowded(stack, turnstile)
        stack.enter_context(turnstile.held(QUIET))
        stack.enter_context(turnstile.elsewhere(QUIET))
        tasks = stepping(turnstile, 50, went_on=went_on)
        while not all(task.done() for task in tasks):
            before = len(went_on)
            await asyncio.sleep(0)
            slices.append(len(went_on) - before)

    assert went_on == list(range(50))
    assert max(slices) <= 8


async def test_a_crowd_lets_the_others_turn_end_first() -> None:
    turnstile = Turnstile(rest_seconds=NEVER_AGAIN)
    went_on: list[int] = []
    with ExitStack() as stack:
        crowded(stack, turnstile)
        with turnstile.held(QUIET):
            tasks = stepping(turnstile, 50, went_on=went_on)
            await some_turns_of_the_loop()
            assert went_on == [0]
            assert turnstile.waiting == 49

        await asyncio.gather(*tasks)


async def test_a_crowd_goes_on_while_the_others_wait_for_a_model() -> None:
    turnstile = Turnstile(rest_seconds=NEVER_AGAIN)
    went_on: list[int] = []
    with ExitStack() as stack:
        crowded(stack, turnstile)
        stack.enter_context(turnstile.held(QUIET))
        tasks = stepping(turnstile, 50, went_on=went_on)
        await some_turns_of_the_loop()
        assert went_on == [0]

        with turnstile.elsewhere(QUIET):
            await asyncio.gather(*tasks)


async def test_a_crowd_goes_on_however_long_the_others_stay() -> None:
    turnstile = Turnstile(rest_seconds=0.001)
    went_on: list[int] = []
    with ExitStack() as stack:
        crowded(stack, turnstile)
        stack.enter_context(turnstile.held(QUIET))

        await asyncio.gather(*stepping(turnstile, 20, went_on=went_on))

    assert went_on == list(range(20))


async def test_a_turn_that_was_broken_off_holds_up_nobody() -> None:
    turnstile = Turnstile()
    went_on: list[int] = []
    with ExitStack() as stack:
        crowded(stack, turnstile)
        stack.enter_context(turnstile.held(QUIET))
        stack.enter_context(turnstile.elsewhere(QUIET))
        tasks = stepping(turnstile, 30, went_on=went_on)
        await asyncio.sleep(0)
        for task in tasks[10:20]:
            task.cancel()

        await asyncio.gather(*tasks, return_exceptions=True)

    assert went_on == [*range(10), *range(20, 30)]
    assert turnstile.waiting == 0


async def test_a_rehearsal_is_nobodys_turn() -> None:
    turnstile = Turnstile(rest_seconds=NEVER_AGAIN)
    went_on: list[int] = []
    with ExitStack() as stack:
        crowded(stack, turnstile)
        with turnstile.elsewhere(QUIET):
            pass

        await asyncio.gather(*stepping(turnstile, 20, went_on=went_on))

    assert not turnstile.has_others
