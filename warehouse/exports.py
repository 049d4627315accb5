"""Rows as a file, a batch at a time however many there are: CSV and sheets that hold no formula, and Parquet."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import IO, Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet
import xlsxwriter

from mychatflow.rules import spreadsheet

Kind = Literal["csv", "xlsx", "parquet"]
MEDIA_TYPES: Final[dict[Kind, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
# What a sheet holds at most.
_LAST_ROW: Final = 1_048_575
_CHUNK: Final = 1 << 16
_SAFE: Final = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "constant_memory": True,
}


class TooManyRows(Exception):
    """More rows than a sheet can hold: ask for CSV or Parquet."""


def name_of(what: str, kind: Kind, *, kept_from: date | None) -> str:
    """The file's name, which says from when on single messages are kept where the file would need older ones."""
    kept = f"_kept-from-{kept_from}" if kept_from else ""
    return f"{what}{kept}.{kind}"


def streamed(batches: pa.RecordBatchReader, kind: Kind) -> Iterator[bytes]:
    """The file in pieces; nothing but one batch is ever in memory. Raises TooManyRows for a sheet that overflows."""
    if kind == "csv":
        yield from _csv(batches)
        return
    with tempfile.TemporaryFile() as file:
        (_sheet if kind == "xlsx" else _parquet)(batches, file)
        file.seek(0)
        while piece := file.read(_CHUNK):
            yield piece


def _csv(batches: pa.RecordBatchReader) -> Iterator[bytes]:
    # The mark tells spreadsheets that the accents are UTF-8.
    yield b"\xef\xbb\xbf" + _lines([batches.schema.names])
    for batch in batches:
        yield _lines([_cell(value) for value in row.values()] for row in batch.to_pylist())


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


def _sheet(batches: pa.RecordBatchReader, file: IO[bytes]) -> None:
    with xlsxwriter.Workbook(file, _SAFE) as book:
        sheet, instant = book.add_worksheet("Numbers"), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.set_column(0, len(batches.schema.names) - 1, 18)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, batches.schema.names, book.add_format({"bold": True}))
        number = 0
        for batch in batches:
            for row in batch.to_pylist():
                number += 1
                if number > _LAST_ROW:
                    raise TooManyRows
                for place, value in enumerate(row.values()):
                    if isinstance(value, datetime):
                        # The format knows no zone: the time is the column's own.
                        sheet.write_datetime(number, place, value.replace(tzinfo=None), instant)
                    else:
                        sheet.write(number, place, _cell(value))


def _parquet(batches: pa.RecordBatchReader, file: IO[bytes]) -> None:
    with pyarrow.parquet.ParquetWriter(file, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _cell(value: Any) -> Any:
    """Numbers as they are, instants as ISO 8601, words without power."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, date | datetime):
        return value.isoformat()
    return spreadsheet.defused(str(value))
