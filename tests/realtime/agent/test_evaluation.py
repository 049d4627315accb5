"""The measure of real models is itself measured: on scripted ones, recorded, replayed and counted."""

import pytest

from benchmarks import answers
from benchmarks.recorded import NotRecorded
from realtime.llm.contract import Target
from realtime.llm.router import Router
from tests.fakes.llm import FakeModels, answer_json
from tests.realtime.llm.conftest import model_settings, models, router, served_models

__all__ = ["model_settings", "models", "router", "served_models"]
OPENAI = Target(provider="openai", model="gpt-5.4-mini")
# Enough to hear of haircuts and of beards.
_MOST = 18


def test_there_are_enough_cases_to_claim_anything():
    _, cases = answers.read()

    assert len({(case.language, case.ask) for case in cases}) == len(cases) >= 300
    assert {case.language for case in cases} == set(answers.LANGUAGES)
    assert {case.action for case in cases} == {"answer", "escalate", "any"}
    assert all(case.gold for case in cases if case.action == "answer")


def test_three_takes_of_a_question_are_one_case():
    judged = [answers.Judged(is_right=True, is_escalated=False, why="answer")] * 300

    once, thrice = answers.row(OPENAI, judged, takes=1), answers.row(OPENAI, judged, takes=3)

    assert (once["cases"], thrice["cases"]) == (300, 100)
    assert float(once["at least %"]) == pytest.approx(98.7, abs=0.1)
    assert float(thrice["at least %"]) == pytest.approx(96.3, abs=0.1)


def knows_the_haircut(models: FakeModels) -> None:
    models.say(
        "openai",
        lambda call: (
            answer_json("A haircut costs 25 euros.")
            if "haircut?" in call.question
            else answer_json("Which one do you mean?", action="clarify")
        ),
    )


async def test_what_was_recorded_is_judged_without_asking(router: Router, models: FakeModels, tmp_path):
    knows_the_haircut(models)
    file = tmp_path / "recorded.jsonl"
    live = router.providers["openai"]

    first = await answers.measure(router, OPENAI, file, is_live=True, takes=1, most=_MOST)
    asked = len(models.calls())
    second = await answers.measure(router, OPENAI, file, is_live=False, takes=1, most=_MOST)
    router.providers["openai"] = live

    assert second == first
    assert len(models.calls()) == asked
    assert first[0].is_right
    assert not first[5].is_right


async def test_a_question_never_recorded_ends_the_run(router: Router, models: FakeModels, tmp_path):
    live = router.providers["openai"]

    with pytest.raises(NotRecorded, match="never asked this"):
        await answers.measure(router, OPENAI, tmp_path / "nothing.jsonl", is_live=False, most=_MOST)
    router.providers["openai"] = live

    assert models.calls() == []


async def test_an_invented_price_counts_as_wrong(router: Router, models: FakeModels, tmp_path):
    models.say("openai", answer_json("That is 99 euros."))

    judged = await answers.measure(router, OPENAI, tmp_path / "r.jsonl", is_live=True, takes=1, most=_MOST)
    shown = answers.row(OPENAI, judged, takes=1)

    assert not judged[0].is_right
    assert shown["refused for a number %"] == pytest.approx(100.0)
