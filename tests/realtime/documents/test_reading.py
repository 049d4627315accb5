"""Every kind of file is read for its words; what is broken, locked or a bomb is refused in words."""

import contextlib
import io
import zipfile

import docx
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from realtime.documents import extract, reading
from realtime.documents.extract import Unreadable
from realtime.documents.reading import UnreadableFile


def a_pdf(*pages: str, password: str | None = None) -> bytes:
    """Real pages with Helvetica on them."""
    writer = pypdf.PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for words in pages:
        page = writer.add_blank_page(width=600, height=800)
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 50 700 Td ({words}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(content)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def a_docx() -> bytes:
    document = docx.Document()
    document.add_paragraph("Welcome.")
    document.add_heading("Prices", level=1)
    document.add_paragraph("A cut is 20 €.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Beard", "10 €"
    document.add_heading("Children", level=2)
    document.add_paragraph("# half of it")
    held = io.BytesIO()
    document.save(held)
    return held.getvalue()


def a_zip_bomb() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/document.xml", b"\0" * (65 << 20))
    return held.getvalue()


PAGE = b"""<html><head><title>T</title><style>p{}</style></head><body><nav>Menu</nav>
<h1>Prices</h1><p>A cut is&nbsp;20 &euro;.</p><ul><li>Beard</li><li>Hair</li></ul>
<table><tr><td>Monday</td><td>9 to 5</td></tr></table><script>alert(1)</script><h2>Kids</h2>Half.</body></html>"""


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        ("txt", "Ünïcode".encode(), [("", "Ünïcode")]),
        ("txt", "Ünï".encode("utf-16"), [("", "Ünï")]),
        ("txt", "Preis 5 €".encode("cp1252"), [("", "Preis 5 €")]),
        ("md", b"# One\nfirst\n# Two\nsecond", [("One", "first"), ("Two", "second")]),
        ("pdf", a_pdf("A cut is 20 euros.", "Closed on Sundays."), [("", "A cut is 20 euros.\n\nClosed on Sundays.")]),
        (
            "docx",
            a_docx(),
            [
                ("", "Welcome."),
                ("Prices", "A cut is 20 €.\n\nBeard | 10 €"),
                ("Prices › Children", "＃ half of it"),
            ],
        ),
        (
            "url",
            PAGE,
            [("Prices", "A cut is 20 €.\n\nBeard\nHair\n\nMonday | 9 to 5"), ("Prices › Kids", "Half.")],
        ),
    ],
)
async def test_words_are_read_from_every_kind(kind, body, found):
    assert [(cut.heading, cut.body) for cut in await reading.read(kind, body)] == found


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("pdf", b"%PDF-1.7 nonsense", "not a PDF"),
        ("pdf", a_pdf("secret", password="pass"), "password"),
        ("pdf", a_pdf(""), "no text"),
        ("docx", b"PK\x03\x04nonsense", "not a Word file"),
        ("txt", b"  \n ", "no text"),
        ("txt", b"word " * 400_001, "longer than 2,000,000"),
        ("url", b"<script>render()</script>", "no text"),
    ],
)
async def test_what_cannot_be_read_says_why(kind, body, why):
    with pytest.raises(UnreadableFile, match=why):
        await reading.read(kind, body)


async def test_a_bomb_is_refused_unopened():
    with pytest.raises(UnreadableFile, match="far larger unpacked"):
        await reading.read("docx", a_zip_bomb())


@settings(max_examples=40)
@given(st.sampled_from(["txt", "md", "pdf", "docx", "url"]), st.binary(max_size=300))
def test_no_bytes_break_the_reader(kind, body):
    with contextlib.suppress(Unreadable):
        assert all(section.text for section in extract.sections(kind, body)) or kind == "txt"


async def test_a_reader_has_no_key_within_reach(monkeypatch, tmp_path):
    telling = tmp_path / "python"
    telling.write_text("""#!/bin/sh\nprintf '[["", "%s"]]' "$(env | cut -d= -f1 | tr '\\n' ' ')"\n""")
    telling.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(telling))
    ours = {"MYCHATFLOW_MASTER_KEY", "DATABASE_URL", "OPENAI_API_KEY"}
    for name in ours:
        monkeypatch.setenv(name, "told")

    (cut,) = await reading.read("txt", b"")

    assert not ours & set(cut.body.split())
