"""Models of all three vendors ask for tools and read what they said, also in the middle of a change of vendor."""

import google.genai
import pytest
from google.genai import types

from realtime.llm.contract import AllProvidersUnavailable, Target, Turn
from realtime.llm.toolkit import Tool, ToolResult
from tests.fakes.llm import answer_json
from tests.fakes.llm_wire import ToolUse
from tests.realtime.llm.conftest import a_request

LOOK = Tool(
    name="find_slots",
    description="Free times.",
    parameters={
        "type": "object",
        "properties": {"day": {"type": "string"}},
        "required": ["day"],
        "additionalProperties": False,
    },
)
TARGETS = [
    Target(provider="openai", model="gpt-5.4-mini"),
    Target(provider="anthropic", model="claude-haiku-4-5"),
    Target(provider="gemini", model="gemini-2.0-flash"),
    Target(provider="gemini", model="gemini-3.5-flash-lite"),
]
names = [target.model for target in TARGETS]
ASKED = (Turn(role="user", text="Is Friday free?"),)


def answering(call):
    """Asks for the tool, then says what it was told."""
    if not call.told:
        return ToolUse((("find_slots", {"day": "Friday"}),))
    return answer_json(f"Free at {call.told[-1]['at']}.")


def after(reply, content):
    """The conversation with the tool's answer."""
    asked = Turn(role="assistant", text=reply.text, calls=reply.calls)
    told = tuple(ToolResult(call=call, content=content) for call in reply.calls)
    return (*ASKED, asked, Turn(role="user", text="", results=told))


@pytest.mark.parametrize("target", TARGETS, ids=names)
async def test_a_tool_is_asked_for_and_heard(router, models, target):
    models.say(target.provider, answering)
    request = a_request(targets=(target,), messages=ASKED, tools=(LOOK,))

    first = await router.reply(request)
    second = await router.reply(a_request(targets=(target,), messages=after(first, '{"at": "15:00"}'), tools=(LOOK,)))

    assert [(call.name, call.read()) for call in first.calls] == [("find_slots", {"day": "Friday"})]
    assert models.calls()[0].tools == ("find_slots",)
    assert "Free at 15:00." in second.text
    assert second.calls == ()


@pytest.mark.parametrize("first", TARGETS, ids=names)
@pytest.mark.parametrize("second", TARGETS, ids=names)
async def test_another_vendor_takes_over_between_call_and_answer(router, models, first, second):
    for provider in models.providers:
        models.say(provider, answering)

    asked = await router.reply(a_request(targets=(first,), messages=ASKED, tools=(LOOK,)))
    told = after(asked, '{"at": "15:00"}')
    reply = await router.reply(a_request(targets=(second,), messages=told, tools=(LOOK,)))

    assert "Free at 15:00." in reply.text


@pytest.mark.parametrize("target", TARGETS, ids=names)
async def test_tokens_of_tool_calls_are_booked(router, models, target):
    models.say(target.provider, answering)

    reply = await router.reply(a_request(targets=(target,), messages=ASKED, tools=(LOOK,)))

    [attempt] = reply.attempts
    [call] = models.calls()
    assert (attempt.input_tokens, attempt.output_tokens) == (call.input_tokens, call.output_tokens)


@pytest.mark.parametrize("target", TARGETS, ids=names)
async def test_a_tool_that_nobody_offered_is_no_answer(router, models, target):
    models.say(target.provider, lambda _call: ToolUse((("drop_tables", {}),)))

    with pytest.raises(AllProvidersUnavailable) as unavailable:
        await router.reply(a_request(targets=(target,), messages=ASKED, tools=(LOOK,)))

    assert unavailable.value.attempts[0].error_class == "malformed"


async def test_old_gemini_gets_tools_or_a_schema(router, models):
    models.say("gemini", answering)
    old, new = TARGETS[2:]
    for target in (old, new):
        await router.reply(a_request(targets=(target,), messages=ASKED, tools=(LOOK,)))

    first, second = models.calls("gemini")
    assert "responseMimeType" not in first.body["generationConfig"]
    assert "responseMimeType" in second.body["generationConfig"]


# The SDK's own transport derives a class that aiohttp frowns upon; the product hands it another.
@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
async def test_gemini_gets_the_tools_its_sdk_would_send(router, models):
    models.say("gemini", answering)
    first = await router.reply(a_request(targets=(TARGETS[3],), messages=ASKED, tools=(LOOK,)))
    await router.reply(a_request(targets=(TARGETS[3],), messages=after(first, '{"at": "15:00"}'), tools=(LOOK,)))
    ours = models.calls("gemini")[-1].body
    client = google.genai.Client(
        api_key="k", http_options=types.HttpOptions(base_url=models.settings()["gemini_base_url"])
    )
    declared = types.FunctionDeclaration(
        name="find_slots", description="Free times.", parameters_json_schema=LOOK.parameters
    )
    part = types.Part(
        function_call=types.FunctionCall(name="find_slots", args={"day": "Friday"}), thought_signature=b"signature"
    )
    told = types.Part.from_function_response(name="find_slots", response={"result": '{"at": "15:00"}'})
    await client.aio.models.generate_content(
        model="gemini-3.5-flash-lite",
        contents=[
            types.Content(role="user", parts=[types.Part(text="Is Friday free?")]),
            types.Content(role="model", parts=[part]),
            types.Content(role="user", parts=[told]),
        ],
        config=types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])]),
    )
    await client.aio.aclose()

    theirs = models.calls("gemini")[-1].body
    assert ours["contents"] == theirs["contents"]
    # The reference calls it parametersJsonSchema; the SDK writes the name that the vendor's own JSON reader also takes.
    [theirs_declared] = theirs["tools"][0]["functionDeclarations"]
    theirs_declared["parametersJsonSchema"] = theirs_declared.pop("parameters_json_schema")
    assert ours["tools"] == theirs["tools"]


@pytest.mark.parametrize("slow", [0.9, 1.3])
async def test_only_the_winners_wish_is_heard(router, models, slow):
    """Two models ask for the same tool; running both would book twice."""
    for target in TARGETS[:2]:
        models.say(target.provider, answering)
        for _ in range(20):
            router.latencies.add(target.name, 0.1)
    models.providers["openai"].latency = slow

    reply = await router.reply(a_request(targets=tuple(TARGETS[:2]), messages=ASKED, tools=(LOOK,), hedging=True))

    assert len(reply.calls) == 1
    assert [attempt.role for attempt in reply.attempts] == ["primary", "hedge"]
    assert sum(attempt.won for attempt in reply.attempts) == 1
