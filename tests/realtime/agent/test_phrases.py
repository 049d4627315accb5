"""Notices are understood: in the customer's language, and in the business's own words wherever it wrote some."""

import pytest

from realtime.agent import phrases

_OURS_IN_SPANISH = "Gracias. Le paso con un compañero, que le responderá aquí."
_OURS_IN_ENGLISH = "Thank you. I am passing you to a colleague, who will answer you here."
_SPANISH = "Te paso con una compañera, te responde enseguida."
_ENGLISH = "One moment, Maria from our reception will answer you."
_NUMBER = "\U0001f44d 24/7: +34 600 123 123"


@pytest.mark.parametrize(
    ("own", "language", "default", "read"),
    [
        pytest.param(None, "es", "en", [_OURS_IN_SPANISH], id="no own words"),
        pytest.param("  ", "es", "en", [_OURS_IN_SPANISH], id="blank words"),
        pytest.param(None, "sw", "en", [_OURS_IN_ENGLISH], id="no own words, and a language that we do not write"),
        pytest.param(_SPANISH, "es", "es", [_SPANISH], id="the business's language"),
        pytest.param(_SPANISH, "en", "es", [_OURS_IN_ENGLISH, _SPANISH], id="another language"),
        pytest.param(_ENGLISH, "en", "es", [_ENGLISH], id="the customer's language all the same"),
        pytest.param(_ENGLISH, "es", "es", [_ENGLISH], id="the business's language, whatever it wrote in it"),
        pytest.param(_NUMBER, "en", "es", [_NUMBER], id="nothing to tell a language by"),
        pytest.param(_SPANISH, "sw", "es", [_SPANISH], id="own words, and a language that we do not write"),
    ],
)
def test_a_notice_is_in_the_customers_language(own: str | None, language: str, default: str, read: list[str]) -> None:
    assert phrases.say("handoff", language=language, own=own, default=default).split("\n\n") == read
