"""What customers want is read alike in thirteen languages, and said to nobody who did not ask."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mychatflow.rules import intents, intents_in_words, keywords, lexicon
from tests.rules import scoring

LABELLED = scoring.rows("intents_labelled.jsonl")
# Known by their scores alone: see samples/README.md.
HELD_OUT = scoring.rows("intents_held_out.jsonl")
UNSEEN = scoring.rows("intents_unseen.jsonl")
STRANGERS = scoring.rows("intents_strangers.jsonl")
EVERYDAY = scoring.rows("intents_everyday.jsonl")
# What was reached on them, with a little room; the goal is 0.85 for each, and the benchmark shows the distance.
REACHED = {
    "price_inquiry": 0.88,
    "availability_check": 0.88,
    "scheduling_request": 0.80,
    "urgent": 0.95,
    "question": 0.95,
    "handoff": 0.88,
}


@pytest.mark.parametrize("row", scoring.rows("intents.jsonl"), ids=lambda row: row["text"][:24])
def test_every_sample_is_read_as_labelled(row):
    assert scoring.found(row["text"]) == scoring.labels(row)


@pytest.mark.parametrize("kind", lexicon.KINDS)
def test_known_messages_are_read_well(kind):
    assert scoring.agreement(LABELLED)[kind].f1 >= 0.95


@pytest.mark.parametrize("kind", lexicon.KINDS)
def test_unseen_messages_are_read_no_worse_than_before(kind):
    f1 = scoring.agreement(HELD_OUT)[kind].f1

    assert f1 >= REACHED[kind]


@pytest.mark.parametrize("kind", lexicon.KINDS)
@pytest.mark.parametrize("rows", [UNSEEN, STRANGERS, EVERYDAY], ids=["unseen", "strangers", "everyday"])
def test_unseen_messages_are_read_well(kind, rows):
    f1 = scoring.agreement(rows)[kind].f1

    assert f1 >= 0.85


@pytest.mark.parametrize("kind", ["urgent", "handoff"])
@pytest.mark.parametrize(
    "rows",
    [LABELLED, HELD_OUT, UNSEEN, STRANGERS, EVERYDAY],
    ids=["known", "held_out", "unseen", "strangers", "everyday"],
)
def test_alarms_are_precise(kind, rows):
    precision = scoring.agreement(rows)[kind].precision

    assert precision >= 0.9


@pytest.mark.parametrize(
    "rows",
    [LABELLED, HELD_OUT + UNSEEN, STRANGERS, HELD_OUT + UNSEEN + STRANGERS + EVERYDAY],
    ids=["known", "unseen", "strangers", "all"],
)
def test_hard_negatives_raise_few_alarms(rows):
    # Only the figure is asserted on, so that no failure prints a row that nobody may look at.
    rate = scoring.false_alarm_rate(rows)

    assert rate <= 0.05


def test_the_labelled_sets_cover_all_languages():
    for rows in (LABELLED, HELD_OUT, UNSEEN, STRANGERS, EVERYDAY):
        assert {row["lang"] for row in rows} == set(lexicon.LANGUAGES)
    assert len(LABELLED) >= 1_000
    assert not {row["text"] for row in LABELLED} & {row["text"] for row in HELD_OUT + UNSEEN + STRANGERS + EVERYDAY}
    assert sum(row["hard_negative"] for row in STRANGERS) >= 100


def test_a_hit_names_its_rule_and_place():
    text = "😀 Hola! cuánto cuesta el corte?"

    (price,) = [hit for hit in intents.extract(text).hits if hit.kind == "price_inquiry" and hit.language == "es"]

    assert text[price.start : price.end] == "cuánto cuesta"
    assert price.rule_id.startswith("es.price_inquiry:")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "I already booked, can I speak to a human?",
            ["The message is a question and asks for a person.", '+ "speak to a human": the message asks for a person'],
        ),
        ("the price is fine", ["The message asks for nothing that we know.", '"price is fine" in the same part']),
        ("precio", ["The message asks for a price."]),
        ("no es urgente", ["asks for nothing", '"no es urgente" in the same part of the sentence says otherwise']),
        ("el precio lo vi en la pagina", ["asks for nothing", "the word alone is no wish"]),
        ("we loved it, our agent", ["asks for nothing", 'behind "our" it means something else']),
    ],
)
def test_a_beginner_reads_which_words_decided(text, lines):
    told = "\n".join(intents_in_words.told(text))

    assert [line for line in lines if line not in told] == []


@pytest.mark.parametrize("row", LABELLED[::50], ids=lambda row: row["text"][:24])
def test_the_explanation_is_what_was_read(row):
    counted = {each.hit.kind for each in intents.explain(row["text"]) if each.guard is None}

    assert counted == scoring.found(row["text"])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Stóp", "stop"), ("ＳＴＯＰ", "stop"), ("st\u200bop", "stop"), ("İSTANBUL", "istanbul"), ("ISI ı", "isi i"),
        ("Straße", "strasse"), ("ещё Й", "еще и"), ("أسعار", "اسعار"), ("مـــوعد", "موعد"), ("٥ बजे ५", "5 बजे 5"),
        ("pleaaaase!!!!", "pleaase!!"), ("1000000", "1000000"), ("ﾊﾞﾅﾅ", "バナナ"), ("की कीमत", "की कीमत"),
        ("τι;", "τι?"), ("ok; fine é", "ok; fine e"), ("؟", "?"), ("a   b", "a b"), ("l’été", "l'ete"), ("❤️", "❤"),
    ],
)  # fmt: skip
def test_writing_is_brought_to_one_form(text, plain):
    assert intents.normalise(text) == plain


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("人工费多少钱", {"price_inquiry", "question"}),
        ("see https://example.com/?price=urgent", set()),
        ("write to urgent@price.com", set()),
        ("not urgent, but how much is it?", {"price_inquiry", "question"}),
        ("I already booked. Can I speak to a human?", {"question", "handoff"}),
        ("PRECIOOOOO", {"price_inquiry"}),
        ("", set()),
        ("👍", set()),
        ("?", {"question"}),
        ("acildi mi", {"question"}),
    ],
)
def test_traps_are_stepped_over(text, kinds):
    assert scoring.found(text) == kinds


@pytest.mark.parametrize(
    ("text", "wanted", "matched"),
    [
        ("quiero hablar con un HUMANO", ["human"], None),
        ("I need a human", ["human"], "human"),
        ("shop", ["stop"], None),
        ("apointment please", ["appointment"], "appointment"),
        ("talk to sales team now", ["sales team"], "sales team"),
        ("sales and team", ["sales team"], None),
        ("我要转人工", ["人工"], "人工"),
        ("我要转人工", ["人"], None),
        ("anything", ["", "  ", "\u200b"], None),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", ["(a+)+$"], None),
        ("Stóp", ["stop"], "stop"),
        ("मुझे मैनेजर चाहिए", ["मैनेजर"], "मैनेजर"),
        ("I am looking for shoes", ["booking"], None),
        ("do you have bookng", ["booking"], "booking"),
    ],
)
def test_tenant_keywords_are_literals(text, wanted, matched):
    assert keywords.match(text, wanted) == matched


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_with_spans_inside_it(text):
    for hit in intents.extract(text).hits:
        assert 0 <= hit.start < hit.end <= len(text)


@settings(deadline=None)
@given(st.text(alphabet="pleas rgntu?!é\u200bß", max_size=60))
def test_reading_twice_reads_the_same(text):
    assert intents.extract(text) == intents.extract(text)


def test_a_huge_message_is_read_to_a_limit():
    assert intents.extract("x " * 40_000 + "urgent").intents == ()


@pytest.mark.parametrize(
    "text", ["a@" * 2_000, "@" * 4_000, "a." * 2_000, "(a" * 2_000, "1" * 6_000, "how much " * 450]
)
def test_no_message_makes_reading_slow(text):
    began = time.perf_counter()

    intents.extract(text)

    assert time.perf_counter() - began < 1
