"""What is wrong and what was: alerts firing now, and those of two weeks that ended."""

from datetime import datetime, timedelta

import streamlit as st

from dashboards import parts, shell, states, wording
from dashboards.ops import data, door
from dashboards.parts import Column, Tone
from dashboards.viewer import Viewer
from mychatflow.store.watch import Alert

_WINDOW = timedelta(days=14)
_TONES: dict[str, Tone] = {"critical": "bad", "warning": "warn"}


def show(looking: Viewer, *, at: datetime) -> None:
    """Live, from the table in which the evaluator writes."""
    del at
    door.live(looking, _live, every="5s")


def _live() -> None:
    at = shell.now()
    rows = data.alerts(at - _WINDOW)
    firing = [row for row in rows if row.cleared_at is None]
    is_critical = any(row.severity == "critical" for row in firing)
    word = f"{len(firing)} firing" if firing else "Nothing fires"
    door.head(
        "Alerts",
        "All workspaces, two weeks · refreshes every 5 seconds",
        word,
        "bad" if is_critical else "warn" if firing else "good",
    )
    with st.container(border=True, key="card-firing"):
        st.html(parts.card_title("Firing now", "Critical first"))
        if firing:
            st.html(_table(sorted(firing, key=lambda row: row.severity), at=at, label="Alerts firing now"))
        else:
            states.empty("Nothing is wrong that a rule knows of", "An alert stands here as long as it fires.")
    with st.container(border=True, key="card-past"):
        st.html(parts.card_title("Past", "Ended within two weeks, newest first"))
        past = [row for row in rows if row.cleared_at is not None]
        if past:
            st.html(_table(past, at=at, label="Alerts that ended"))
        else:
            states.empty("No alert ended lately", "What fired and cleared stays here for two weeks.")


def _table(rows: list[Alert], *, at: datetime, label: str) -> str:
    columns = [Column(title=name) for name in ("Severity", "Rule", "About", "Since", "Lasted", "Detail")]
    cells = [
        (
            parts.chip(row.severity, _TONES.get(row.severity, "quiet")),
            wording.escaped(wording.words(row.rule)),
            wording.escaped(row.subject or "the platform"),
            f"{row.fired_at:%-d %b %H:%M} UTC",
            wording.age((row.cleared_at or at) - row.fired_at),
            wording.escaped(", ".join(f"{name} {value}" for name, value in row.detail.items()) or "–"),
        )
        for row in rows
    ]
    return parts.table(columns, cells, label=label)
