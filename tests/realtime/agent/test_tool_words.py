"""What a model may ask of a calendar, in words of its own."""

import pytest

from realtime.agent import tool_words


@pytest.mark.parametrize("since", ["9999-12-31", "0001-01-01", "tomorrow"])
def test_a_day_that_no_calendar_has_is_told_back(since):
    """As a ValueError, which the model reads; another kind would cost the customer the reply."""
    with pytest.raises(ValueError, match=f"'{since}' is no"):
        tool_words.window(since, "")
