"""Three failures close a model off for a minute, in all processes; then exactly one call finds out."""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio

from mychatflow import events
from realtime.llm import breaker
from realtime.llm.circuit import Policy
from realtime.llm.contract import CircuitState
from realtime.llm.faults import Verdict
from tests.realtime.llm.conftest import a_target

OPENAI = a_target("openai")
GEMINI = a_target("gemini")
SHORT = Policy(pause=80)


async def call(circuit, verdict, target=OPENAI, **changes):
    """One call that ends so; its permit, or None where the breaker refused."""
    admission = await circuit.acquire((target,), lease=9)
    if admission.permit is not None:
        await circuit.report(admission.permit, verdict, **changes)
    return admission.permit


async def due(circuit, target=OPENAI):
    """Waits out the pause or lease that keeps the target closed off."""
    async with asyncio.timeout(5):
        while (await circuit.ask_at((target,))) > datetime.now(UTC):  # noqa: ASYNC110  (the wait is Redis's)
            await asyncio.sleep(0.005)


async def state_of(client, target=OPENAI):
    return next(state for state in await breaker.states(client) if state.target == target.name)


async def test_three_failures_open_over_processes(a_breaker, breaker_client):
    first, second = a_breaker(), a_breaker()

    await call(first, Verdict.FAILURE)
    await call(second, Verdict.FAILURE)
    assert (await state_of(breaker_client)).state is CircuitState.CLOSED
    await call(first, Verdict.FAILURE)

    assert (await state_of(breaker_client)).state is CircuitState.OPEN
    refused = await second.acquire((OPENAI,), lease=9)
    assert refused.permit is None
    assert timedelta(seconds=55) < refused.ask_at - datetime.now(UTC) <= timedelta(seconds=60)


async def test_a_success_forgets_earlier_failures(a_breaker, breaker_client):
    circuit = a_breaker()
    for verdict in [Verdict.FAILURE, Verdict.FAILURE, Verdict.SUCCESS, Verdict.FAILURE, Verdict.FAILURE]:
        await call(circuit, verdict)
    assert (await state_of(breaker_client)).state is CircuitState.CLOSED

    # Told in passing, and soon, even if nobody calls again.
    await call(circuit, Verdict.SUCCESS)
    async with asyncio.timeout(5):
        while (await state_of(breaker_client)).failures:  # noqa: ASYNC110  (Redis rings no bell)
            await asyncio.sleep(0.01)


async def test_a_quarter_bad_opens_too(a_breaker, breaker_client):
    circuit = a_breaker()

    for number in range(10):
        await call(circuit, Verdict.FAILURE if number in {3, 6, 9} else Verdict.SUCCESS)

    state = await state_of(breaker_client)
    assert (state.state, state.reason) == (CircuitState.OPEN, "bad_share")


async def test_an_open_target_yields_to_the_next(a_breaker):
    circuit = a_breaker()
    for _ in range(3):
        await call(circuit, Verdict.FAILURE)

    admission = await circuit.acquire((OPENAI, GEMINI), lease=9)

    assert admission.permit.target == GEMINI
    assert not admission.permit.is_probe


async def test_fifty_callers_get_one_probe(a_breaker):
    breakers = [a_breaker(policy=SHORT) for _ in range(5)]
    for _ in range(3):
        await call(breakers[0], Verdict.FAILURE)
    await due(breakers[0])

    admissions = await asyncio.gather(*(circuit.acquire((OPENAI,), lease=9) for circuit in breakers for _ in range(10)))

    granted = [admission.permit for admission in admissions if admission.permit]
    assert len(granted) == 1
    assert granted[0].is_probe


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        (Verdict.SUCCESS, CircuitState.CLOSED),
        (Verdict.FAILURE, CircuitState.OPEN),
        (Verdict.NEUTRAL, CircuitState.OPEN),
        (Verdict.LIMITED, CircuitState.OPEN),
    ],
)
async def test_the_probe_decides_the_state(a_breaker, breaker_client, verdict, after):
    circuit = a_breaker(policy=SHORT)
    for _ in range(3):
        await call(circuit, Verdict.FAILURE)
    await due(circuit)

    probe = await call(circuit, verdict)

    assert probe.is_probe
    assert (await state_of(breaker_client)).state is after


async def test_a_released_probe_is_free_at_once(a_breaker):
    circuit = a_breaker(policy=SHORT)
    for _ in range(3):
        await call(circuit, Verdict.FAILURE)
    await due(circuit)
    await call(circuit, Verdict.NEUTRAL)

    again = await circuit.acquire((OPENAI,), lease=9)

    assert again.permit.is_probe


async def test_a_crashed_probe_frees_itself(a_breaker):
    circuit = a_breaker(policy=SHORT)
    for _ in range(3):
        await call(circuit, Verdict.FAILURE)
    await due(circuit)
    lost = (await circuit.acquire((OPENAI,), lease=1)).permit
    assert (await circuit.acquire((OPENAI,), lease=1)).permit is None
    await due(circuit)

    second = (await circuit.acquire((OPENAI,), lease=9)).permit
    await circuit.report(lost, Verdict.SUCCESS)

    assert second.is_probe
    assert (await circuit.acquire((OPENAI,), lease=9)).permit is None


