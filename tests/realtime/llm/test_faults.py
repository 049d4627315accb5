"""Every odd answer of every provider is named rightly, and the next provider answers the customer."""

import asyncio
from datetime import UTC, datetime

import pytest

from realtime.llm import faults
from realtime.llm.contract import AllProvidersUnavailable, Outcome
from realtime.llm.faults import ErrorClass, ProviderFailed, Verdict
from tests.fakes.llm_faults import Fault
from tests.realtime.llm.conftest import a_request
from tests.realtime.llm.test_router import until

PROVIDERS = ("openai", "anthropic", "gemini")
NAMED = {
    Fault.SERVER_ERROR: ErrorClass.SERVER_ERROR,
    Fault.UNAVAILABLE: ErrorClass.UNAVAILABLE,
    Fault.OVERLOADED: ErrorClass.OVERLOADED,
    Fault.RATE_LIMITED: ErrorClass.RATE_LIMITED,
    Fault.NO_MONEY: ErrorClass.QUOTA,
    Fault.UNAUTHORISED: ErrorClass.CONFIG,
    Fault.FORBIDDEN: ErrorClass.CONFIG,
    Fault.BAD_REQUEST: ErrorClass.BAD_REQUEST,
    Fault.TOO_LONG: ErrorClass.CONTEXT_OVERFLOW,
    Fault.MODEL_GONE: ErrorClass.MODEL_GONE,
    Fault.WRONG_ADDRESS: ErrorClass.CONFIG,
    Fault.HANG: ErrorClass.TIMEOUT,
    Fault.RESET: ErrorClass.RESET,
    Fault.TRUNCATED: ErrorClass.RESET,
    Fault.GARBAGE: ErrorClass.MALFORMED,
    Fault.EMPTY: ErrorClass.EMPTY,
    Fault.HTML: ErrorClass.MALFORMED,
    Fault.NO_CHOICE: ErrorClass.EMPTY,
    Fault.DRIP: ErrorClass.TIMEOUT,
    Fault.REFUSAL: ErrorClass.REFUSED,
    Fault.LENGTH: ErrorClass.CUT_SHORT,
    Fault.LOST_ANSWER: ErrorClass.RESET,
}
BILLED = {Fault.REFUSAL, Fault.LENGTH}
# Only these end by running out of time; whatever answers at once may take its time on a busy machine.
SLOW = {Fault.HANG, Fault.DRIP}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def patient(*providers, **changes):
    """A request whose time does not run out where time is not the fault."""
    return a_request(*providers, **({"attempt_timeout": 10.0, "total_timeout": 20.0} | changes))


def test_every_fault_of_the_fake_is_named():
    assert set(NAMED) | {Fault.NO_USAGE} == set(Fault)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", NAMED, ids=lambda fault: fault.name.lower())
async def test_a_fault_is_named_and_survived(router, models, fault, provider):
    models.fail(provider, fault)
    other = PROVIDERS[PROVIDERS.index(provider) - 1]

    attempt_timeout = 0.8 if fault in SLOW else 10.0
    reply = await router.reply(patient(provider, other, attempt_timeout=attempt_timeout))

    failed, won = reply.attempts[0], reply.attempts[-1]
    assert (failed.provider, failed.outcome, failed.error_class) == (provider, Outcome.FAILED, NAMED[fault])
    assert (won.provider, won.won, reply.used_fallback) == (other, True, True)
    assert (fault in BILLED) == (failed.output_tokens > 0 and not failed.is_estimated)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "fault", [Fault.RESET, Fault.LOST_ANSWER, Fault.TRUNCATED, Fault.SERVER_ERROR, Fault.RATE_LIMITED]
)
@pytest.mark.parametrize("is_connected", [False, True], ids=["new connection", "kept connection"])
async def test_no_client_asks_again_behind_our_back(router, models, fault, provider, is_connected):
    """A kept connection that breaks is what HTTP clients like to hide by sending the request once more."""
    request = patient(provider)
    if is_connected:
        await router.providers[provider].complete(request, request.targets[0])
        models.forget()
    models.fail(provider, fault, retry_after="0")

    with pytest.raises(ProviderFailed):
        await router.providers[provider].complete(request, request.targets[0])

    assert len(models.calls()) == 1


