"""What is wrong and what was: alerts firing now, and those of two weeks that ended."""

from datetime import datetime, timedelta

import streamlit as st

from dashboards import parts, shell, states, wording
from dashboards.ops import data, door
from dashboards.parts import Column, Tone
from dashboards.viewer import Viewer
from mychatflow.rules.alerts import RULES
from mychatflow.store.alerts import Alert

_WINDOW = timedelta(days=14)
_FIRES: tuple[str, Tone] = ("Fires", "bad")
_QUIET: tuple[str, Tone] = ("Quiet", "good")
_TONES: dict[str, Tone] = {"critical": "bad", "warning": "warn"}


def show(looking: Viewer, *, at: datetime) -> None:
    """Live, from the table in which the evaluator writes."""
    del at
    door.live(looking, _live, every="5s")


def _live() -> None:
    at = shell.now()
    firing, past = data.firing(), data.past_alerts(at - _WINDOW)
    is_critical = any(row.severity == "critical" for row in firing)
    word = f"{len(firing)} firing" if firing else "Nothing fires"
    door.head(
        "Alerts",
        "All workspaces, two weeks · refreshes every 5 seconds",
        word,
        "bad" if is_critical else "warn" if firing else "good",
    )
    with st.container(border=True, key="card-firing"):
        st.html(parts.card_title("Firing now", "Critical first, with what to do"))
        if firing:
            st.html(_table(sorted(firing, key=lambda row: row.severity), at=at, label="Alerts firing now"))
        else:
            states.empty("Nothing is wrong that a rule knows of", "An alert stands here as long as it fires.")
    with st.container(border=True, key="card-past"):
        st.html(parts.card_title("Past", "Ended within two weeks, newest first"))
        if past:
            st.html(_table(past, at=at, label="Alerts that ended"))
        else:
            states.empty("No alert ended lately", "What fired and cleared stays here for two weeks.")
    with st.container(border=True, key="card-rules"):
        st.html(parts.card_title("Rules", "Judged in the app every 15 seconds, and the same by Prometheus"))
        st.html(_rules({row.rule for row in firing}))


def _table(rows: list[Alert], *, at: datetime, label: str) -> str:
    columns = [Column(title=name) for name in ("Severity", "What", "About", "Since", "Lasted")]
    cells = [
        (
            parts.chip(wording.words(row.severity), _TONES.get(row.severity, "quiet")),
            f"{wording.escaped(row.says)}<br><small>{wording.escaped(row.do)}</small>",
            wording.escaped(row.subject or "the platform"),
            f"{row.fired_at:%-d %b %H:%M} UTC",
            wording.age((row.cleared_at or at) - row.fired_at),
        )
        for row in rows
    ]
    return parts.table(columns, cells, label=label)


def _rules(firing: set[str]) -> str:
    columns = [Column(title="Severity"), Column(title="Fires when"), Column(title="Now", is_number=True)]
    cells = [
        (
            parts.chip(wording.words(rule.severity), _TONES.get(rule.severity, "quiet")),
            f"{wording.escaped(rule.says)}<br><small>{wording.escaped(rule.do)}</small>",
            parts.chip(*_FIRES if rule.name in firing else _QUIET),
        )
        for rule in RULES
    ]
    return parts.table(columns, cells, label="Alert rules")
