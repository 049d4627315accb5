"""A slow model does not keep the customer waiting: a second is asked, and both are paid for."""

import asyncio

import pytest

from realtime.llm import breaker
from realtime.llm.contract import CircuitState, Outcome, Role
from realtime.llm.latency import Latencies
from tests.realtime.llm.conftest import a_request, a_target
from tests.realtime.llm.test_router import provider_tasks, until


@pytest.fixture
def quick(router):
    """A router that knows all three to be quick, so that it asks a second after 0.8 s."""
    for provider in ("openai", "anthropic", "gemini"):
        for _ in range(20):
            router.latencies.add(a_target(provider).name, 0.1)
    return router


def hedged(*providers):
    """A request whose own time limits no busy machine reaches: only the order of events decides."""
    return a_request(*providers, hedging=True, attempt_timeout=20.0, total_timeout=40.0)


async def state_of(client, provider):
    return next(state for state in await breaker.states(client) if state.target == a_target(provider).name)


async def test_a_slow_model_is_overtaken(quick, models):
    models.providers["openai"].latency = 6.0

    reply = await quick.reply(hedged("openai", "gemini"))

    slow, second = reply.attempts
    assert (reply.provider, reply.used_fallback) == ("gemini", True)
    assert (slow.role, slow.outcome, slow.error_class) == (Role.PRIMARY, Outcome.LOST, "slow")
    assert (second.role, second.outcome, second.won) == (Role.HEDGE, Outcome.OK, True)
    assert 800 <= reply.latency_ms < 5_800
    assert provider_tasks() == []


async def test_tokens_booked_are_tokens_emitted(quick, models):
    models.providers["openai"].latency = 2.5

    reply = await quick.reply(hedged("openai", "gemini"))
    await until(lambda: len(models.calls()) == 2)

    emitted = {call.provider: (call.input_tokens, call.output_tokens) for call in models.calls()}
    booked = {attempt.provider: (attempt.input_tokens, attempt.output_tokens) for attempt in reply.attempts}
    assert booked == emitted
    assert {attempt.provider: attempt.is_estimated for attempt in reply.attempts} == {"openai": True, "gemini": False}


async def test_work_whose_answer_was_lost_is_booked(quick, models):
    models.fail("openai", "lost_answer")

    reply = await quick.reply(a_request("openai", "gemini"))

    emitted = [(call.input_tokens, call.output_tokens) for call in models.calls()]
    assert [(attempt.input_tokens, attempt.output_tokens) for attempt in reply.attempts] == emitted
    assert [attempt.is_estimated for attempt in reply.attempts] == [True, False]


async def test_an_error_answer_costs_nothing(quick, models):
    models.fail("openai", "500")

    reply = await quick.reply(a_request("openai", "gemini"))

    failed = reply.attempts[0]
    assert (failed.input_tokens, failed.output_tokens, failed.cost_micro_usd, failed.is_estimated) == (0, 0, 0, False)


async def test_three_lost_races_open_the_breaker(quick, models, breaker_client):
    models.providers["openai"].latency = 6.0

    await asyncio.gather(*(quick.reply(hedged("openai", "gemini")) for _ in range(3)))

    assert (await state_of(breaker_client, "openai")).state is CircuitState.OPEN
    reply = await quick.reply(hedged("openai", "gemini"))
    assert (reply.provider, len(reply.attempts)) == ("gemini", 1)


async def test_a_hedge_that_loses_is_not_blamed(quick, models, breaker_client):
    models.providers["openai"].latency = 1.0
    models.providers["gemini"].latency = 6.0

    reply = await quick.reply(hedged("openai", "gemini"))

    winner, loser = reply.attempts
    assert (winner.provider, winner.won, reply.used_fallback) == ("openai", True, False)
    assert (loser.outcome, loser.error_class, loser.is_estimated) == (Outcome.LOST, None, True)
    assert (await state_of(breaker_client, "gemini")).bad_count == 0


async def test_a_hedge_saves_a_later_failure(quick, models):
    models.fail("openai", "500")
    # Known to be slow, so that nobody is asked beside it.
    for _ in range(200):
        quick.latencies.add(a_target("gemini").name, 9.0)
    models.providers["openai"].latency = 2.0
    models.providers["gemini"].latency = 1.6

    reply = await quick.reply(hedged("openai", "gemini", "anthropic"))

    assert [attempt.role for attempt in reply.attempts] == [Role.PRIMARY, Role.HEDGE]
    assert reply.attempts[1].won
    assert models.calls("anthropic") == []


async def test_nobody_to_ask_is_patience(quick, models, breaker_client):
    models.providers["openai"].latency = 1.9

    reply = await quick.reply(hedged("openai"))

    assert (reply.provider, len(reply.attempts)) == ("openai", 1)
    assert (await state_of(breaker_client, "openai")).bad_count == 0


@pytest.mark.parametrize(
    ("seen", "delay"),
    [
        ([], 3.0),
        ([0.1] * 19, 3.0),
        ([0.1] * 20, 0.8),
        ([1.5] * 20, 1.5),
        ([9.0] * 20, 3.0),
        ([0.1] * 180 + [2.0] * 20, 2.0),
    ],
)
def test_patience_is_the_95th_percentile(seen, delay):
    latencies = Latencies()
    for seconds in seen:
        latencies.add("a", seconds)

    assert latencies.hedge_delay("a") == delay