async def test_a_late_result_changes_nothing(a_breaker, breaker_client):
    circuit = a_breaker()
    early = (await circuit.acquire((OPENAI,), lease=9)).permit
    for _ in range(3):
        await call(circuit, Verdict.FAILURE)

    assert await circuit.report(early, Verdict.SUCCESS) == ()
    await circuit.close()

    assert (await state_of(breaker_client)).state is CircuitState.OPEN


@pytest.mark.parametrize(("verdict", "seconds"), [(Verdict.CONFIG, 60), (Verdict.QUOTA, 900), (Verdict.GONE, 86_400)])
async def test_some_failures_open_at_once(a_breaker, verdict, seconds):
    circuit = a_breaker()

    await call(circuit, verdict)

    wait = (await circuit.ask_at((OPENAI,))) - datetime.now(UTC)
    assert seconds - 5 < wait.total_seconds() <= seconds


@pytest.mark.parametrize(("wait", "least", "most"), [(8549.0, 55, 60), (7.0, 5, 7), (None, 3, 5)])
async def test_a_rate_limit_pauses_without_opening(a_breaker, breaker_client, wait, least, most):
    circuit = a_breaker()

    await call(circuit, Verdict.LIMITED, wait=wait)

    assert (await state_of(breaker_client)).state is CircuitState.CLOSED
    pause = (await circuit.ask_at((OPENAI,))) - datetime.now(UTC)
    assert least < pause.total_seconds() <= most


async def test_a_tenants_own_key_fails_alone(a_breaker):
    circuit = a_breaker()
    own = breaker.Target(provider="openai", model=OPENAI.model, key_id="tenant-1")

    await call(circuit, Verdict.CONFIG, target=own)

    assert (await circuit.acquire((own,), lease=9)).permit is None
    assert (await circuit.acquire((OPENAI,), lease=9)).permit is not None


async def test_a_hedge_never_takes_the_probe(a_breaker):
    circuit = a_breaker(policy=SHORT)
    for _ in range(3):
        await call(circuit, Verdict.FAILURE)
    await due(circuit)

    assert (await circuit.acquire((OPENAI,), lease=9, closed_only=True)).permit is None
    assert (await circuit.acquire((OPENAI,), lease=9)).permit.is_probe


async def test_a_cancelled_caller_returns_its_probe(a_breaker):
    circuit = a_breaker(policy=SHORT)
    for _ in range(3):
        await call(circuit, Verdict.FAILURE)
    await due(circuit)

    asking = asyncio.create_task(circuit.acquire((OPENAI,), lease=9))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await circuit.close()

    assert (await circuit.acquire((OPENAI,), lease=9)).permit.is_probe


async def test_every_change_is_told_and_kept(a_breaker, breaker_client):
    circuit = a_breaker(policy=SHORT)
    told = []
    for verdict in [Verdict.FAILURE, Verdict.FAILURE, Verdict.FAILURE]:
        permit = (await circuit.acquire((OPENAI,), lease=9)).permit
        told += await circuit.report(permit, verdict)
    await due(circuit)
    probe = await circuit.acquire((OPENAI,), lease=9)
    told += [*probe.transitions, *await circuit.report(probe.permit, Verdict.SUCCESS)]

    history = [fields for _, fields in await breaker_client.xrange(events.BREAKER_HISTORY)]

    assert [(move.from_state, move.to_state, move.reason) for move in told] == [
        ("closed", "open", "failures"),
        ("open", "half_open", "probe"),
        ("half_open", "closed", "probe_succeeded"),
    ]
    assert [row[b"to_state"].decode() for row in history] == [move.to_state for move in told]
    assert {row[b"target"].decode() for row in history} == {OPENAI.name}


async def test_a_restarted_redis_is_taught_again(a_breaker, breaker_client):
    circuit = a_breaker()
    early = (await circuit.acquire((OPENAI,), lease=9)).permit
    await breaker_client.script_flush()
    await breaker_client.flushall()

    for _ in range(3):
        await call(circuit, Verdict.FAILURE)
    await circuit.report(early, Verdict.SUCCESS)
    await circuit.close()

    assert (await state_of(breaker_client)).state is CircuitState.OPEN


async def test_without_redis_the_process_remembers(tmp_path):
    client = breaker.connect(f"unix://{tmp_path}/nobody.sock")
    circuit = breaker.Breaker(client=client)

    for _ in range(3):
        await call(circuit, Verdict.FAILURE)

    assert circuit.is_degraded
    assert (await circuit.acquire((OPENAI,), lease=9)).permit is None
    assert (await circuit.acquire((OPENAI, GEMINI), lease=9)).permit.target == GEMINI
    await client.aclose()


async def test_a_frozen_redis_costs_little_once(redis_server, redis_client, redis_url):
    client = breaker.connect(redis_url)
    circuit = breaker.Breaker(client=client, patience=0.1)
    await call(circuit, Verdict.SUCCESS)
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        for _ in range(20):
            assert await call(circuit, Verdict.SUCCESS)
        took = time.monotonic() - begun
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)

    assert circuit.is_degraded
    assert took < 0.8
    await client.aclose()


async def test_an_outside_client_cannot_slow_it(redis_server, redis_client, redis_url):
    """A client with redis-py's own retries is cut off all the same."""
    client = redis.asyncio.Redis.from_url(redis_url)
    circuit = breaker.Breaker(client=client, patience=0.1)
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert await call(circuit, Verdict.SUCCESS)
        took = time.monotonic() - begun
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)

    assert took < 0.8
    await client.aclose()
