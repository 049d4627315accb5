"""A spreadsheet of contacts, read row by row: what can be used is, and every fault is named by row and column."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from mychatflow.rules import attributes, business_hours, spreadsheet
from mychatflow.rules.attributes import Definition, InvalidAttribute, Value

MOST_ROWS: Final = 50_000
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DELIMITERS: Final = (",", ";", "\t")
# Dashes of every length, and the invisible marks that come along when a number is copied from somebody's contacts.
_PUNCTUATION: Final = re.compile(r"[\s().\-/\u00a0\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DIALLED_AT_HOME: Final = re.compile(r"(?<=\d)\s*\(0\)")
_WHOLE_NUMBER: Final = re.compile(r"\s*(\+?\d+)\.0\s*")
_PHONE: Final = re.compile(r"[1-9][0-9]{6,14}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_LONGEST: Final = 200
_HEAD: Final = 200
_MOST_COLUMNS: Final = 500
# Each cell of two letters costs twenty times its size: ten megabytes in one row would be two hundred.
_LONGEST_ROW: Final = 200_000
_SEPARATES: Final = frozenset(';"\r\n')
_YES: Final = frozenset({"yes", "true", "1", "x"})
_NO: Final = frozenset({"", "no", "false", "0"})


class UnreadableSheet(ValueError):
    """Nothing of the file can be used; `row` is where reading stopped, the first being 1."""

    def __init__(self, fault: str, *, row: int | None = None) -> None:
        super().__init__(fault if row is None else f"row {row}: {fault}")
        self.row = row


class TooManyRows(ValueError):
    """More than anybody should upload at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A row that is left out, or a word in it; the value itself is nobody's business."""

    row: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One contact of the sheet; what is None or empty says nothing and changes nothing."""

    row: int
    phone: str
    name: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    is_opted_in: bool = False
    opt_in_method: str | None = None
    opted_in_at: datetime | None = None

    @property
    def wa_id(self) -> str:
        return f"{self.phone.removeprefix('+')}@c.us"


def decoded(body: bytes) -> str:
    """UTF-8 or UTF-16, with a mark or without. Raises UnreadableSheet."""
    encoding = next((name for mark, name in _MARKS if body.startswith(mark)), None)
    if encoding is None:
        # Every other byte of plain words is then zero.
        start = body[:_HEAD]
        for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
            if zeros.count(0) * 2 > len(zeros):
                encoding = name
    try:
        text = body.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableSheet("the file is neither UTF-8 nor UTF-16; save it as CSV UTF-8") from error
    if "\x00" in text:
        raise UnreadableSheet("the file holds NUL characters: it is no text")
    return text


def rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row's number and cells by column, empty rows left out. Raises UnreadableSheet and TooManyRows."""
    delimiter = _delimiter(text)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number, header = 0, None
    while True:
        try:
            cells = next(reader)
            lines.row_length = 0
        except StopIteration:
            break
        except csv.Error as error:
            raise UnreadableSheet(f"{error}; is a quote not closed?", row=number + 1) from error
        number += 1
        if header is None:
            header = _header(cells)
            continue
        if number > MOST_ROWS + 1:
            raise TooManyRows(f"the file has more than {MOST_ROWS:,} rows; split it")
        if any(cell.strip() for cell in cells):
            yield number, {name: spreadsheet.restored(cell) for name, cell in zip(header, cells, strict=False)}
    if header is None:
        raise UnreadableSheet("the file is empty")


