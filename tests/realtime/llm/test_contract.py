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


@pytest.mark.parametrize("dressed", ["{}", "```json\n{}\n```", "```\n{}```", "\n  {}  \n"])
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
        '{"reply": "a"} and more',
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
    ],
)
def test_an_unknown_action_asks_the_customer(changes, action):
    assert contract.parse(json.dumps(WHOLE | changes)).action is action


def test_missing_fields_have_quiet_values():
    answer = contract.parse('{"reply": "Hi", "sources": null}')

    assert (answer.language, answer.action, answer.sources, answer.confidence_note) == (None, Action.ANSWER, (), "")


def test_the_schema_asks_for_every_field():
    schema = contract.ANSWER_SCHEMA

    assert set(schema["required"]) == set(schema["properties"]) == set(WHOLE)
    assert schema["properties"]["action"]["enum"] == [action.value for action in Action]
