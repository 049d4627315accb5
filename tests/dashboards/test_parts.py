"""What customers write can never become part of the page; and what the small HTML charts say is right."""

import io
import re
import zipfile
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import chat, exports, parts, people, shell, wording
from dashboards.parts import Column
from mychatflow.rules import spreadsheet
from mychatflow.rules.lift import lift
from mychatflow.store.chats import Message
from mychatflow.store.contacts import Contact

HOSTILE = st.text(alphabet=st.sampled_from("<>\"'&=/ abconerrorsrc*[]()`!:javascript\n"), min_size=1, max_size=40)
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
_TAG = re.compile(
    r"<(?!/?(div|span|h1|h2|p|i|b|em|s|small|table|thead|tbody|tr|th|td|dl|dt|dd|footer|details|summary)\b)"
)


def a_message(**changes: object) -> Message:
    facts: dict[str, object] = {
        "interaction_id": uuid4(),
        "occurred_at": AT,
        "direction": "incoming",
        "type": "text",
        "author": "customer",
        "text": "Hello",
        "status": "received",
        "language": "en",
        "provider": None,
        "model": None,
        "latency_ms": None,
        "is_edited": False,
        "is_revoked": False,
    }
    return Message(**(facts | changes))  # type: ignore[arg-type]  # a test's own words


@given(text=HOSTILE)
def test_nothing_written_becomes_markup(text: str) -> None:
    pieces = (
        parts.page_title(text, text),
        parts.card_title(text, text, text),
        parts.chip(text),
        parts.status(text, "good"),
        parts.state("empty", text, text),
        parts.sidebar_note(text, text),
        parts.swatch(text, text),
        parts.facts({text: text}),
        *parts.funnel([(text, 1)]),
        parts.table([Column(title=text)], [], label=text),
        chat.bubbles([a_message(text=text, reactions=(text,), trace={text: {text: text}})], timezone="UTC"),
    )
    for piece in pieces:
        assert not _TAG.search(piece), piece
        assert "onerror=" not in re.sub(r'"[^"]*"|>[^<]*<', "", piece)


@given(text=HOSTILE)
def test_a_name_in_the_inbox_is_no_markdown(text: str) -> None:
    plain = shell.plain(text)

    assert not re.search(r"(?<!\\)[\[\]<>`*!]", plain)


def test_a_deleted_message_shows_no_text() -> None:
    shown = chat.bubbles([a_message(text=None, is_revoked=True)], timezone="UTC")

    assert "Message deleted by its sender" in shown


def test_an_answer_tells_how_it_came_about() -> None:
    answer = a_message(
        direction="outgoing", author="agent", provider="openai", latency_ms=910, trace={"steps": {"gates": {"ms": 1}}}
    )

    shown = chat.bubbles([answer], timezone="UTC")

    assert "Assistant · OpenAI · 0.91 s" in shown
    assert "Gates" in shown


def test_a_message_without_answer_says_which_gate_decided() -> None:
    silent = a_message(trace=[{"step": "gates", "decision": "skip", "why": "loop_suspected", "gate": 10, "ms": 1}])

    assert "<summary>Not answered: loop suspected</summary>" in chat.bubbles([silent], timezone="UTC")


def test_messages_carry_the_tenants_clock() -> None:
    assert "17:30" in chat.bubbles([a_message()], timezone="Asia/Kolkata")


def test_each_day_is_announced_once() -> None:
    messages = [a_message(), a_message(), a_message(occurred_at=AT + timedelta(days=1))]

    assert chat.bubbles(messages, timezone="UTC").count("mcf-day") == 2


def test_the_funnel_says_what_each_step_kept() -> None:
    shown = "".join(parts.funnel([("Wrote", 200), ("Replied", 100), ("Booked", 0), ("Paid", 0)]))

    assert "100%" in shown
    assert "50% kept" in shown
    assert "–" in shown


@pytest.mark.parametrize("letters", [1, 80, 10_000])
def test_a_name_without_end_is_shown_short(letters: int) -> None:
    person = Contact(
        **dict.fromkeys(field.name for field in fields(Contact)) | {"name": "W" * letters}  # type: ignore[arg-type]
    )

    shown = people.name(person)

    assert shown == "W" * letters if letters <= 80 else shown == f"{'W' * 79}…"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "＝1", "\u00a0=1", "\n=1", "|a", "%a", "\ufeff=1", "\u200b=1"],
)
def test_no_exported_text_is_a_formula(text: str) -> None:
    assert spreadsheet.defused(text).startswith("'")


@pytest.mark.parametrize("text", ["Ana", "a=b", "", "3 - 4", "¿Cuánto?"])
def test_plain_text_is_exported_unchanged(text: str) -> None:
    assert spreadsheet.defused(text) == text


ROWS = [{"name": "=cmd", "score": -3, "at": AT, "hidden": 1, "none": None}]
COLUMNS = ("name", "score", "at", "none")


def test_a_csv_holds_the_rows_on_screen() -> None:
    written = exports.made("csv", ROWS, columns=COLUMNS, timezone="Asia/Kolkata").decode("utf-8-sig")

    assert written.splitlines() == ["name,score,at,none", "'=cmd,-3,2026-11-24T17:30:00+05:30,"]


