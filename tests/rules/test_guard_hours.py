"""An hour, a date or a phone number is known however a language tells it, and an invented one is found."""

import pytest

from mychatflow.rules import guard
from mychatflow.rules.guard import Evidence, GuardReason

HOURS = "mon-fri 09:00-18:00; 2026-12-24 closed; call +49 30 1234567"


@pytest.mark.parametrize(
    "reply",
    [
        "Abrimos hasta las 6 de la tarde.", "Até as 6 da tarde.", "Jusqu'à 6 heures du soir.", "De 9 h 00 à 18 h.",
        "Ab 9.00 Uhr bis 6 Uhr abends.", "Fino alle 6 di sera.", "من 9 صباحاً إلى 6 مساءً.", "सुबह 9 से शाम 6 बजे तक।",
        "Buka sampai jam 6 sore.", "Sabah 9'dan akşam 6'ya kadar.", "До 6 вечера.", "上午9点到下午6点。",
        "午前9時から午後6時まで。", "Am 24.12. ist zu.", "Rufen Sie 030 1234567 an.",
    ],
)  # fmt: skip
def test_what_is_known_may_be_said_as_a_language_says_it(reply):
    verdict = guard.check(reply, evidence=Evidence(texts=(HOURS,)), language="xx", supported=())

    assert (verdict.reason, verdict.detail) == (GuardReason.PASSED, None)


@pytest.mark.parametrize(
    "reply",
    [
        "Abrimos hasta las 7 de la tarde.", "Abrimos a las 6 de la mañana.", "下午7点关门。", "下午6点半关门。",
        "Ab 9.30 Uhr.", "De 9 h 30 à 18 h.", "До 6 утра.", "We open at 9pm.", "Am 25.12. ist zu.",
    ],
)  # fmt: skip
def test_an_invented_hour_is_one_in_any_language(reply):
    verdict = guard.check(reply, evidence=Evidence(texts=(HOURS,)), language="xx", supported=())

    assert verdict.reason in {GuardReason.UNKNOWN_TIME, GuardReason.UNKNOWN_NUMBER}


@pytest.mark.parametrize(
    ("known", "reply"),
    [
        ("hasta las 6 de la tarde", "Hasta las 18:00."), ("下午6点半关门", "Until 6:30 pm."), ("9.30 Uhr", "At 9:30."),
        ("9 h 30", "9h30."), ("2 nights", "2 malam."), ("0123456", "0123456."), ("doors at 5:30", "At 5:30 pm."),
    ],
)  # fmt: skip
def test_an_hour_is_known_however_it_was_told(known, reply):
    verdict = guard.check(reply, evidence=Evidence(texts=(known,)), language="xx", supported=())

    assert (verdict.reason, verdict.detail) == (GuardReason.PASSED, None)
