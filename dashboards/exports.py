"""The rows of a table as a file: what a spreadsheet opens holds numbers and words, never a formula."""

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

_SIGNS = ("=", "+", "-", "@", "|", "%")
_CONTROLS = ("\t", "\r", "\n")


def button(label: str, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str], file: str) -> None:
    """Download exactly the rows on screen."""
    st.download_button(
        label,
        as_csv(rows, columns=columns),
        file_name=file,
        mime="text/csv",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
        key=f"export-{file}",
    )


def as_csv(rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str]) -> bytes:
    """UTF-8 with a mark, so that spreadsheets read accents."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return written.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return defused(value) if isinstance(value, str) else value


def defused(text: str) -> str:
    """Text that a spreadsheet would run gets a quote before it.

    Fullwidth signs and signs behind blanks or invisible characters count: programs fold the one and skip the other.
    """
    folded = unicodedata.normalize("NFKC", text)
    visible = next((sign for sign in folded if unicodedata.category(sign)[0] not in "ZC"), "")
    is_formula = visible in _SIGNS or text.startswith(_CONTROLS)
    return f"'{text}" if is_formula else text
