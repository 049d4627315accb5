"""A customer gets the first usable answer in time, and every call is on the bill."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from mychatflow.settings import Settings
from realtime.llm import breaker, contract
from realtime.llm.circuit import Policy
from realtime.llm.contract import AllProvidersUnavailable, CircuitState, Outcome, Role, Target, Turn
from realtime.llm.faults import ErrorClass
from realtime.llm.router import Router
from tests.fakes.llm_faults import Fault
from tests.realtime.llm.conftest import MODELS, a_request, a_target

ALL = ("openai", "anthropic", "gemini")


async def state_of(client, provider):
    return next(state for state in await breaker.states(client) if state.target == a_target(provider).name)


async def until(holds, *, seconds=5.0):
    """Waits for something to become true; fails when it does not."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


async def due(router, provider="openai"):
    """Waits out the pause that keeps a provider closed off."""
    ends = time.monotonic() + 5
    while (await router.breaker.ask_at((a_target(provider),))) > datetime.now(UTC):
        assert time.monotonic() < ends
        await asyncio.sleep(0.005)


def provider_tasks():
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("llm ")]


@pytest.mark.parametrize("provider", ALL)
async def test_a_healthy_model_answers_alone(router, models, provider):
    reply = await router.reply(a_request(provider, *[other for other in ALL if other != provider]))

    [attempt] = reply.attempts
    [call] = models.calls()
    assert contract.parse(reply.text).reply == "Thank you for your message. How can we help you?"
    assert (reply.provider, reply.model, reply.used_fallback) == (provider, MODELS[provider], False)
    assert (attempt.role, attempt.outcome, attempt.won) == (Role.PRIMARY, Outcome.OK, True)
    assert (attempt.input_tokens, attempt.output_tokens) == (call.input_tokens, call.output_tokens)
    assert attempt.cost_micro_usd > 0
    assert not attempt.is_estimated


async def test_two_providers_down_is_no_loss(router, models):
    models.fail("openai", Fault.SERVER_ERROR)
    models.fail("anthropic", Fault.RESET)

    reply = await router.reply(a_request(*ALL))

    assert [attempt.role for attempt in reply.attempts] == [Role.PRIMARY, Role.FALLBACK, Role.FALLBACK]
    assert (reply.provider, reply.used_fallback) == ("gemini", True)


async def test_an_open_provider_is_asked_nothing(router, models, breaker_client):
    models.fail("openai", Fault.SERVER_ERROR)
    for _ in range(3):
        await router.reply(a_request("openai", "gemini"))
    assert (await state_of(breaker_client, "openai")).state is CircuitState.OPEN
    models.forget()

    replies = await asyncio.gather(*(router.reply(a_request("openai", "gemini")) for _ in range(20)))

    assert models.calls("openai") == []
    assert {(reply.provider, reply.used_fallback) for reply in replies} == {("gemini", True)}


async def test_the_opening_is_told_with_the_reply(router, models):
    models.fail("openai", Fault.SERVER_ERROR)

    told = [(await router.reply(a_request("openai", "gemini"))).transitions for _ in range(4)]

    assert [len(moves) for moves in told] == [0, 0, 1, 0]
    assert (told[2][0].target, told[2][0].to_state) == ("openai:gpt-4o-mini", CircuitState.OPEN)


async def test_a_recovered_provider_closes_by_probe(router, models, breaker_client):
    router.breaker = breaker.Breaker(client=router.breaker.client, policy=Policy(pause=50))
    models.fail("openai", Fault.SERVER_ERROR, times=3)
    for _ in range(3):
        await router.reply(a_request("openai", "gemini"))
    await due(router)

    reply = await router.reply(a_request("openai", "gemini"))

    assert [attempt.role for attempt in reply.attempts] == [Role.PROBE]
    assert (await state_of(breaker_client, "openai")).state is CircuitState.CLOSED


async def test_all_down_says_when_to_try_again(router, models):
    for provider in ALL:
        models.fail(provider, Fault.OVERLOADED)

    with pytest.raises(AllProvidersUnavailable) as caught:
        await router.reply(a_request(*ALL))

    assert [attempt.provider for attempt in caught.value.attempts] == list(ALL)
    assert timedelta(0) < caught.value.retry_at - datetime.now(UTC) <= timedelta(seconds=6)


async def test_all_open_waits_for_the_first_probe(router, models):
    for provider in ("openai", "gemini"):
        models.fail(provider, Fault.OVERLOADED)
    for _ in range(3):
        with pytest.raises(AllProvidersUnavailable):
            await router.reply(a_request("openai", "gemini"))
    models.forget()

    with pytest.raises(AllProvidersUnavailable) as caught:
        await router.reply(a_request("openai", "gemini"))

    assert models.calls() == []
    assert caught.value.attempts == ()
    assert timedelta(seconds=50) < caught.value.retry_at - datetime.now(UTC) <= timedelta(seconds=60)


async def test_a_long_retry_after_is_not_slept(router, models):
    models.fail("openai", Fault.RATE_LIMITED, retry_after="8549")

    begun = time.monotonic()
    first = await router.reply(a_request("openai", "gemini"))
    second = await router.reply(a_request("openai", "gemini"))

    assert time.monotonic() - begun < 1
    assert (first.provider, second.provider) == ("gemini", "gemini")
    assert len(models.calls("openai")) == 1


