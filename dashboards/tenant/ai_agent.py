"""How the models do: who answers, what it costs, where the time goes, who stepped in, and how good answers are."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from dashboards import behind, charts, data, exports, filters, parts, shell, states, tiles, wording
from dashboards.data import Rows
from dashboards.filters import Choice
from dashboards.tenant import grading, sheets
from dashboards.viewer import Viewer
from warehouse import metrics

_STEPS = {
    "queued": "Waits for its turn",
    "validate": "Validate",
    "contact": "Contact",
    "interaction": "Store",
    "activation": "Activation",
    "language": "Language",
    "handoff": "Hand-off words",
    "gates": "Gates",
    "lead_score": "Lead score",
    "context": "Context",
    "reply": "Model",
    "send": "Gateway",
    "follow_ups": "Follow-ups",
    "device ack": "Reaches the phone",
    "read ack": "Is read",
}
_ONWARD = ":material/arrow_forward:"
# After the gateway took it, the customer's phone sets the pace.
_OUTSIDE = {"device ack", "read ack"}


# More spent may be more business; a dearer reply is only dearer.
_UNITS: tuple[tuple[str, str, Callable[[float | None], str], Literal["inverse", "off"]], ...] = (
    ("AI cost", "ai_cost", wording.usd, "off"),
    ("Per reply", "cost_per_reply", wording.small_usd, "inverse"),
    ("Per conversation", "cost_per_episode", wording.small_usd, "inverse"),
    ("Per lasting resolution", "cost_per_durable_resolution", wording.small_usd, "inverse"),
    ("Per booking", "cost_per_booking", wording.small_usd, "inverse"),
)


def show(looking: Viewer, *, at: datetime) -> None:
    """Numbers first, then models, time, failovers and quality."""
    choice = filters.head(
        looking,
        "AI agent",
        "Which models answer, what they cost and how good they are",
        page="agent",
        at=at,
        updated=data.as_of(looking.tenant_id),
    )
    unit_costs = _unit_costs(looking, choice, at=at)
    shell.numbers_first()
    left, right = st.columns([1.25, 1])
    with left.container(border=True, height="stretch", key="card-models"):
        _models(looking, choice, at=at)
    with right.container(border=True, height="stretch", key="card-waterfall"):
        _waterfall(looking, choice, at=at)
    left, right = st.columns([1.25, 1])
    with left.container(border=True, height="stretch", key="card-failovers"):
        _failovers(looking, choice, at=at)
    with right.container(border=True, height="stretch", key="card-quality"):
        grading.quality(looking, choice, at=at)
    exports.of_page(looking, "agent", sheets.ai_agent(looking, choice, unit_costs), choice.period)


def _unit_costs(looking: Viewer, choice: Choice, *, at: datetime) -> Rows:
    """What one of each thing costs, every failed and lost call included; returns what the tiles show."""
    with states.reading(120):
        now = {metric: data.metric(looking.tenant_id, metric, choice.period) for _, metric, _, _ in _UNITS}
    grid = st.grid(5, min_column_width=150, key="tiles")
    shown = []
    for number, (label, metric, written, colour) in enumerate(_UNITS):
        before = data.metric(looking.tenant_id, metric, choice.previous) if choice.previous else None
        shown.append({"number": label, "usd": now[metric], "previous_usd": before})
        value, change = written(now[metric]), wording.change(now[metric], before)
        drawn, is_pressed = shell.covered(f"cost-{number}", f"{label} {value}: who is behind it", within=grid)
        drawn.metric(
            label,
            value,
            delta=tiles.delta(change),
            delta_color=colour,
            delta_description="vs. prev." if change is not None else None,
            help=metrics.help_text(metric),
            border=True,
            height="stretch",
        )
        if is_pressed:
            found = behind.calls(looking, choice.period, title="AI cost, dearest first")
            behind.open_dialog(looking, found, choice.period, at=at)
    return shown


def _models(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    st.html(
        parts.card_title(
            "Models", "Replies, calls and price. Select a model to see its calls", metrics.help_text("provider_share")
        )
    )
    with states.reading(372):
        rows = data.model_usage(looking.tenant_id, choice.period)
    if not rows:
        states.empty("No model was asked in this period", "Shares, speed and cost appear with the first answer.")
        return
    p95 = {row["provider"]: row["latency_p95_ms"] for row in data.provider_usage(looking.tenant_id, choice.period)}
    per_day = data.provider_per_day(looking.tenant_id, choice.period)
    figure = charts.providers(per_day, period_dates=list(choice.period.dates()), palette=shell.palette(), height=230)
    curve: list[int] = []
    day = shell.clicked(figure, "models-per-day", alt="Stacked bars: replies a day by provider.", curves=curve)
    if day:
        found = behind.replies_by(looking, day, provider=charts.ordered_providers(per_day)[curve[0]])
        behind.open_dialog(looking, found, day, at=at, renews="models-per-day")
    shown = [
        {
            "Model": f"{wording.provider(row['provider'])} · {row['model']}",
            "Share": wording.share(row["reply_share"]),
            "Calls": f"{row['attempt_count']:,}",
            "Failed": wording.share(row["failed_count"] / row["attempt_count"] if row["attempt_count"] else None),
            "Tokens": wording.count(row["input_tokens"] + row["output_tokens"]),
            "p95": wording.seconds(p95.get(row["provider"])),
            "Cost": wording.usd(row["cost_usd"]),
        }
        for row in rows
    ]
    selected = st.dataframe(
        shown,
        hide_index=True,
        height=38 + 34 * min(len(shown), 6),
        row_height=34,
        key=shell.renewed("models"),
        on_select="rerun",
        selection_mode="single-row",
        alt=f"Table of {len(rows)} models with share, calls, failures, tokens, speed and cost.",
        column_config={"p95": st.column_config.TextColumn(help="Of the provider: 95 of 100 calls were faster.")},
    )
    chosen = selected["selection"]["rows"]
    if chosen:
        name = rows[chosen[0]]["provider"]
        found = behind.calls(looking, choice.period, title=f"Calls to {wording.provider(name)}", provider=name)
        behind.open_dialog(looking, found, choice.period, at=at, renews="models")


def _waterfall(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    rows = {row["step"]: row for row in data.latency_steps(looking.tenant_id, choice.period)}
    total = rows.pop("total", None)
    told = (
        f"Median {wording.seconds(total['median_ms'])}, p95 {wording.seconds(total['p95_ms'])}. Select a step"
        if total
        else "Step by step"
    )
    st.html(parts.card_title("Where the time goes", told, metrics.help_text("reply_time")))
    found = [step for step in _STEPS if step in rows]
    if not found:
        states.empty("No reply in this period", "Each step of a reply appears here.")
        return
    head, *drawn = parts.waterfall(
        [(_STEPS[step], rows[step]["median_ms"], rows[step]["p95_ms"], step in _OUTSIDE) for step in found]
    )
    with st.container(gap=None, key="falls"):
        st.html(head)
        for number, (step, fall) in enumerate(zip(found, drawn, strict=True)):
            place, is_pressed = shell.covered(f"step-{number}", f"{_STEPS[step]}: whose messages took longest")
            place.html(fall)
            if is_pressed:
                asked = behind.step(looking, choice.period, step, title=_STEPS[step])
                behind.open_dialog(looking, asked, choice.period, at=at)
    if st.button("Read the slowest replies", key="slowest-replies", type="tertiary", icon=_ONWARD):
        slowest = behind.replies(looking, choice.period, title="Replies, slowest first")
        behind.open_dialog(looking, slowest, choice.period, at=at)


def _failovers(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    kpis = data.overview_kpis(looking.tenant_id, choice.period)
    told = "Replies that another model wrote"
    if kpis["fallback_rate"] is not None:
        told = f"Another model wrote {wording.share(kpis['fallback_rate'])} of replies ({kpis['fallback_count']:,})"
    st.html(parts.card_title("Failover", told, metrics.help_text("failover")))
    if kpis["fallback_count"] and st.button("Read these replies", key="backup-replies", type="tertiary", icon=_ONWARD):
        behind.open_dialog(looking, behind.backups(looking, choice.period), choice.period, at=at)
    rows = data.failovers(looking.tenant_id, choice.period)
    if not rows:
        states.empty("No model was shut off in this period", "A breaker that opens is listed here, with whom it met.")
        return
    with st.container(gap=None, key="outages"):
        st.html(parts.outage(("Model", "Shut off", "Replies", "Slower by", "Dearer by", "Resolved"), is_head=True))
        for number, row in enumerate(rows):
            name = f"{wording.target(row['target'])}, {wording.clock(row['opened_at'], looking.timezone)}"
            place, is_pressed = shell.covered(f"outage-{number}", f"{name}: whom another model answered")
            place.html(parts.outage(_failover(row, looking.timezone)))
            if is_pressed:
                behind.open_dialog(looking, behind.outage(looking, row), None, at=at)


def _failover(row: dict[str, Any], timezone: str) -> tuple[str, ...]:
    """What explains a figure stands in small letters below it: a column each would not fit beside the quality."""
    reason = wording.escaped(wording.words(row["reason"]))
    lasted = f"for {wording.age(row['closed_at'] - row['opened_at'])}" if row["closed_at"] else "still"
    meanwhile, usual = (wording.share(row[f"{when}_autonomous_rate"], digits=0) for when in ("fallback", "usual"))
    people = "one person" if row["contact_count"] == 1 else f"{row['contact_count']:,} people"
    return (
        f"{wording.escaped(wording.target(row['target']))}<br><small>{reason}</small>",
        f"{wording.clock(row['opened_at'], timezone)}<br><small>{lasted}</small>",
        f"{row['reply_count']:,}<br><small>{people}</small>",
        wording.seconds(row["added_ms"]),
        wording.small_usd(row["added_cost_usd"]),
        f"{meanwhile}<br><small>usually {usual}</small>",
    )
