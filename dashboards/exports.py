"""The rows of a table as a file: what a spreadsheet opens holds numbers and words, never a formula."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st

from dashboards import shell, wording
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from warehouse import exports
from warehouse.exports import Kind

Rows = Sequence[Mapping[str, Any]]


def menu(looking: Viewer, rows: Rows, *, columns: Sequence[str], file: str) -> None:
    """Download exactly the rows on screen, for roles that may take data out; times are the workspace's own."""
    if not looking.permits(Permission.EXPORT_DATA):
        return
    with st.popover("Export", type="tertiary", icon=":material/download:", key=shell.keyed("exports", file)):
        for kind, mime in exports.MEDIA_TYPES.items():
            st.download_button(
                kind.upper() if kind != "parquet" else "Parquet",
                # Made when somebody asks for it.
                partial(made, kind, rows, columns=columns, timezone=looking.timezone),
                file_name=f"{file}.{kind}",
                mime=mime,
                type="tertiary",
                on_click="ignore",
                key=f"export-{file}-{kind}",
            )


def made(kind: Kind, rows: Rows, *, columns: Sequence[str], timezone: str) -> bytes:
    """The file of exactly these rows and columns."""
    zone = wording.zone(timezone)
    table = pa.table({column: [_local(row.get(column), zone) for row in rows] for column in columns})
    return b"".join(exports.streamed(table.to_reader(), kind))


def _local(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone) if isinstance(value, datetime) else value
