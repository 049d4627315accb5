"""The watch over all logs of the tests finds what it looks for, and lets through what a log may hold."""

import pytest

from tests import private_words


@pytest.mark.parametrize(
    ("logged", "what"),
    [
        ("key=mcf_0123456789abcdefghijkl", "an API key"),
        ("hook test-hmac-key", "a key of the tests"),
        ("authorization: Bearer abcdefghijklmno", "a credential"),
        ("token eyJhbGciOiJI.eyJzdWIiOiI.c2ln", "a token"),
        ("chat_id=34600000001@c.us", "a chat"),
        ("called +34600000001", "a phone number"),
        ("mail to ann@bella.example", "an e-mail address"),
    ],
)
def test_a_private_word_is_found_in_a_log(logged, what):
    assert private_words.found_in(f"web is up\n{logged}\nweb is down") == {what: logged}


def test_what_a_log_may_hold_is_let_through():
    line = "2026-11-26T02:30:00+00:00 reply sent tenant_id=0b5f3c1e-8d5f-4a5e-9a76-9d1c2b7f8e10 fence=2147483647"

    assert private_words.found_in(line) == {}
