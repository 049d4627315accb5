"""A spreadsheet as people really save it: what can be read is, and what cannot is named by row."""

import pytest

from mychatflow.rules import contact_sheet, spreadsheet
from mychatflow.rules.attributes import Definition
from mychatflow.rules.contact_sheet import TooManyRows, UnreadableSheet

SHEET = "phone,name\n+34600111222,José\n"
DEFINITIONS = {
    "visits": Definition(key="visits", type="number"),
    "size": Definition(key="size", type="choice", choices=("S", "M")),
    "since": Definition(key="since", type="date"),
    "vip": Definition(key="vip", type="boolean"),
}


def read(body: bytes):
    return list(contact_sheet.rows(contact_sheet.decoded(body)))


@pytest.mark.parametrize(
    "body",
    [
        SHEET.encode(),
        SHEET.encode("utf-8-sig"),
        SHEET.encode("utf-16"),
        SHEET.encode("utf-16-le"),
        SHEET.encode("utf-16-be"),
        SHEET.replace(",", ";").encode(),
        SHEET.replace(",", "\t").encode(),
        SHEET.replace("\n", "\r\n").encode(),
        b" Phone , NAME\n+34600111222,Jos\xc3\xa9\n\n,\n",
    ],
)
def test_every_usual_encoding_and_delimiter_is_read(body):
    assert read(body) == [(2, {"phone": "+34600111222", "name": "José"})]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the file is empty"),
        (b"name\nAnn\n", "row 1: the first row must name the columns, one of them phone"),
        (b"phone,name,name\n", "row 1: the column name is there twice"),
        (b"phone,name\n+34600111222,Jos\xe9\n", "neither UTF-8 nor UTF-16"),
        (b"phone\n+1\x00\n" + b"x" * 300, "neither UTF-8|NUL"),
        (b'phone,name\n+34600111222,Ann\n+34600111223,"Bob\n' + b"x" * 5_000_000, "row 3: .*quote not closed"),
        (b'phone\n1\n2\n"3', "row 4: .*quote not closed"),
        (b"phone" + b",a" * 90_000, "row 1: .*more than 500 columns"),
        (b"phone\n+34600111222\n" + b"aa," * 100_000, "row 3: longer than 200,000 characters"),
        (b"phone\n" + b'"\n",' * 100_000, "row 2: longer than 200,000 characters"),
        (b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(256)) * 4, "neither UTF-8|NUL|phone|UTF-16"),
    ],
)
def test_what_cannot_be_read_says_why_and_where(body, said):
    with pytest.raises(UnreadableSheet, match=said):
        read(body)


def test_one_row_too_many_is_refused():
    fits = "phone\n" + "\n".join(str(34_600_000_000 + n) for n in range(contact_sheet.MOST_ROWS))

    assert len(read(fits.encode())) == 50_000
    with pytest.raises(TooManyRows, match="more than 50,000 rows"):
        read((fits + "\n34600999999").encode())


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("+34 600 111-222", "+34600111222"),
        ("0034600111222", "+34600111222"),
        ("34600111222", "+34600111222"),
        ("+1 (415) 555.0100", "+14155550100"),
        ("600", None),
        ("0600111222", None),
        ("+34 6x0", None),
        ("", None),
        ("3.46E+10", None),
        ("+1234567890123456", None),
        ("+³⁴600111222", None),
        ("+49 (0)170 1234567", "+491701234567"),
        ("0049(0)170/1234567", "+491701234567"),
        ("34600111222.0", "+34600111222"),
        ("+1 415.555.0100", "+14155550100"),
        ("\u202a+34\u00a0600\u2011111\u2013222\u202c", "+34600111222"),
    ],
)
def test_a_phone_needs_its_country_code(written, phone):
    assert contact_sheet.normal_phone(written) == phone


def test_a_word_that_does_not_fit_is_left_out_and_named():
    cells = {
        "phone": "34600111222", "name": " Ann \n Lee ", "tags": "vip; new;vip", "language": "english",
        "timezone": "Mars/X", "opt_in": "maybe", "opted_in_at": "yesterday",
        "attributes.visits": "many", "attributes.size": "XL", "attributes.since": "1.2.2026", "attributes.vip": "Yes",
    }  # fmt: skip

    found, issues = contact_sheet.entry(7, cells, DEFINITIONS)

    assert found is not None
    assert (found.name, found.tags, found.attributes) == ("Ann Lee", ("vip", "new"), {"vip": True})
    assert (found.language, found.timezone, found.is_opted_in) == (None, None, False)
    assert {(issue.row, issue.column) for issue in issues} == {
        (7, column)
        for column in (
            "language", "timezone", "opt_in", "opted_in_at", "attributes.visits", "attributes.size", "attributes.since",
        )
    }  # fmt: skip


def test_a_quote_that_an_export_wrote_is_taken_off():
    assert read(b"phone,name\n34600111222,'=1+1\n34600111223,'tis\n") == [
        (2, {"phone": "34600111222", "name": "=1+1"}),
        (3, {"phone": "34600111223", "name": "'tis"}),
    ]


@pytest.mark.parametrize("text", ["=1+1", "'=1+1", "''=1", "' =1", "'tis", "''", "'" * 5_000 + "=", "rock 'n' roll"])
def test_what_an_export_quotes_comes_back_as_it_was(text):
    assert spreadsheet.restored(spreadsheet.defused(text)) == text


def test_tags_come_back_as_they_were():
    tags = ("a; b", "c", '12" pizza', "two\nlines", "'=x")

    cells = {"phone": "34600111222", "tags": contact_sheet.joined_tags(tags)}

    found, issues = contact_sheet.entry(2, cells, {})
    assert found is not None
    assert (found.tags, issues) == (tags, [])


@pytest.mark.parametrize("cell", ["vip; new", "vip;new;", "vip\nnew", ' "vip" ; new'])
def test_tags_are_read_as_people_type_them(cell):
    found, _ = contact_sheet.entry(2, {"phone": "34600111222", "tags": cell}, {})

    assert found is not None
    assert found.tags == ("vip", "new")


def test_a_long_number_keeps_its_last_digits():
    found, _ = contact_sheet.entry(2, {"phone": "34600111222", "attributes.visits": "12345678901234567"}, DEFINITIONS)

    assert found is not None
    assert found.attributes == {"visits": 12_345_678_901_234_567}
