"""`mychatflow rules` runs the product's own rules over lines and messages, and says what is wrong with a line."""

import json

import pytest

from tests.local.test_cli import run


def test_rules_score_reads_facts_line_by_line(tmp_path):
    facts = {
        "id": "one",
        "as_of": "2026-03-10T10:05:00Z",
        "messages": [{"ts": "2026-03-10T10:00:00Z", "dir": "in", "question": True, "intents": ["urgent"]}],
    }

    done = run(tmp_path, "rules", "score", given=json.dumps(facts) + "\n\n" + json.dumps(facts | {"id": "two"}) + "\n")

    one, two = map(json.loads, done.stdout.splitlines())
    assert (one["id"], two["id"]) == ("one", "two")
    assert (one["message_points"], one["question_points"], one["intent_points"], one["score"], one["grade"]) == (
        2, 5, 10, 17, "F",
    )  # fmt: skip


def test_rules_intents_name_rule_and_place(tmp_path):
    done = run(tmp_path, "rules", "intents", given='{"text": "How much is it? I want to talk to a person"}\n')

    answer = json.loads(done.stdout)
    assert "price_inquiry" in answer["intents"]
    assert answer["handoff"] is True
    assert all({"rule_id", "start", "end"} <= hit.keys() for hit in answer["hits"])


def test_rules_intents_explain_one_message_in_plain_words(tmp_path):
    done = run(tmp_path, "rules", "intents", "not urgent, but how much is it?")

    assert done.stdout.splitlines()[0] == "The message asks for a price and is a question."
    assert '"not urgent" in the same part of the sentence says otherwise' in done.stdout


def test_rules_language_chooses_among_the_given(tmp_path):
    done = run(tmp_path, "rules", "language", "--languages", "en,es", given='{"text": "¿Cuánto cuesta la limpieza?"}\n')

    answer = json.loads(done.stdout)
    assert answer["lang"] == "es"
    assert answer["probability"] > 0.9


@pytest.mark.parametrize(
    "line", ["not json", "[]", '{"as_of": "2026-03-10T10:05:00", "messages": []}', "{}", "[" * 99_999]
)
def test_bad_lines_are_usage(tmp_path, line):
    done = run(tmp_path, "rules", "score", given=line + "\n")

    assert done.returncode == 2
    assert "line 1" in done.stderr