async def test_a_call_answered_late_is_in_no_later_journal(router, models):
    models.providers["openai"].latency = 0.3
    models.fail("openai", Fault.NO_USAGE, times=1)
    before = models.journal
    asking = asyncio.create_task(router.reply(patient("openai")))
    # Counted down when the call comes in, which is before it is answered.
    await until(lambda: models.providers["openai"].fault is None)

    models.forget()
    await asking

    assert (len(before), models.calls()) == (1, [])


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_missing_usage_is_estimated_and_flagged(router, models, provider):
    models.fail(provider, Fault.NO_USAGE)

    reply = await router.reply(patient(provider))

    [call] = models.calls()
    [attempt] = reply.attempts
    assert attempt.is_estimated
    assert (attempt.input_tokens, attempt.output_tokens) == (call.input_tokens, call.output_tokens)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_closed_port_is_a_connect_error(router, models, provider, unused_tcp_port):
    client = router.providers[provider]
    aside = f"http://127.0.0.1:{unused_tcp_port}"
    if provider == "gemini":
        client._client._api_client._http_options.base_url = aside
    else:
        client._client.base_url = aside

    with pytest.raises(AllProvidersUnavailable) as caught:
        await router.reply(patient(provider))

    assert {attempt.error_class for attempt in caught.value.attempts} == {ErrorClass.CONNECT}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_broken_json_text_goes_to_the_next(router, models, provider):
    models.say(provider, '{"reply": "We are op')
    other = PROVIDERS[PROVIDERS.index(provider) - 1]

    reply = await router.reply(patient(provider, other))

    assert reply.attempts[0].error_class == ErrorClass.MALFORMED
    assert reply.attempts[0].output_tokens > 0
    assert reply.provider == other


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "8549"}, b"", 8549),
        ({"retry-after": "0"}, b"", 0),
        ({"retry-after": "-3"}, b"", None),
        ({"retry-after": "nan"}, b"", None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, b"", 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, b"", 30),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, b"", 0),
        ({"retry-after": "soon"}, b"", None),
        ({"retry-after": "Tue, 24 Nov 2026999999999 12:00:30 GMT"}, b"", None),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 -99999999999999999999"}, b"", None),
        ({}, b'{"error": {"details": [{"retryDelay": "3s"}]}}', 3),
        ({}, b'{"error": {"details": "none"}}', None),
        ({}, b"[]", None),
    ],
)
def test_retry_after_is_read_in_every_form(headers, body, seconds):
    assert faults.of_status(429, headers, body, at=NOW).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (400, b'{"error": {"message": "API key not valid. Please pass a valid API key."}}', ErrorClass.CONFIG),
        (400, b'{"error": {"message": "Your credit balance is too low"}}', ErrorClass.QUOTA),
        (400, b'{"error": {"message": "prompt is too long: 210000 tokens"}}', ErrorClass.CONTEXT_OVERFLOW),
        (
            400,
            b'{"error": {"message": "input length and `max_tokens` exceed context limit"}}',
            ErrorClass.CONTEXT_OVERFLOW,
        ),
        (400, b'{"error": {"code": "model_not_found"}}', ErrorClass.MODEL_GONE),
        (403, b'{"error": {"code": "model_not_found"}}', ErrorClass.MODEL_GONE),
        (402, b"", ErrorClass.QUOTA),
        (408, b"", ErrorClass.SERVER_ERROR),
        (413, b"", ErrorClass.CONTEXT_OVERFLOW),
        (422, b"", ErrorClass.BAD_REQUEST),
        (302, b"", ErrorClass.MALFORMED),
        (599, b"", ErrorClass.SERVER_ERROR),
    ],
)
def test_a_status_and_body_name_the_failure(status, body, named):
    assert faults.of_status(status, {}, body, at=NOW).error_class is named


@pytest.mark.parametrize("error_class", [ErrorClass.BAD_REQUEST, ErrorClass.REFUSED, ErrorClass.CONTEXT_OVERFLOW])
def test_the_callers_fault_never_counts(error_class):
    assert faults.verdict_of(error_class) is Verdict.NEUTRAL


def test_every_failure_has_a_verdict():
    assert {faults.verdict_of(error_class) for error_class in ErrorClass} == set(Verdict) - {Verdict.SUCCESS}
