"""STOP works in every language as a whole message, and only then."""

import pytest

from mychatflow.rules import opt_out


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop.", "Stop. Thank you", "stop please", "please stop, thanks", "ＳＴＯＰ", "st\u200bop", "Stóp",
        "🛑 stop 🛑", "UNSUBSCRIBE", "stopall", "opt out", "baja", "Cancelar suscripción", "SAIR", "parar", "arrêt",
        "Stopp", "abmelden bitte", "rimuovimi", "إيقاف", "रोकें", "berhenti", "dur", "стоп", "退订", "停止", "STOP!!!",
        "Stop messaging me", "stop texting me!", "STOP STOP", "Quit.", "Arrête", "停止してください",
    ],
)  # fmt: skip
def test_a_whole_message_stops_us(text):
    assert opt_out.read(text) == "stop"


@pytest.mark.parametrize("text", ["START", "alta", "Voltar", "start please", "подписаться", "开始", "再開"])
def test_a_whole_message_starts_us_again(text):
    assert opt_out.read(text) == "start"


@pytest.mark.parametrize(
    "text",
    [
        "got to STOP this bill", "cancel", "cancelar", "shop", "where is the bus stop?", "don't stop", "", "   ",
        "please", "stop by tomorrow", "रुको", "non stop", "stop " * 40, "How do I start?", "🛑", "I will stop by",
        "stop messaging me at night, mornings are fine", "I quit smoking", "stop texting my husband",
    ],
)  # fmt: skip
def test_a_sentence_with_the_word_is_no_command(text):
    assert opt_out.read(text) is None