def test_a_sheet_holds_numbers_times_and_no_formula() -> None:
    book = zipfile.ZipFile(io.BytesIO(exports.made("xlsx", ROWS, columns=COLUMNS, timezone="Asia/Kolkata")))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()

    assert "<f>" not in sheet
    assert "'=cmd" in sheet
    assert "<v>-3</v>" in sheet
    # 24 November 2026, 17:30, in the days that spreadsheets count.
    assert "<v>46350.72916" in sheet


def test_a_parquet_file_keeps_words_and_instants() -> None:
    table = pyarrow.parquet.read_table(
        io.BytesIO(exports.made("parquet", ROWS, columns=COLUMNS, timezone="Asia/Kolkata"))
    )

    assert table.to_pylist() == [{"name": "=cmd", "score": -3, "at": AT, "none": None}]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (2598, "2,598"),
        (9999, "9,999"),
        (9999.6, "10.0k"),
        (40_700, "40.7k"),
        (999_949, "999.9k"),
        (999_990, "1.0M"),
        (-999_990, "-1.0M"),
        (16_400_000, "16.4M"),
        (None, "no data"),
    ],
)
def test_counts_read_short(value: float | None, told: str) -> None:
    assert wording.count(value) == told


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [
        (0, 0, "0%"),
        (0.004, 0, "under 1%"),
        (0.006, 0, "1%"),
        (0.996, 0, "over 99%"),
        (1, 0, "100%"),
        (0.004, 1, "0.4%"),
        (0.0001, 1, "under 0.1%"),
        (0.9999, 1, "over 99.9%"),
        (None, 0, "no data"),
    ],
)
def test_a_few_are_not_none_and_nearly_all_not_all(value: float | None, digits: int, told: str) -> None:
    assert wording.share(value, digits=digits) == told


@pytest.mark.parametrize(
    ("treated", "held_out", "told"),
    [
        # Each rounded alone would read 23%, 12% and +10 points.
        ((226, 1000), (121, 1000), "+11 points (+7 to +14)"),
        ((0, 40), (20, 40), "-50 points (-65 to -32)"),
        ((7, 10), (7, 10), "+0 points (-36 to +36)"),
    ],
)
def test_a_difference_of_shares_agrees_with_the_shares_beside_it(
    treated: tuple[int, int], held_out: tuple[int, int], told: str
) -> None:
    found = lift(treated=treated[1], treated_replied=treated[0], held_out=held_out[1], held_out_replied=held_out[0])

    assert found is not None
    assert wording.points(found) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(1090, "1.09 s"), (48_000, "48 s"), (192_000, "3 min"), (None, "no data"), (-3, "0.00 s"), (-300, "-0.30 s")],
)
def test_durations_name_their_unit(value: float | None, told: str) -> None:
    assert wording.seconds(value) == told


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [(109.0, 100.0, 0.09), (100.9, 100.0, 0.0), (1.0, 0.0, None), (None, 5.0, None), (5.0, None, None)],
)
def test_noise_is_no_change(now: float | None, before: float | None, change: float | None) -> None:
    assert wording.change(now, before) == pytest.approx(change)


@pytest.mark.parametrize(
    ("elapsed", "told"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=4), "4 min ago"),
        (timedelta(hours=2, minutes=50), "2 h ago"),
        (timedelta(days=14), "14 d ago"),
    ],
)
def test_freshness_reads_as_a_person_says_it(elapsed: timedelta, told: str) -> None:
    assert wording.ago(AT - elapsed, at=AT) == told


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+34638111348", "+34 638 ••• 348"),
        ("14155550123", "+1 415 ••• 123"),
        ("+351912345678", "+351 912 ••• 678"),
        ("12345", "•••"),
        (None, "no number"),
        ("", "no number"),
    ],
)
def test_a_number_is_never_shown_whole(number: str | None, shown: str) -> None:
    assert wording.phone(number) == shown


def test_an_unknown_zone_reads_as_utc() -> None:
    assert wording.clock(AT, "Mars/Olympus") == "24 Nov 12:00"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (datetime(2026, 3, 10, 8, 5, tzinfo=UTC), "09:05"),
        (datetime(2026, 3, 9, 23, 30, tzinfo=UTC), "00:30"),
        (datetime(2026, 3, 9, 22, 30, tzinfo=UTC), "yesterday"),
        (datetime(2026, 3, 8, 12, 0, tzinfo=UTC), "8 Mar"),
    ],
)
def test_a_chats_last_message_is_dated_in_the_tenants_zone(written, words):
    assert wording.lately(written, "Europe/Madrid", at=datetime(2026, 3, 10, 12, 0, tzinfo=UTC)) == words


def test_facts_are_told_in_words() -> None:
    facts = {"won": True, "is_late": False, "error": None, "steps": {"send": 0.3}, "model_ms": 0, "intents": ["a", "b"]}

    assert chat.told(facts) == "won, steps (send 0.3), model ms 0, intents a, b"
