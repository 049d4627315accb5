"""A prompt that a model finds too long is halved once, and keeps its question."""

from realtime.llm.contract import Turn
from tests.fakes.llm_faults import Fault
from tests.realtime.llm.conftest import a_request


async def test_a_prompt_too_long_is_halved_once(router, models):
    models.fail("openai", Fault.TOO_LONG, times=1)
    turns = tuple(Turn(role="user", text=f"message {number}") for number in range(6))

    reply = await router.reply(a_request("openai", "gemini", messages=turns, past=5))

    assert reply.provider == "openai"
    assert [call.messages[0][1] for call in models.calls()] == ["message 0", "message 3"]


async def test_a_prompt_too_long_keeps_the_question(router, models):
    """The context, the question, a draft of ours and what was wrong with it: nothing of that is old."""
    models.fail("openai", Fault.TOO_LONG, times=1)
    said = ["an old one", "context", "question", "draft", "what was wrong"]
    turns = tuple(Turn(role="assistant" if text == "draft" else "user", text=text) for text in said)

    await router.reply(a_request("openai", "gemini", messages=turns, past=1))

    assert [text for _, text in models.calls()[-1].messages] == said[1:]


async def test_a_question_too_long_goes_to_the_next(router, models):
    models.fail("openai", Fault.TOO_LONG)

    reply = await router.reply(a_request("openai", "gemini"))

    assert [call.provider for call in models.calls()] == ["openai", "gemini"]
    assert reply.provider == "gemini"
