"""The rows of a table as a file: what a spreadsheet opens holds numbers and words, never a formula."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import streamlit as st
import xlsxwriter

from dashboards import shell, wording
from dashboards.viewer import Viewer
from mychatflow.rules import spreadsheet
from mychatflow.rules.role import Permission

Rows = Sequence[Mapping[str, Any]]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A formula or a link in a cell is what somebody wrote to us, never what we computed.
_SAFE = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}


def menu(looking: Viewer, rows: Rows, *, columns: Sequence[str], file: str) -> None:
    """Download exactly the rows on screen, for roles that may take data out; times are the workspace's own."""
    if not looking.permits(Permission.EXPORT_DATA):
        return
    kinds: tuple[tuple[str, Callable[..., bytes], str], ...] = (
        ("csv", as_csv, "text/csv"),
        ("xlsx", as_xlsx, _XLSX),
        ("parquet", as_parquet, "application/vnd.apache.parquet"),
    )
    with st.popover("Export", type="tertiary", icon=":material/download:", key=shell.keyed("exports", file)):
        for kind, make, mime in kinds:
            st.download_button(
                kind.upper() if kind != "parquet" else "Parquet",
                # Made when somebody asks for it.
                partial(make, rows, columns=columns, timezone=looking.timezone),
                file_name=f"{file}.{kind}",
                mime=mime,
                type="tertiary",
                on_click="ignore",
                key=f"export-{file}-{kind}",
            )


def as_csv(rows: Rows, *, columns: Sequence[str], timezone: str) -> bytes:
    """UTF-8 with a mark, so that spreadsheets read accents."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column), timezone) for column in columns] for row in rows)
    return written.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Rows, *, columns: Sequence[str], timezone: str) -> bytes:
    """One sheet; numbers are numbers and times are times, without a zone because the format knows none."""
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, _SAFE) as book:
        sheet = book.add_worksheet("Numbers")
        bold, instant = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_row(0, 0, columns, bold)
        sheet.set_column(0, len(columns) - 1, 18)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows, start=1):
            for place, column in enumerate(columns):
                value = row.get(column)
                if isinstance(value, datetime):
                    sheet.write_datetime(number, place, _local(value, timezone).replace(tzinfo=None), instant)
                else:
                    sheet.write(number, place, _cell(value, timezone))
    return written.getvalue()


def as_parquet(rows: Rows, *, columns: Sequence[str], timezone: str) -> bytes:
    """As they are: instants with the workspace's zone, words untouched."""
    local = [
        {
            column: _local(value, timezone) if isinstance(value := row.get(column), datetime) else value
            for column in columns
        }
        for row in rows
    ]
    written = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({column: [row[column] for row in local] for column in columns}), written)
    return written.getvalue()


def _cell(value: Any, timezone: str) -> Any:
    if isinstance(value, datetime):
        return _local(value, timezone).isoformat()
    if value is None or isinstance(value, bool | int | float):
        return value
    return spreadsheet.defused(str(value))


def _local(instant: datetime, timezone: str) -> datetime:
    return instant.astimezone(wording.zone(timezone))
