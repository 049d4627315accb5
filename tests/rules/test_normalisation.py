"""Whatever is typed is brought to one form that stays, and every place in it leads back to what was typed."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mychatflow.rules import normalisation

# Marks, ligatures, joiners, jamo, full width, directions, digits of many scripts and letters drawn out.
EXOTIC = (
    "aeiIİıßſﬁﬃÅÅé́̈ͅ\u200b\u200d\u200e\u202e\u2060\ufe0f\u00ad"
    "👩👍🏽한한가Ａｂ１ｶﾞﾞﾊﾟكةىـّلا٣५ककि्कांกำ한ǆΐςΣ;؟  \t\n\r`’…½№㎏㍿Ⅷ"
)
TEXTS = st.text(max_size=40) | st.text(alphabet=EXOTIC, max_size=40)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
@example("\u0345a")
@example("한")
@example("ﾊ\u200dﾞ")
@example("a\u200b\u0301")
@example("୰\u0345\u0900")
def test_a_normalised_text_is_left_as_it_is(text):
    once = normalisation.normalise(text).text

    assert normalisation.normalise(once).text == once


@settings(deadline=None, derandomize=True)
@given(TEXTS, st.data())
@example("ﬁ", None)
def test_every_span_leads_back_into_the_original(text, data):
    plain = normalisation.normalise(text)
    for start in range(len(plain.text)):
        end = start + 1 if data is None else data.draw(st.integers(start + 1, len(plain.text)))

        first, last = plain.original_span(start, end)

        assert 0 <= first < last <= len(text)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
@example("\x800\x08")
def test_what_stands_behind_a_span_reads_the_same(text):
    plain = normalisation.normalise(text)

    first, last = plain.original_span(0, len(plain.text)) if plain.text else (0, 0)

    assert normalisation.normalise(text[first:last]).text == plain.text


@settings(deadline=None, derandomize=True)
@given(TEXTS | st.text(alphabet="कखि्ँ़०é;Σ a", max_size=12))
@example("aि")
@example("ड़")
def test_the_short_way_reads_as_the_long_one(text):
    short, (long, _) = normalisation._fold_in_place(text), normalisation._fold_each(text)

    assert short in {None, long}


@pytest.mark.parametrize("text", ["ﬁ", "㎏", "½", "…"])
def test_one_character_that_becomes_many_is_one_span(text):
    plain = normalisation.normalise(text)

    assert {plain.original_span(place, place + 1) for place in range(len(plain.text))} == {(0, 1)}
