"""The rows of a table as a file: what a spreadsheet opens holds numbers and words, never a formula."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import data, shell, wording
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from warehouse import exports
from warehouse.exports import Kind
from warehouse.periods import Period

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a card shows: the file's name, its rows when they are asked for, and which of their columns."""

    file: str
    rows: Callable[[], Rows]
    columns: Sequence[str]


def menu(looking: Viewer, rows: Rows, *, columns: Sequence[str], file: str, period: Period | None = None) -> None:
    """Download exactly the rows on screen, for roles that may take data out; times are the workspace's own."""
    if not looking.permits(Permission.EXPORT_DATA):
        return
    with _popover(file):
        _files(looking, Sheet(file=file, rows=lambda: rows, columns=columns), period)


def of_page(looking: Viewer, page: str, sheets: Mapping[str, Sheet], period: Period) -> None:
    """As menu, for the card one chooses by its name."""
    if not looking.permits(Permission.EXPORT_DATA):
        return
    with _popover(page):
        chosen = st.selectbox("What", list(sheets), key=f"exported-{page}")
        _files(looking, sheets[chosen], period)


def forgotten_before(looking: Viewer, period: Period | None) -> date | None:
    """The first day whose single messages are kept, where the period begins before it."""
    kept_from = data.kept_from(looking.tenant_id) if period else None
    return kept_from if period and kept_from and period.since < kept_from else None


def _popover(name: str) -> DeltaGenerator:
    return st.popover("Export", type="tertiary", icon=":material/download:", key=shell.keyed("exports", name))


def _files(looking: Viewer, sheet: Sheet, period: Period | None) -> None:
    kept_from = forgotten_before(looking, period)
    if kept_from:
        told = f"Single messages before {wording.day(kept_from)} are no longer kept: totals count them, lists do not."
        st.caption(f"{told} The file's name says so.")
    for kind, mime in exports.MEDIA_TYPES.items():
        st.download_button(
            kind.upper() if kind != "parquet" else "Parquet",
            # Read and made when somebody asks for it.
            partial(_made_of, sheet, kind, looking.timezone),
            file_name=exports.name_of(sheet.file, kind, kept_from=kept_from),
            mime=mime,
            type="tertiary",
            on_click="ignore",
            key=f"export-{sheet.file}-{kind}",
        )


def _made_of(sheet: Sheet, kind: Kind, timezone: str) -> bytes:
    return made(kind, sheet.rows(), columns=sheet.columns, timezone=timezone)


def made(kind: Kind, rows: Rows, *, columns: Sequence[str], timezone: str) -> bytes:
    """The file of exactly these rows and columns."""
    zone = wording.zone(timezone)
    table = pa.table({column: [_local(row.get(column), zone) for row in rows] for column in columns})
    return b"".join(exports.streamed(table.to_reader(), kind))


def _local(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone) if isinstance(value, datetime) else value
