"""What a colleague may send: by what the file is, with a name that hides nothing."""

import pytest

from mychatflow.rules import attachment
from mychatflow.rules.attachment import AttachmentRefused

PNG = b"\x89PNG\r\n\x1a\n...."
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def judged(data: bytes = PNG, **given):
    usual = {"mimetype": "image/png", "filename": "menu.png", "caption": "", "as_file": False}
    return attachment.judge(data, **(usual | given))


@pytest.mark.parametrize(
    ("data", "mimetype", "as_file", "shape", "kind"),
    [
        (PNG, "image/png", False, "image", "image"),
        (PNG, "image/png", True, "file", "image"),
        (b"RIFF....WEBPVP8 ", "image/webp", False, "file", "image"),
        (b"OggS....", "audio/ogg", False, "voice", "audio"),
        (b"\xff\xf3\x00", "audio/mpeg", False, "voice", "audio"),
        (b"....ftypisom", "video/mp4", False, "file", "video"),
        (b"%PDF-1.7", "application/pdf", False, "file", "document"),
        (b"PK\x03\x04....", DOCX, False, "file", "document"),
        ("Preise ä".encode(), "text/plain", False, "file", "document"),
    ],
)
def test_a_file_is_shown_as_what_it_is(data: bytes, mimetype: str, as_file: bool, shape: str, kind: str):
    found = judged(data, mimetype=mimetype, as_file=as_file)

    assert (found.shape, found.message_type) == (shape, kind)


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (PNG, "menu.jpg", "image/png"),
        (b"PK\x03\x04....", "Menu.DOCX", DOCX),
        ("Preise ä".encode(), "prices.csv", "text/csv"),
        (b"PK\x03\x04....", "menu.zip", None),
        (b"MZ\x90\x00....", "menu.png", None),
        (b"MZ\x90\x00....", "menu.txt", None),
        (b"<script>", "page.html", None),
    ],
)
def test_a_chosen_file_is_known_by_its_bytes_then_its_name(data: bytes, name: str, kind: str | None):
    assert attachment.kind_of(data, name) == kind


@pytest.mark.parametrize(
    ("data", "given", "field", "problem"),
    [
        (b"", {}, "body", "it is empty"),
        (b"%PDF-1.7", {}, "body", "the file is no image/png"),
        (PNG, {"mimetype": "text/plain"}, "body", "the file is no text/plain"),
        (b"a\x00b", {"mimetype": "text/csv"}, "body", "the file is no text/csv"),
        (b"MZ....", {"mimetype": DOCX}, "body", "the file is no"),
        (b"OggS", {"mimetype": "audio/ogg", "caption": "Hi"}, "caption", "a voice note has no caption"),
        (PNG, {"caption": "x" * 1_025}, "caption", "longer than 1024"),
    ],
)
def test_a_refusal_names_the_field_and_the_problem(data: bytes, given: dict, field: str, problem: str):
    with pytest.raises(AttachmentRefused, match=problem) as refused:
        judged(data, **given)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("menu.png", "menu.png"),
        ("", "file.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Users\\ann\\Menu 2026.jpeg", "Menu 2026.png"),
        ("invoice.pdf.exe", "invoice.pdf.png"),
        ("a\u202egnp.exe", "agnp.png"),
        ("x" * 300 + ".png", "x" * 120 + ".png"),
    ],
)
def test_a_name_hides_neither_path_nor_type(given: str, kept: str):
    assert judged(filename=given).filename == kept
