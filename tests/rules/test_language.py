"""The customer's language is followed, one odd message does not turn it, and wishes are obeyed."""

import json
from pathlib import Path

import pytest

from mychatflow.rules import language
from mychatflow.rules.language import LanguageReason
from tests.rules import talk

EUROPE = ("en", "es", "pt", "fr", "de", "it")
SAMPLES = Path(__file__).parent / "samples" / "languages.jsonl"


def decide(text, *, current=None, supported=EUROPE, default="en", **changes):
    return language.decide(text, supported=supported, default=default, current=current, **changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("שירות מעולה", "he"), ("خدمة ممتازة", "ar"), ("क्या आप मेरे घर डिलीवरी करते हैं", "hi"),
        ("可以送货上门吗", "zh"), ("注文がまだ届きません", "ja"), ("будет скидка", "ru"), ("ｶﾀｶﾅ", "ja"),
    ],
)  # fmt: skip
def test_a_script_decides_at_once(text, expected):
    found = language.detect(text, supported=talk.WORLD)

    assert (found.language, found.probability, found.is_decisive) == (expected, 1.0, True)


def test_persian_competes_where_it_is_supported():
    assert not language.detect("سلام خوبی", supported=("ar", "fa")).is_decisive


@pytest.mark.parametrize("text", [".", "@support", "", "👍👍", "12345", "https://example.com/precio", "a", "a@b.com"])
def test_too_few_letters_are_no_evidence(text):
    decision = decide(text, current="es")

    assert (decision.detected, decision.decided, decision.reason) == (None, "es", LanguageReason.NO_EVIDENCE)


def test_most_labelled_samples_are_recognised():
    rows = [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
    plain = [row for row in rows if row["kind"] != "romanised"]

    right = sum((language.detect(row["text"], supported=talk.WORLD).language or "und") == row["lang"] for row in plain)

    assert right / len(plain) >= 0.9


def test_unseen_short_messages_are_recognised():
    rows = talk.rows()

    assert len(rows) >= 320
    assert {row["lang"] for row in rows} == set(talk.WORLD)
    assert talk.detected(rows) / len(rows) >= 0.92


@pytest.mark.parametrize("text", ["hola", "HOLA", "ok gracias", "wo seid ihr genau"])
def test_a_message_heard_before_reads_the_same(text):
    language.forget()
    first = language.detect(text, supported=talk.WORLD)

    assert language.detect(text, supported=talk.WORLD) == first


def test_conversations_are_rarely_answered_in_a_wrong_language():
    told = talk.converse(talk.rows(), count=120, seed=1)

    assert told.wrong_turns / told.turns <= 0.03
    assert told.lag <= 1.5


def test_one_short_word_does_not_turn_the_language():
    assert decide("super", current="it").decided == "it"


def test_a_clear_message_turns_the_language():
    decision = decide("Buenos días, quisiera saber si tienen habitaciones libres", current="en")

    assert (decision.decided, decision.reason) == ("es", LanguageReason.SWITCHED)


def test_a_clear_message_stays_the_same():
    assert decide("where are you located exactly", current="en").reason is LanguageReason.SAME


def test_the_first_message_leans_to_the_default():
    assert decide("ok", default="de").decided == "de"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in English please", "en"), ("English please", "en"), ("can you speak English?", "en"),
        ("¿hablas español?", "es"), ("en español por favor", "es"), ("auf Deutsch bitte", "de"),
        ("en français svp", "fr"), ("in italiano per favore", "it"), ("pode falar em português?", "pt"),
    ],
)  # fmt: skip
def test_an_explicit_wish_locks_the_language(text, expected):
    decision = decide(text, current="it" if expected != "it" else "en")

    assert (decision.decided, decision.locked, decision.reason) == (expected, True, LanguageReason.REQUESTED)


@pytest.mark.parametrize("text", ["do you sell the english breakfast?", "I like french fries", "mi novia es italiana"])
def test_naming_a_language_is_no_wish(text):
    assert decide(text).reason is not LanguageReason.REQUESTED


@pytest.mark.parametrize(
    "text",
    [
        "No hablo inglés", "I don't speak English", "I dont speak english sorry", "Ich spreche kein Deutsch",
        "Ich spreche nicht gut Deutsch", "Je ne parle pas français", "Non parlo italiano", "Not in English please",
    ],
)  # fmt: skip
def test_a_language_that_is_not_spoken_is_no_wish(text):
    decision = decide(text)

    assert (decision.locked, decision.reason is LanguageReason.REQUESTED) == (False, False)


@pytest.mark.parametrize(
    "text",
    [
        "No, in English please", "no entiendo, en inglés por favor", "I dont understand, can you speak english",
        "Sorry I don't understand German, please answer in English",
    ],
)  # fmt: skip
def test_a_denial_of_something_else_leaves_the_wish(text):
    assert (decide(text, current="de").decided, decide(text, current="de").locked) == ("en", True)


def test_a_locked_language_holds():
    decision = decide("Buenos días, quisiera saber si tienen habitaciones", current="en", is_locked=True)

    assert (decision.decided, decision.locked, decision.detected) == ("en", True, "es")


def test_an_unsupported_script_is_answered_in_the_default():
    decision = decide("שירות מעולה", current="es", default="en")

    assert (decision.detected, decision.decided, decision.reason) == ("he", "en", LanguageReason.UNSUPPORTED)


def test_a_monolingual_tenant_still_detects():
    decision = decide("Buenos días, quisiera una habitación", is_multilingual=False)

    assert (decision.detected, decision.decided, decision.reason) == ("es", "en", LanguageReason.MONOLINGUAL)


def test_a_single_supported_language_needs_no_statistics():
    assert decide("Guten Morgen zusammen", supported=("en",)).decided == "en"
