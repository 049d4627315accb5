"""The rules on JSON lines answer in full and refuse by the field's name."""

import pytest

from mychatflow.rules import lines
from mychatflow.rules.lines import InvalidLine

AS_OF = "2026-03-10T10:00:00Z"


def test_intents_come_with_rules_and_spans():
    found = lines.extract({"text": "how much is it?", "id": 7})

    assert (found["id"], found["intents"], found["question"], found["handoff"]) == (
        7,
        ["price_inquiry", "question"],
        True,
        False,
    )
    assert {"kind", "language", "rule_id", "start", "end"} == set(found["hits"][0])


def test_a_language_comes_with_its_probability():
    found = lines.detect({"text": "where are you located"}, languages=["en", "es"])

    assert found["lang"] == "en"
    assert 0.5 < found["probability"] <= 1


def test_no_letters_are_an_undetermined_language():
    assert lines.detect({"text": "."}, languages=["en", "es"])["lang"] == "und"


def test_what_is_not_countable_scores_nothing():
    messages = [
        {"ts": AS_OF, "dir": "in", "type": "reaction"},
        {"ts": AS_OF, "dir": "in", "text": "STOP"},
        {"ts": AS_OF, "dir": "in", "id": "a"},
        {"ts": AS_OF, "dir": "in", "id": "a"},
    ]

    assert lines.score({"as_of": AS_OF, "messages": messages})["message_points"] == 2


def test_a_policy_changes_the_what_if():
    line = {"as_of": AS_OF, "messages": [{"ts": AS_OF, "dir": "in"}], "policy": {"points_per_message": 7}}

    assert lines.score(line)["score"] == 7


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ([], "line"),
        ({"messages": []}, "as_of"),
        ({"as_of": "2026-03-10T10:00:00", "messages": []}, "as_of"),
        ({"as_of": "noon", "messages": []}, "as_of"),
        ({"as_of": AS_OF}, "messages"),
        ({"as_of": AS_OF, "messages": [5]}, "messages[0]"),
        ({"as_of": AS_OF, "messages": [{"ts": AS_OF}]}, "messages[0].dir"),
        ({"as_of": AS_OF, "messages": [{"dir": "in"}]}, "messages[0].ts"),
        ({"as_of": AS_OF, "messages": [{"dir": "in", "ts": AS_OF, "question": "yes"}]}, "messages[0].question"),
        ({"as_of": AS_OF, "messages": [{"dir": "in", "ts": AS_OF, "intents": "urgent"}]}, "messages[0].intents"),
        ({"as_of": AS_OF, "messages": [], "policy": {"nonsense": 1}}, "policy.nonsense"),
        ({"as_of": AS_OF, "messages": [], "policy": {"message_cap": "x"}}, "policy.message_cap"),
        ({"as_of": AS_OF, "messages": [], "policy": {"intent_points": {"urgent": -1}}}, "policy.intent_points.urgent"),
    ],
)
def test_a_bad_line_names_its_field(line, field):
    with pytest.raises(InvalidLine) as refused:
        lines.score(line)

    assert refused.value.field == field


def test_a_missing_text_is_named():
    with pytest.raises(InvalidLine, match="text"):
        lines.extract({"message": "hello"})
