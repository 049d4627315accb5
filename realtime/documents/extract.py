"""Reads the words out of a file that a stranger may have made; runs in a process of its own, with little to spend."""

import io
import re
import resource
import sys
import zipfile
from html.parser import HTMLParser
from typing import Final

import docx
import msgspec
import pypdf
from docx.opc.exceptions import OpcError
from docx.table import Table
from pypdf.errors import PyPdfError

from mychatflow.rules import passages
from mychatflow.rules.passages import Section

MOST_CHARACTERS: Final = 2_000_000
_MOST_PAGES: Final = 1_000
_MOST_PARTS: Final = 5_000
_LARGEST_UNPACKED: Final = 64 << 20
_MEMORY: Final = 1 << 30
_CPU_SECONDS: Final = 20
_HEADING: Final = re.compile(r"^(?:Heading|heading|Überschrift|Título|Titre) ?(\d)?")
_SILENT: Final = frozenset({"script", "style", "noscript", "template", "svg", "nav", "footer", "form", "head"})
_BREAKS: Final = frozenset({"p", "div", "br", "li", "tr", "section", "article", "table", "ul", "ol", "dd", "dt"})
_TITLES: Final = {f"h{level}": level for level in range(1, 7)}


class Unreadable(Exception):
    """The file cannot be read, in words for whoever uploaded it."""


def sections(kind: str, body: bytes) -> list[Section]:
    """Raises Unreadable."""
    match kind:
        case "txt":
            return [Section("", _decoded(body))]
        case "md":
            return passages.sections_of_markdown(_decoded(body))
        case "pdf":
            return _pdf(body)
        case "docx":
            return _docx(body)
        case "url":
            return _html(_decoded(body))
        case _:
            raise Unreadable(f"files of the kind {kind} are not read")


def _decoded(body: bytes) -> str:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if body.startswith(mark):
            return body.decode(encoding, errors="replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        # Old Windows files; every byte is a letter there.
        return body.decode("cp1252", errors="replace")


def _pdf(body: bytes) -> list[Section]:
    try:
        reader = pypdf.PdfReader(io.BytesIO(body))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("the PDF asks for a password; upload it without one")
        if len(reader.pages) > _MOST_PAGES:
            raise Unreadable(f"the PDF has more than {_MOST_PAGES} pages; split it")
        pages = [page.extract_text() for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Unreadable("this is not a PDF that can be read") from error
    if not any(page.strip() for page in pages):
        raise Unreadable("the PDF holds no text, perhaps only scanned pages")
    return [Section("", "\n\n".join(pages))]


def _docx(body: bytes) -> list[Section]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as parts:
            listed = parts.infolist()
        if len(listed) > _MOST_PARTS or sum(part.file_size for part in listed) > _LARGEST_UNPACKED:
            raise Unreadable("the file is far larger unpacked than it looks")
        document = docx.Document(io.BytesIO(body))
        lines = [line for block in document.iter_inner_content() for line in _lines(block)]
    except (zipfile.BadZipFile, OpcError, KeyError, ValueError, AttributeError) as error:
        raise Unreadable("this is not a Word file (.docx) that can be read") from error
    return passages.sections_of_markdown("\n\n".join(lines))


def _lines(block: object) -> list[str]:
    if isinstance(block, Table):
        rows = ([cell.text.strip() for cell in row.cells] for row in block.rows)
        return [" | ".join(dict.fromkeys(cell for cell in row if cell)) for row in rows]
    text = str(getattr(block, "text", "")).strip()
    style = getattr(getattr(block, "style", None), "name", "") or ""
    heading = _HEADING.match(style)
    if heading and text:
        return ["#" * min(int(heading.group(1) or 1), 6) + " " + text]
    # A line that only looks like a heading of Markdown is none.
    return [re.sub(r"^(\s*)#", r"\1＃", text)] if text else []


class _Page(HTMLParser):
    """The words of a web page as Markdown, without its furniture."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  (their signature)
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag in _TITLES:
            self.parts.append("\n\n" + "#" * _TITLES[tag] + " ")
        elif tag in _BREAKS:
            self.parts.append("\n\n" if tag in {"p", "section", "article", "table"} else "\n")
        elif tag in {"td", "th"}:
            self.parts.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag in self._silent:
            while self._silent and self._silent.pop() != tag:
                continue
        elif tag in _TITLES or tag == "p":
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def _html(text: str) -> list[Section]:
    page = _Page()
    page.feed(text)
    page.close()
    lines = (line.strip(" |") for line in "".join(page.parts).splitlines())
    found = passages.sections_of_markdown("\n".join(lines))
    if not found:
        raise Unreadable("the page holds no text; perhaps a script fills it")
    return found


def _short_enough(found: list[Section]) -> list[Section]:
    if sum(len(section.text) for section in found) > MOST_CHARACTERS:
        raise Unreadable(f"the text is longer than {MOST_CHARACTERS:,} characters; split the file")
    return found


def main() -> int:
    """The kind is the argument, the file comes in, a JSON list of [heading, body] goes out; 1 says why not."""
    # A file that unpacks without end ends here, not the worker.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    try:
        found = _short_enough(sections(sys.argv[1], sys.stdin.buffer.read()))
    except Unreadable as unreadable:
        sys.stderr.write(str(unreadable))
        return 1
    cuts = [[cut.heading, cut.body] for cut in passages.cut(found)]
    sys.stdout.buffer.write(msgspec.json.encode(cuts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
