"""A draft is written by a model that may be lost, or wants a person and cannot say so in fit words."""

import uuid
from collections.abc import Callable

import pytest

from mychatflow.rules.guard import Evidence
from realtime.agent.drafting import Brief, Decision, Draft, Drafter
from realtime.agent.ledger import Ledger
from realtime.llm.contract import ReplyRequest, RoutedReply, Turn
from realtime.llm.toolkit import ToolCall, ToolResult
from tests.fakes.llm import answer_json

CALL = ToolCall(id="call_1", name="find_slots", arguments="{}")


class Scripted:
    """A router whose models say what the script says to each request."""

    def __init__(self, script: Callable[[ReplyRequest], tuple[str, tuple[ToolCall, ...]]]) -> None:
        self.script = script
        self.asked: list[ReplyRequest] = []

    async def reply(self, request: ReplyRequest, *, deadline: float) -> RoutedReply:
        self.asked.append(request)
        text, calls = self.script(request)
        return RoutedReply(
            text=text,
            provider="anthropic",
            model="claude-haiku-4-5",
            latency_ms=1,
            used_fallback=False,
            attempts=(),
            calls=calls,
        )


class Tools:
    """A calendar in which nothing is ever found."""

    receipts: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    async def run(self, call: ToolCall) -> ToolResult:
        return ToolResult(call=call, content="{}")


def a_brief(toolbox: Tools | None = None) -> Brief:
    request = ReplyRequest(
        tenant_id=uuid.uuid4(),
        turn_id=uuid.uuid4(),
        system="You answer.",
        messages=(Turn(role="user", text="Tomorrow at three?"),),
        targets=(),
    )
    return Brief(request=request, evidence=Evidence(), language="en", supported=("en", "es"), toolbox=toolbox)


async def drafted(router: Scripted, brief: Brief) -> Draft:
    return await Drafter(router).write(brief, Ledger())


@pytest.mark.parametrize("said", ["", "One moment, let me look into the calendar."])
async def test_a_model_that_only_ever_looks_is_asked_once_more(said):
    router = Scripted(lambda request: (said, (CALL,)))

    draft = await drafted(router, a_brief(Tools()))

    assert (draft.decision, draft.text) == (Decision.CLARIFY, "")
    silent = [turn for request in router.asked for turn in request.messages if not turn.calls and not turn.results]
    assert all(turn.text for turn in silent)


async def test_a_wish_for_a_person_survives_words_that_may_not_be_sent():
    router = Scripted(lambda request: (answer_json("Un colega le escribirá muy pronto.", action="handoff"), ()))

    draft = await drafted(router, a_brief())

    assert (draft.decision, draft.text) == (Decision.HANDOFF, "")


async def test_the_fence_around_a_question_is_no_part_of_an_answer():
    router = Scripted(lambda request: (answer_json("⟦Tomorrow suits us well.⟧"), ()))

    draft = await drafted(router, a_brief())

    assert (draft.decision, draft.text) == (Decision.REPLY, "Tomorrow suits us well.")
