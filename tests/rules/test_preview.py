"""What the rules say about a message that nobody sent, step by step."""

from datetime import UTC, datetime

import pytest

from mychatflow.rules import preview
from mychatflow.store.tenant_settings import SettingsChange

WEDNESDAY = datetime(2026, 11, 25, 12, tzinfo=UTC)


def told(text: str, **changes: object) -> dict[str, preview.Line]:
    settings = SettingsChange(**changes).model_dump()  # type: ignore[arg-type]  # a test's own settings
    return {line.step: line for line in preview.lines(settings, text, at=WEDNESDAY)}


def test_a_question_about_a_price_is_answered():
    lines = told("How much is a haircut?", supported_languages=("en", "es"))

    assert not any(line.stops for line in lines.values())
    assert lines["Intents"].decision == "price inquiry, question"
    assert "How much" in lines["Intents"].because


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("Precio? precio! PRECIO", "“PRECIO”, “?”"),
        ("how much is it", "“how much is”"),
        ("I like it", "no pattern matched"),
    ],
)
def test_words_that_say_the_same_are_named_once(text, because):
    assert told(text)["Intents"].because == because


def test_a_person_is_asked_for_in_the_customers_words():
    assert told("Hola, quiero hablar con una persona")["Hand-off"].because == "“quiero hablar con una persona”"
    assert told("the Boss please", handoff_keywords=("boss",))["Hand-off"].because == "“boss”"
    assert told("a human please", handoff_enabled=False)["Hand-off"].because == "handing over is switched off"


@pytest.mark.parametrize(
    ("text", "changes", "step", "decision"),
    [
        ("stop", {}, "Opt-out", "no automated message any more"),
        ("I want to talk to a human please", {}, "Hand-off", "a person takes over"),
        ("the boss", {"handoff_keywords": ("boss",)}, "Hand-off", "a person takes over"),
        ("hello", {"auto_reply_enabled": False}, "Activation", "no reply"),
        (
            "hello",
            {"agent_activation_mode": "keyword_triggered", "activation_keywords": ("menu",)},
            "Activation",
            "no reply",
        ),
        (
            "hello",
            {"agent_activation_mode": "business_hours", "business_hours": {"wed": [["13:00", "18:00"]]}},
            "Activation",
            "the away message",
        ),
    ],
)
def test_what_stops_the_agent_is_named(text, changes, step, decision):
    lines = told(text, **changes)

    assert lines[step].stops
    assert lines[step].decision == decision


def test_the_language_is_the_customers_among_those_spoken():
    assert told("Hola, ¿cuánto cuesta un corte de pelo?", supported_languages=("en", "es"))["Language"].decision == "es"
    assert told("Hola, ¿cuánto cuesta un corte de pelo?", supported_languages=("en",))["Language"].decision == "en"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ()),
        ({"agent_activation_mode": "keyword_triggered"}, ("No keyword is set: the agent never answers.",)),
        ({"agent_activation_mode": "keyword_triggered", "activation_keywords": ("menu",)}, ()),
        ({"agent_activation_mode": "business_hours"}, ("No business hours are set: the agent answers at any hour.",)),
    ],
)
def test_a_setting_without_its_effect_is_warned_about(changes, told):
    assert preview.warnings(SettingsChange(**changes).model_dump()) == told
