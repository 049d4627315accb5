"""The numbers at the top of a page: value, change against the period before, and its course."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import data, shell, states, wording
from dashboards.filters import Choice
from warehouse import metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number: where it stands in the rows, how it reads, and whether more of it is good."""

    label: str
    column: str
    metric: str
    written: Callable[[float | None], str]
    chart: Literal["line", "area", "bar"] = "line"
    better: Literal["more", "less", "neither"] = "more"


_OVERVIEW = (
    Tile(label="Messages", column="message_count", metric="messages", written=wording.count, chart="area"),
    Tile(label="People reached", column="contact_count", metric="people_reached", written=wording.count, chart="area"),
    Tile(
        label="Median reply time",
        column="reply_p50_ms",
        metric="reply_time_median",
        written=wording.seconds,
        better="less",
    ),
    Tile(label="AI cost", column="cost_usd", metric="ai_cost", written=wording.usd, chart="bar", better="neither"),
    Tile(label="Answered", column="answered_rate", metric="answered", written=wording.share),
)
Row = dict[str, Any]
_COLOURS: dict[str, Literal["normal", "inverse", "off"]] = {"more": "normal", "less": "inverse", "neither": "off"}


def overview(tenant_id: UUID, choice: Choice) -> str | None:
    """Five tiles; each says what it counts on hover. Returns the column of the one that was pressed."""
    with states.reading(178):
        now = data.overview_kpis(tenant_id, choice.period)
        before = data.overview_kpis(tenant_id, choice.previous) if choice.previous else {}
        course = data.kpis_per_day(tenant_id, choice.period)
    grid = st.grid(5, min_column_width=150, key="tiles")
    pressed = [tile.column for tile in _OVERVIEW if _draw(tile, grid, now, before, course)]
    return pressed[0] if pressed else None


def _draw(tile: Tile, grid: DeltaGenerator, now: Row, before: Row, course: data.Rows) -> bool:
    # A change below one percent is noise; written as the number 0 it stays grey.
    change = wording.change(now[tile.column], before.get(tile.column))
    value = tile.written(now[tile.column])
    drawn, is_pressed = shell.covered(tile.column, f"{tile.label} {value}: who is behind it", within=grid)
    drawn.metric(
        tile.label,
        value,
        delta=delta(change),
        delta_color=_COLOURS[tile.better],
        delta_description="vs. prev." if change is not None else None,
        help=metrics.help_text(tile.metric),
        border=True,
        height="stretch",
        chart_data=_drawn(course, tile.column),
        chart_type=tile.chart,
    )
    return is_pressed


def delta(change: float | None) -> str | int | None:
    """As a tile shows it; no change is the number 0, which stays grey."""
    if change is None:
        return None
    return f"{change:+.1%}" if change else 0


def _drawn(course: data.Rows, column: str) -> list[Any] | None:
    """The values a line can join; None when there are too few."""
    values = [row[column] for row in course if row[column] is not None]
    return values if len(values) > 1 and any(values) else None
