"""Documents become passages short enough to quote, and no word of them is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mychatflow.rules import passages
from mychatflow.rules.passages import Cut, Section

MANUAL = """\
Before all headings.

# Prices
A cut is 20 €.

## Children
Half of it.

```
# not a heading
```

# Hours ##
From nine.
"""


def test_headings_name_what_stands_under_them():
    cuts = passages.cut(passages.sections_of_markdown(MANUAL))

    assert [cut.heading for cut in cuts] == ["", "Prices", "Prices › Children", "Hours"]
    assert cuts[2].body == "Half of it.\n\n```\n# not a heading\n```"


def test_short_paragraphs_travel_together():
    assert passages.cut([Section("H", "One.\n\nTwo.\n\n\nThree.")]) == [Cut("H", "One.\n\nTwo.\n\nThree.")]


def test_long_paragraphs_break_between_sentences():
    cuts = passages.cut([Section("H", "One is here. Two is there! Three？Four")], longest=14)

    assert [cut.body for cut in cuts] == ["One is here.", "Two is there!", "Three？ Four"]


@pytest.mark.parametrize("word", ["x" * 2_000, "日" * 2_000])
def test_endless_words_break_anyhow(word):
    cuts = passages.cut([Section("", word)])

    assert "".join(cut.body for cut in cuts) == word


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=400)), max_size=6), st.integers(1, 120))
def test_no_word_is_lost_and_no_passage_too_long(given_sections, longest):
    sections = [Section(heading, text) for heading, text in given_sections]

    cuts = passages.cut(sections, longest=longest)

    assert all(0 < len(cut.body) <= longest for cut in cuts)
    kept = "".join("".join(cut.body for cut in cuts).split())
    assert kept == "".join("".join(passages._clean(section.text) for section in sections).split())


@given(st.text(alphabet="#` ~ab\n", max_size=200))
def test_any_markdown_is_cut(text):
    cuts = passages.cut(passages.sections_of_markdown(text))

    assert all(cut.body.strip() for cut in cuts)
