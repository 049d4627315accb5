"""A model's words become an answer: JSON as asked for, prose as it stands, broken JSON never."""

import json

import pytest

from realtime.llm import contract
from realtime.llm.contract import Action, AgentAnswer, UnreadableAnswer

WHOLE = {
    "reply": "We open at 9.",
    "language": "en",
    "action": "book",
    "sources": ["kb-1", "kb-2"],
    "confidence_note": "from the opening hours",
}


@pytest.mark.parametrize(
    "dressed",
    [
        "{}",
        "```json\n{}\n```",
        "```\n{}```",
        "```json{}```",
        "\n  {}  \n",
        "\ufeff{}",
        "[{}]",
        "Here is the answer:\n\n{}",
        "json\n{}",
        "{} and more",
        "```json\n{}\n```\nI hope that helps!",
        "<think>They ask {when} we open.</think>\n{}",
    ],
)
def test_json_is_read_in_any_dress(dressed):
    answer = contract.parse(dressed.replace("{}", json.dumps(WHOLE)))

    assert answer == AgentAnswer(
        reply="We open at 9.",
        language="en",
        action=Action.BOOK,
        sources=("kb-1", "kb-2"),
        confidence_note="from the opening hours",
        is_structured=True,
    )


@pytest.mark.parametrize("text", ["We open at 9.", "  We open at 9.\n", "```\nWe open at 9.\n```"])
def test_prose_is_an_answer(text):
    answer = contract.parse(text)

    assert (answer.reply, answer.action, answer.is_structured) == ("We open at 9.", Action.ANSWER, False)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"reply": "We op',
        '{"reply": 5}',
        '{"answer": "9"}',
        "{}",
        '{"reply": "a"} {"reply": "b"}',
        'Here is the answer: {"reply": "We op',
        "<think>They want to know when",
        "</think>",
        '<tool_call>{"name": "find_slots"}</tool_call>',
        "<|channel|>final<|message|>Hello",
        '{"name": "find_slots", "arguments": {}}',
        '{"reply": "\\ud800"',
    ],
)
def test_broken_json_never_reaches_a_customer(text):
    with pytest.raises(UnreadableAnswer):
        contract.parse(text)


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"action": "transfer_money"}, Action.CLARIFY),
        ({"action": None}, Action.ANSWER),
        ({"action": "none"}, Action.NONE),
        ({"action": "Handoff "}, Action.HANDOFF),
    ],
)
def test_an_unknown_action_asks_the_customer(changes, action):
    assert contract.parse(json.dumps(WHOLE | changes)).action is action


def test_missing_fields_have_quiet_values():
    answer = contract.parse('{"reply": "Hi", "sources": null}')

    assert (answer.language, answer.action, answer.sources, answer.confidence_note) == (None, Action.ANSWER, (), "")


@pytest.mark.parametrize(
    ("written", "sources"),
    [(["[kb-1]", ""], ("kb-1",)), ("kb-1", ("kb-1",)), ([7], ("7",)), ([], ())],
)
def test_sources_are_read_in_any_dress(written, sources):
    assert contract.parse(json.dumps(WHOLE | {"sources": written})).sources == sources


def test_no_reply_is_wanted_in_so_many_words():
    answer = contract.parse('{"reply": null, "action": "none", "confidence_note": 0.9}')

    assert (answer.reply, answer.action, answer.confidence_note) == ("", Action.NONE, "0.9")


def test_the_schema_asks_for_every_field():
    schema = contract.ANSWER_SCHEMA

    assert set(schema["required"]) == set(schema["properties"]) == set(WHOLE)
    assert schema["properties"]["action"]["enum"] == [action.value for action in Action]
