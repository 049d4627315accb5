"""Requests go out as the vendors' own SDKs would write them, and our fake answers as the SDKs expect."""

import anthropic as anthropic_sdk
import google.genai
import openai as openai_sdk
import pytest
from google.genai import types

from realtime.llm.contract import ANSWER_SCHEMA, Target, Turn
from tests.realtime.llm.conftest import a_request

TALK = (
    Turn(role="assistant", text="Our autumn offer!"),
    Turn(role="user", text="How much?"),
    Turn(role="assistant", text="25 euros."),
    Turn(role="user", text="Book me in."),
)


async def sent(router, models, provider, model, **changes):
    await router.reply(a_request(targets=(Target(provider=provider, model=model),), messages=TALK, **changes))
    return models.calls(provider)[-1]


async def test_openai_is_asked_for_the_schema(router, models):
    call = await sent(router, models, "openai", "gpt-4o-mini", temperature=0.7, max_tokens=321)

    assert call.body["response_format"]["json_schema"]["schema"] == ANSWER_SCHEMA
    assert call.body["response_format"]["json_schema"]["strict"]
    assert (call.body["temperature"], call.body["max_completion_tokens"]) == (0.7, 321)
    assert [role for role, _ in call.messages] == ["assistant", "user", "assistant", "user"]
    assert call.system == "You answer for a barber shop."


async def test_a_thinking_model_gets_no_temperature(router, models):
    call = await sent(router, models, "openai", "gpt-5.4-mini")

    assert "temperature" not in call.body


async def test_anthropic_is_asked_for_the_schema(router, models):
    call = await sent(router, models, "anthropic", "claude-haiku-4-5", temperature=1.4, max_tokens=321)

    assert call.body["output_config"]["format"]["schema"] == ANSWER_SCHEMA
    assert (call.body["temperature"], call.body["max_tokens"]) == (1.0, 321)
    assert call.body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert [role for role, _ in call.messages] == ["user", "assistant", "user", "assistant", "user"]


async def test_an_old_claude_gets_no_schema(router, models):
    call = await sent(router, models, "anthropic", "claude-3-5-haiku-latest")

    assert "output_config" not in call.body


async def test_gemini_is_asked_for_the_schema(router, models):
    call = await sent(router, models, "gemini", "gemini-2.0-flash", temperature=0.7, max_tokens=321)

    config = call.body["generationConfig"]
    assert config["responseJsonSchema"] == ANSWER_SCHEMA
    assert config["responseMimeType"] == "application/json"
    assert (config["temperature"], config["maxOutputTokens"]) == (0.7, 321)
    assert [role for role, _ in call.messages] == ["user", "model", "user", "model", "user"]


@pytest.mark.parametrize(("provider", "model"), [("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-4-5")])
async def test_a_vendor_is_told_nothing_of_our_machine(router, models, provider, model):
    call = await sent(router, models, provider, model)

    assert call.headers["content-type"] == "application/json"
    assert [name for name in call.headers if name.startswith("x-stainless")] == []


async def test_the_openai_sdk_reads_our_fake(models):
    async with openai_sdk.AsyncOpenAI(
        api_key="k", base_url=models.settings()["openai_base_url"], max_retries=0
    ) as client:
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        models.fail("openai", "429", retry_after="90")
        with pytest.raises(openai_sdk.RateLimitError):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])

    [first, _] = models.calls("openai")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == first.input_tokens


async def test_the_anthropic_sdk_reads_our_fake(models):
    async with anthropic_sdk.AsyncAnthropic(
        api_key="k", base_url=models.settings()["anthropic_base_url"], max_retries=0
    ) as client:
        question = [{"role": "user", "content": "hi"}]
        answer = await client.messages.create(model="m", max_tokens=9, messages=question)
        models.fail("anthropic", "529")
        with pytest.raises(anthropic_sdk.InternalServerError):
            await client.messages.create(model="m", max_tokens=9, messages=question)

    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens == models.calls("anthropic")[0].input_tokens


# The SDK's own transport derives a class that aiohttp frowns upon; the product hands it another.
@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
async def test_gemini_gets_what_its_sdk_would_send(router, models):
    ours = await sent(router, models, "gemini", "gemini-2.0-flash", temperature=0.7, max_tokens=321)
    client = google.genai.Client(
        api_key="k", http_options=types.HttpOptions(base_url=models.settings()["gemini_base_url"])
    )
    await client.aio.models.generate_content(
        model="gemini-2.0-flash",
        contents=[{"role": role, "parts": [{"text": text}]} for role, text in ours.messages],
        config={
            "system_instruction": "You answer for a barber shop.",
            "temperature": 0.7,
            "max_output_tokens": 321,
            "response_mime_type": "application/json",
            "response_json_schema": ANSWER_SCHEMA,
        },
    )
    await client.aio.aclose()

    theirs = models.calls("gemini")[-1]
    assert ours.body == theirs.body
    assert ours.path == theirs.path
    assert set(ours.headers) - {"connection"} == set(theirs.headers)


# The SDK's own client derives a class that aiohttp frowns upon; the product hands it another transport.
@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
async def test_the_gemini_sdk_reads_our_fake(models):
    client = google.genai.Client(
        api_key="k",
        http_options=types.HttpOptions(
            base_url=models.settings()["gemini_base_url"], retry_options=types.HttpRetryOptions(attempts=1)
        ),
    )
    answer = await client.aio.models.generate_content(model="m", contents="hi")
    models.fail("gemini", "503")
    with pytest.raises(google.genai.errors.ServerError):
        await client.aio.models.generate_content(model="m", contents="hi")
    await client.aio.aclose()

    assert answer.text
    assert answer.usage_metadata.prompt_token_count == models.calls("gemini")[0].input_tokens
