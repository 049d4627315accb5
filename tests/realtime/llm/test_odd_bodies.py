"""What vendors, and those who speak their languages, put into a well-formed 200 now and then."""

import json

import pytest

from realtime.llm import anthropic, gemini, openai
from realtime.llm.faults import ErrorClass, ProviderFailed, Usage
from realtime.llm.toolkit import Tool
from tests.realtime.llm.conftest import a_request


def from_openai(usage, *, finish="stop"):
    return openai, {"choices": [{"message": {"content": "hi"}, "finish_reason": finish}], "usage": usage}


def from_anthropic(usage, *, finish="end_turn"):
    return anthropic, {"content": [{"type": "text", "text": "hi"}], "stop_reason": finish, "usage": usage}


def from_gemini(usage, *, finish="STOP"):
    candidate = {"content": {"parts": [{"text": "hi"}]}, "finishReason": finish}
    return gemini, {"candidates": [candidate], "usageMetadata": usage}


def read(answer):
    vendor, body = answer
    return vendor._read(json.dumps(body).encode(), a_request("openai"))


@pytest.mark.parametrize(
    "answer",
    [
        from_openai({}),
        from_openai([]),
        from_openai({"prompt_tokens": None, "completion_tokens": None}),
        from_openai({"prompt_tokens": 9}),
        from_openai({"prompt_tokens": "9", "completion_tokens": 2}),
        from_openai({"prompt_tokens": -9, "completion_tokens": 2}),
        from_openai({"prompt_tokens": 9, "completion_tokens": -2}),
        from_openai({"prompt_tokens": 10**12, "completion_tokens": 2}),
        from_anthropic({}),
        from_anthropic({"input_tokens": 9, "output_tokens": None}),
        from_anthropic({"input_tokens": -9, "output_tokens": 2}),
        from_gemini({}),
        from_gemini({"totalTokenCount": 11}),
        from_gemini({"promptTokenCount": -9, "candidatesTokenCount": 2}),
    ],
)
def test_an_answer_is_not_lost_for_want_of_its_bill(answer):
    completion = read(answer)

    assert completion.text == "hi"
    assert completion.usage.is_estimated
    assert completion.usage.input_tokens > 0


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (
            from_openai({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 100}}),
            Usage(input_tokens=9, cached_tokens=9, output_tokens=2),
        ),
        (
            from_anthropic({"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": -5}),
            Usage(input_tokens=9, output_tokens=2),
        ),
        (
            from_gemini({"promptTokenCount": 9, "candidatesTokenCount": None, "thoughtsTokenCount": 3}),
            Usage(input_tokens=9, output_tokens=3),
        ),
    ],
)
def test_an_odd_part_of_a_bill_spoils_no_other(answer, usage):
    assert read(answer).usage == usage


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (from_gemini({}, finish="MALFORMED_FUNCTION_CALL"), ErrorClass.MALFORMED),
        (from_gemini({}, finish="UNEXPECTED_TOOL_CALL"), ErrorClass.MALFORMED),
        (from_gemini({}, finish="IMAGE_PROHIBITED_CONTENT"), ErrorClass.REFUSED),
        (from_gemini({}, finish="MODEL_ARMOR"), ErrorClass.REFUSED),
        (from_gemini({}, finish="NOT_YET_INVENTED"), ErrorClass.REFUSED),
        (from_anthropic({}, finish="pause_turn"), ErrorClass.CUT_SHORT),
        (from_openai({}, finish="error"), ErrorClass.MALFORMED),
    ],
)
def test_half_an_answer_is_none(answer, error_class):
    with pytest.raises(ProviderFailed) as caught:
        read(answer)

    assert caught.value.error_class is error_class


def test_what_claude_keeps_in_its_cache_is_charged_as_such():
    counts = {"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7}

    usage = read(from_anthropic(counts)).usage

    assert usage == Usage(input_tokens=21, cached_tokens=5, written_tokens=7, output_tokens=2)


def test_calls_of_two_rounds_have_two_ids():
    wish = {"content": {"parts": [{"functionCall": {"name": "find_slots", "args": {}}}]}, "finishReason": "STOP"}
    request = a_request("gemini", tools=(Tool(name="find_slots", description="", parameters={}),))
    body = json.dumps({"candidates": [wish]}).encode()

    first, second = (gemini._read(body, request).calls[0].id for _ in range(2))

    assert first != second


@pytest.mark.parametrize("finish", [None, "STOP", "FINISH_REASON_UNSPECIFIED"])
def test_gemini_need_not_say_why_it_ended(finish):
    assert read(from_gemini({}, finish=finish)).text == "hi"


async def test_a_server_that_embeds_need_not_count(router, models):
    models.meaning, models.is_counting = lambda text: [1.0, float(len(text))], False

    vectors, usage = await router.providers["openai"].embed(["four", "fives"], model="local")

    assert vectors == [[1.0, 4.0], [1.0, 5.0]]
    assert usage == Usage(input_tokens=3, is_estimated=True)


@pytest.mark.parametrize("text", [5, ["hi"], {"hi": 1}])
async def test_what_is_no_text_was_not_heard(router, models, text):
    models.voice = text

    with pytest.raises(ProviderFailed) as caught:
        await router.providers["openai"].hear(b"voice", filename="voice.ogg")

    assert caught.value.error_class is ErrorClass.MALFORMED
