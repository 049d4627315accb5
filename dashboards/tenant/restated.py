"""Past numbers that changed after they were published: which day, which number, what it was and what it is."""

from typing import Any

import streamlit as st

from dashboards import data, parts, wording
from dashboards.filters import Choice
from dashboards.parts import Column
from dashboards.viewer import Viewer
from warehouse import metrics

_COST = "cost_micro_usd"
_NAMES = {
    number.column: number.name for number in metrics.METRICS.values() if number.model == "analytics_summary_daily"
}
_CAUSES = {"late_events": "told late", "backfill": "counted again"}
_COLUMNS = (
    Column(title="Day"),
    Column(title="Number"),
    Column(title="Was", is_number=True),
    Column(title="Is", is_number=True),
    Column(title="Why", is_number=True),
)


def note(looking: Viewer, choice: Choice) -> None:
    """Nothing while all that was ever shown of the period still stands."""
    rows = data.restated(looking.tenant_id, choice.period)
    if not rows:
        return
    days = len({row["local_date"] for row in rows})
    label = f"Numbers of {days} past {'day' if days == 1 else 'days'} changed"
    with st.popover(label, type="tertiary", icon=":material/history:", key="restated"):
        st.caption("A fact that arrives late counts on the day it happened. Every number that moved stays told here.")
        cells = [_cells(row, looking.timezone) for row in rows]
        with st.container(height=min(320, 60 + 34 * len(cells)), border=False):
            st.html(parts.table(_COLUMNS, cells, label="Restated numbers"))


def _cells(row: dict[str, Any], timezone: str) -> tuple[str, ...]:
    changed = wording.clock(row["restated_at"], timezone)
    return (
        wording.escaped(wording.day(row["local_date"])),
        wording.escaped(named(row["column_name"])),
        _value(row["column_name"], row["old_value"]),
        _value(row["column_name"], row["new_value"]),
        f"{_CAUSES.get(row['cause'], row['cause'])} <small>{wording.escaped(changed)}</small>",
    )


def named(column: str) -> str:
    """message_received_count → Messages received, as the registry calls it where it does."""
    return "AI cost" if column == _COST else wording.words(_NAMES.get(column, column.removesuffix("_count")))


def _value(column: str, value: float | None) -> str:
    """What was not there is a dash: no number was published."""
    if value is None:
        return "–"
    return wording.small_usd(value / 1e6) if column == _COST else f"{value:,.0f}"
