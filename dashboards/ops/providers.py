"""Do the models answer: each breaker's state as it is, its day, how fast and dear calls are, and who steps in."""

from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from dashboards import parts, shell, states, wording
from dashboards.ops import data, door, uptime
from dashboards.parts import Column, Tone
from dashboards.viewer import Viewer
from mychatflow.store.operations import BreakerChange
from mychatflow.store.watch import Calls

_WINDOW = timedelta(hours=24)
_SLOTS = 48
_STATES: dict[str, tuple[str, Tone, str]] = {
    "closed": ("Closed", "good", "Healthy, traffic flows"),
    "half_open": ("Half-open", "warn", "One trial call at a time"),
    "open": ("Open", "bad", "Skipped, others answer"),
}
_VENDORS = ("openai", "gemini", "anthropic")


def show(looking: Viewer, *, at: datetime) -> None:
    """Every two seconds from Postgres, so that a breaker is seen within five."""
    del at
    door.live(looking, _live, every="2s")


def _live() -> None:
    until = shell.now()
    since = until - _WINDOW
    shut = [change.target for change in data.breakers() if change.to_state == "open"]
    word = "All models answer" if not shut else f"{len(shut)} shut off"
    door.head("Providers", "Last 24 hours · refreshes every 2 seconds", word, "bad" if shut else "good")
    left, right = st.columns([1, 1.5])
    with left.container(border=True, height="stretch", key="card-breakers"):
        breakers(since, until)
    with right.container(border=True, height="stretch", key="card-calls"):
        _calls(data.calls(since))
    with st.container(border=True, key="card-history"):
        _history(data.breaker_changes(since), at=until)


def breakers(since: datetime, until: datetime) -> None:
    """One block a target: its state in a word, and the window as a strip of its worst states."""
    st.html(
        parts.card_title("AI circuit breakers", "A model that fails is skipped for a while, then tried with one call")
    )
    now = {change.target: change.to_state for change in data.breakers()}
    quiet = [vendor for vendor in _VENDORS if not any(target.startswith(vendor) for target in now)]
    known = now | dict.fromkeys(quiet, "closed")
    changes = data.breaker_changes(since)
    calls = data.calls(since)
    labels = uptime.labels(since=since, until=until, count=_SLOTS)
    strip = partial(uptime.slots, since=since, until=until, count=_SLOTS)
    st.html("".join(_block(target, state, changes, calls, strip, labels) for target, state in sorted(known.items())))


def _block(
    target: str,
    state: str,
    changes: list[BreakerChange],
    calls: list[Calls],
    strip: "partial[list[Tone]]",
    labels: list[str],
) -> str:
    word, tone, told = _STATES.get(state, (state, "quiet", ""))
    vendor, _, model = target.replace(":", "/", 1).partition("/")
    mine = [change for change in changes if change.target == target]
    name = wording.target(target)
    measured = _measured([row for row in calls if row.provider == vendor and model in {"", row.model}])
    return (
        f'<div class="mcf-breaker"><header>{parts.status(name, tone)}{parts.chip(word, tone)}</header>'
        f"<p><span>{wording.escaped(told)}</span><span>{wording.escaped(measured)}</span></p>"
        f"{parts.strip(strip(mine, now=state), labels)}</div>"
    )


def _measured(rows: list[Calls]) -> str:
    """Share of the calls that worked, and the slowest model's p95."""
    attempts = sum(row.attempt_count for row in rows)
    if not attempts:
        return "no calls"
    slowest = max((row.p95_ms for row in rows if row.p95_ms is not None), default=None)
    share = sum(row.ok_count for row in rows) / attempts
    told = wording.share(share, digits=0 if share in {0, 1} else 1)
    return f"{told} ok · p95 {wording.seconds(slowest)}"


def _calls(rows: list[Calls]) -> None:
    total = sum(row.attempt_count for row in rows)
    st.html(parts.card_title("Calls", f"{total:,} calls of all workspaces; step-ins are replies won as second choice"))
    if not rows:
        states.empty("No call in 24 hours", "Models appear here with the first answer.")
        return
    columns = [
        Column(title="Model"),
        *(
            Column(title=name, is_number=True)
            for name in ("Calls", "Failed", "p50", "p95", "Hedges", "Step-ins", "Cost")
        ),
    ]
    cells = [
        (
            f"{wording.escaped(wording.provider(row.provider))}<br><small>{wording.escaped(row.model)}</small>",
            f"{row.attempt_count:,}",
            wording.share(1 - row.ok_count / row.attempt_count),
            wording.seconds(row.p50_ms),
            wording.seconds(row.p95_ms),
            f"{row.hedge_count:,}",
            f"{row.fallback_count:,}",
            wording.small_usd(row.cost_usd),
        )
        for row in rows
    ]
    st.html(parts.table(columns, cells, label="Calls by model"))


def _history(changes: list[BreakerChange], *, at: datetime) -> None:
    st.html(parts.card_title("Breaker history", "Every change of 24 hours, newest first (UTC)"))
    if not changes:
        states.empty("Nothing was shut off", "A breaker that opens is listed here within five seconds.")
        return
    cells = [
        (
            f"{change.changed_at:%H:%M:%S} <small>{wording.ago(change.changed_at, at=at)}</small>",
            wording.escaped(wording.target(change.target)),
            parts.chip(*_STATES.get(change.to_state, (change.to_state, "quiet", ""))[:2]),
            wording.escaped(wording.words(change.reason)),
        )
        for change in reversed(changes)
    ]
    columns = [Column(title=name) for name in ("At", "Model", "Became", "Why")]
    st.html(parts.table(columns, cells[:50], label="Breaker history"))
