"""Brazil's ninth digit makes no second person, and other countries' numbers stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mychatflow.rules.phone_twins import twin


@pytest.mark.parametrize(
    ("wa_id", "other"),
    [
        ("5511987654321@c.us", "551187654321@c.us"),
        ("551187654321@c.us", "5511987654321@c.us"),
        # A landline has eight digits and no twin.
        ("551133334444@c.us", None),
        ("5510987654321@c.us", None),
        ("34611000001@c.us", None),
        ("5511987654321@lid", None),
    ],
)
def test_a_brazilian_mobile_has_one_twin(wa_id, other):
    assert twin(wa_id) == other


@given(st.from_regex(r"55[1-9]{2}9?[6-9][0-9]{7}@c\.us", fullmatch=True))
def test_the_twins_twin_is_the_number_itself(wa_id):
    other = twin(wa_id)

    assert other is not None
    assert other != wa_id
    assert twin(other) == wa_id