class _Lines:
    """The lines of a text; a row of the sheet is as many of them as its quotes hold together."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.row_length = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.row_length += len(line)
            if self.row_length > _LONGEST_ROW:
                raise csv.Error(f"longer than {_LONGEST_ROW:,} characters")
            yield line


def entry(
    row: int, cells: Mapping[str, str], definitions: Mapping[str, Definition]
) -> tuple[Entry | None, list[Issue]]:
    """The contact, unless its phone is unusable; a word that does not fit is left out and named."""
    phone = normal_phone(cells["phone"])
    if phone is None:
        problem = "is no phone number with country code, like +34600111222"
        return None, [Issue(row=row, column="phone", problem=problem)]
    issues: list[Issue] = []

    def fault(column: str, problem: str) -> None:
        issues.append(Issue(row=row, column=column, problem=problem))

    own: dict[str, Value] = {}
    for key, definition in definitions.items():
        try:
            value = attributes.from_text(definition, cells.get(f"attributes.{key}", ""))
        except InvalidAttribute as invalid:
            fault(f"attributes.{key}", str(invalid).removeprefix(f"{key}: "))
            continue
        if value is not None:
            own[key] = value
    said = cells.get("opt_in", "").strip().casefold()
    if said not in _YES | _NO:
        fault("opt_in", "must be yes or no")
    return Entry(
        row=row,
        phone=phone,
        name=_words(cells.get("name", "")),
        tags=_tags(cells.get("tags", ""), fault),
        language=_checked(
            "language", cells, fault, "must be a code like en", lambda each: bool(_LANGUAGE.fullmatch(each))
        ),
        timezone=_checked("timezone", cells, fault, "must be a zone like Europe/Madrid", _is_zone),
        attributes=own,
        is_opted_in=said in _YES,
        opt_in_method=_words(cells.get("opt_in_method", "")),
        opted_in_at=_moment(cells.get("opted_in_at", ""), fault),
    ), issues


def normal_phone(written: str) -> str | None:
    """+ and 7 to 15 digits with the country code; None for anything else."""
    # A zero in brackets is for calls at home; a fraction is what programs give to a column of whole numbers.
    written = _WHOLE_NUMBER.sub(r"\1", written) if _WHOLE_NUMBER.fullmatch(written) else written
    digits = _PUNCTUATION.sub("", _DIALLED_AT_HOME.sub("", written))
    digits = digits.removeprefix("+") if digits.startswith("+") else digits.removeprefix("00")
    # Not isdigit: a superscript is a digit to Python and to nobody's phone.
    return f"+{digits}" if digits.isascii() and _PHONE.fullmatch(digits) else None


def _delimiter(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip().casefold().replace(" ", "_") for cell in cells]
    if "phone" not in names:
        raise UnreadableSheet("the first row must name the columns, one of them phone", row=1)
    if len(names) > _MOST_COLUMNS:
        raise UnreadableSheet(f"the first row names more than {_MOST_COLUMNS} columns", row=1)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UnreadableSheet(f"the column {twice} is there twice", row=1)
    return names


def _words(cell: str) -> str | None:
    return " ".join(cell.split())[:_LONGEST] or None


def joined_tags(tags: Iterable[str]) -> str:
    """As one cell; a tag that holds a separator stands in quotes."""
    return "; ".join('"' + tag.replace('"', '""') + '"' if set(tag) & _SEPARATES else tag for tag in tags)


def _tags(cell: str, fault: Callable[[str, str], None]) -> tuple[str, ...]:
    parts = csv.reader(io.StringIO(cell, newline=""), delimiter=";", skipinitialspace=True)
    tags = tuple(dict.fromkeys(tag for row in parts for part in row if (tag := part.strip())))
    if len(tags) > 50 or any(len(tag) > 50 for tag in tags):
        fault("tags", "has more than 50 tags, or one of more than 50 characters")
        return ()
    return tags


def _checked(
    column: str,
    cells: Mapping[str, str],
    fault: Callable[[str, str], None],
    problem: str,
    fits: Callable[[str], bool],
) -> str | None:
    cell = cells.get(column, "").strip()
    if cell and not fits(cell):
        fault(column, problem)
        return None
    return cell or None


def _is_zone(name: str) -> bool:
    try:
        business_hours.zone(name)
    except business_hours.InvalidHours:
        return False
    return True


def _moment(cell: str, fault: Callable[[str, str], None]) -> datetime | None:
    if not cell.strip():
        return None
    try:
        at = datetime.fromisoformat(cell.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        fault("opted_in_at", "must be a time like 2026-12-01T10:00:00Z")
        return None