async def test_a_lone_target_is_retried_once(router, models):
    models.fail("openai", Fault.UNAVAILABLE, times=1)

    reply = await router.reply(a_request("openai"))

    assert [attempt.role for attempt in reply.attempts] == [Role.PRIMARY, Role.RETRY]
    assert not reply.used_fallback


@pytest.mark.parametrize(("fault", "calls"), [(Fault.SERVER_ERROR, 2), (Fault.OVERLOADED, 1), (Fault.HANG, 1)])
async def test_only_quick_faults_are_retried(router, models, fault, calls):
    models.fail("openai", fault)

    with pytest.raises(AllProvidersUnavailable):
        await router.reply(a_request("openai", attempt_timeout=1.0))

    assert len(models.calls("openai")) == calls


async def test_no_retry_when_time_is_short(router, models):
    models.fail("openai", Fault.SERVER_ERROR)
    models.providers["openai"].latency = 1.4

    with pytest.raises(AllProvidersUnavailable):
        await router.reply(a_request("openai", total_timeout=2.0))

    assert len(models.calls("openai")) == 1


async def test_two_hundred_hangs_end_on_time(router, models):
    for provider in ALL:
        models.fail(provider, Fault.HANG)

    async def ended() -> tuple[float, list[str | None]]:
        begun = time.monotonic()
        with pytest.raises(AllProvidersUnavailable) as caught:
            await router.reply(a_request(*ALL, attempt_timeout=20.0, total_timeout=3.0))
        return time.monotonic() - begun, [attempt.error_class for attempt in caught.value.attempts]

    ends = await asyncio.gather(*(ended() for _ in range(200)))

    assert all(classes == [ErrorClass.DEADLINE] for _, classes in ends)
    # Without the total one attempt alone takes twenty seconds; a busy machine's loop is late by less.
    assert max(seconds for seconds, _ in ends) < 15.0
    assert provider_tasks() == []


async def test_the_callers_deadline_is_no_failure(router, models, breaker_client):
    models.fail("openai", Fault.HANG)

    for _ in range(4):
        with pytest.raises(AllProvidersUnavailable) as caught:
            await router.reply(a_request("openai"), deadline=0.1)

    assert caught.value.attempts[0].error_class == ErrorClass.DEADLINE
    assert (await state_of(breaker_client, "openai")).failures == 0


async def test_a_cancelled_reply_gives_the_probe_back(router, models):
    router.breaker = breaker.Breaker(client=router.breaker.client, policy=Policy(pause=50))
    models.fail("openai", Fault.SERVER_ERROR, times=3)
    for _ in range(3):
        await router.reply(a_request("openai", "gemini"))
    await due(router)
    models.fail("openai", Fault.HANG)
    models.forget()

    asking = asyncio.create_task(router.reply(a_request("openai", "gemini")))
    await until(lambda: models.calls("openai"))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert asking.cancelled()
    assert provider_tasks() == []
    models.heal()
    reply = await router.reply(a_request("openai", "gemini"))
    assert [attempt.role for attempt in reply.attempts] == [Role.PROBE]


async def test_a_refusal_may_be_final(router, models):
    models.fail("openai", Fault.REFUSAL)

    with pytest.raises(AllProvidersUnavailable) as caught:
        await router.reply(a_request("openai", "gemini", passes_on_refusals=False))

    assert models.calls("gemini") == []
    assert caught.value.retry_at is None


@pytest.mark.parametrize("provider", ALL)
async def test_a_tenants_own_key_is_sent(router, models, provider):
    own = Target(provider=provider, model=MODELS[provider], key_id="k1", api_key="tenants-own")

    await router.reply(a_request(targets=(own,)))

    headers = models.calls()[0].headers
    sent = headers.get("x-goog-api-key") or headers["authorization"].removeprefix("Bearer ")
    assert sent == "tenants-own"
    assert "tenants-own" not in repr(own)


async def test_without_redis_customers_are_answered(model_settings, models, tmp_path):
    router = Router.from_settings(model_settings, breaker.connect(f"unix://{tmp_path}/nobody.sock"))
    models.fail("openai", Fault.SERVER_ERROR)

    replies = [await router.reply(a_request("openai", "gemini")) for _ in range(5)]

    assert {reply.provider for reply in replies} == {"gemini"}
    assert len(models.calls("openai")) == 3
    assert router.is_degraded
    assert REGISTRY.get_sample_value("mychatflow_breaker_degraded") == 1
    await router.close()


async def test_without_keys_the_sandbox_answers(settings, redis_client, redis_url):
    bare = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=settings.data_dir)
    router = Router.from_settings(bare)

    reply = await router.reply(a_request("sandbox"))

    assert router.available == frozenset()
    assert (reply.provider, reply.attempts[0].cost_micro_usd) == ("sandbox", 0)
    await router.close()


async def test_no_known_target_is_unavailable(router):
    with pytest.raises(AllProvidersUnavailable) as caught:
        await router.reply(a_request("nobody"))

    assert caught.value.retry_at is None


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_unwritable_text_is_the_callers_fault(router, models, breaker_client, provider):
    broken = (Turn(role="user", text="\ud800"),)

    with pytest.raises(AllProvidersUnavailable) as caught:
        await router.reply(a_request(provider, messages=broken))

    assert (caught.value.attempts[0].error_class, caught.value.retry_at) == (ErrorClass.BAD_REQUEST, None)
    assert (await state_of(breaker_client, provider)).failures == 0
