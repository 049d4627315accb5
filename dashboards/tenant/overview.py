"""How the assistant is doing: numbers first, then trends, then who answered and what it cost."""

from datetime import datetime
from typing import Any

import streamlit as st

from dashboards import behind, charts, data, exports, filters, parts, shell, states, tiles, wording
from dashboards.data import Rows
from dashboards.filters import Choice
from dashboards.tenant import restated, sheets, timeline_notes
from dashboards.theme import tokens
from dashboards.viewer import Viewer
from warehouse import metrics

_TARGET_SECONDS = 5.0
_WAITED = "The strip below says how long people waited for anybody's answer, a colleague's included."
# From and below, in milliseconds, with the colour of the strip above the words.
_BUCKETS: dict[str, tuple[str, parts.Tone, str, int, int | None]] = {
    "under_2s": ("under 2 s", "good", "green", 0, 2_000),
    "2_to_5s": ("2 to 5 s", "good", "blue", 2_000, 5_000),
    "5_to_30s": ("5 to 30 s", "warn", "orange", 5_000, 30_000),
    "over_30s": ("over 30 s", "bad", "red", 30_000, None),
}


def show(looking: Viewer, *, at: datetime) -> None:
    """The first page of a working day."""
    choice = filters.head(
        looking,
        "Overview",
        "How your assistant is doing on WhatsApp",
        page="overview",
        at=at,
        updated=data.as_of(looking.tenant_id),
    )
    pressed = tiles.overview(looking.tenant_id, choice)
    if pressed:
        _open_tile(looking, choice, pressed, at=at)
    restated.note(looking, choice)
    shell.numbers_first()
    marks = timeline_notes.marks(looking, choice)
    left, right = st.columns([1.75, 1])
    with left.container(border=True, height="stretch", key="card-messages"):
        _messages(looking, choice, marks, at=at)
    with right.container(border=True, height="stretch", key="card-reply-time"):
        _reply_time(looking, choice, marks, at=at)
    left, right = st.columns([1.25, 1])
    with left.container(border=True, height="stretch", key="card-hours"):
        _hours(looking, choice, at=at)
    with right.container(border=True, height="stretch", key="card-providers"):
        _providers(looking, choice, at=at)
    exports.of_page(looking, "overview", sheets.overview(looking, choice), choice.period)


def _open_tile(looking: Viewer, choice: Choice, column: str, *, at: datetime) -> None:
    """Who is behind one of the five numbers: the tile counts what the list counts."""
    period = choice.period
    asked = {
        "message_count": lambda: behind.messages(looking, period),
        "contact_count": lambda: behind.received(looking, period, title="People reached"),
        "reply_p50_ms": lambda: behind.replies(looking, period, title="Replies, slowest first"),
        "cost_usd": lambda: behind.calls(looking, period, title="AI cost, dearest first"),
        "answered_rate": lambda: behind.unanswered(looking, period, title="Left without an answer"),
    }[column]()
    behind.open_dialog(looking, asked, period, at=at)


def _messages(looking: Viewer, choice: Choice, marks: Rows, *, at: datetime) -> None:
    with states.reading(425):
        rows = data.messages_per_day(looking.tenant_id, choice.period)
        before = data.messages_per_day(looking.tenant_id, choice.previous) if choice.previous else []
    compared = ", dashed line is the previous period" if before else ""
    st.html(parts.card_title("Messages per day", f"Incoming messages{compared}", metrics.help_text("messages_per_day")))
    if not any(row["message_received_count"] for row in rows):
        states.empty("Nobody wrote in this period", "Messages appear here once customers write. Try a longer period.")
        return
    figure = charts.messages_per_day(rows, before, palette=shell.palette(), marks=marks, height=322)
    total = sum(row["message_received_count"] for row in rows)
    alt = f"Line chart: {total:,} incoming messages from {choice.label}. A click on a day opens who wrote."
    day = shell.clicked(figure, "messages", alt=alt)
    if day:
        found = behind.received(looking, day, title=f"Messages on {wording.day(day.since)}")
        behind.open_dialog(looking, found, day, at=at, renews="messages")
    timeline_notes.editor(looking, choice, marks)


def _reply_time(looking: Viewer, choice: Choice, marks: Rows, *, at: datetime) -> None:
    with states.reading(420):
        rows = data.reply_time_per_day(looking.tenant_id, choice.period)
    p95 = data.overview_kpis(looking.tenant_id, choice.period)["reply_p95_ms"]
    target = f"target {_TARGET_SECONDS:.0f} s"
    subtitle = f"p95 {wording.seconds(p95)} · {target}" if p95 is not None else target.capitalize()
    st.html(parts.card_title("Reply time", subtitle, f"{metrics.help_text('reply_time')} {_WAITED}"))
    if p95 is None:
        states.empty("No replies in this period", "Reply times appear after the assistant's first answer.")
        return
    figure = charts.reply_time(rows, palette=shell.palette(), target_seconds=_TARGET_SECONDS, marks=marks, height=270)
    alt = f"Line chart: reply time by day, 95 of 100 replies within {wording.seconds(p95)}."
    day = shell.clicked(figure, "reply-time", alt=f"{alt} A click on a day opens its replies, slowest first.")
    if day:
        found = behind.replies(looking, day, title=f"Replies on {wording.day(day.since)}, slowest first")
        behind.open_dialog(looking, found, day, at=at, renews="reply-time")
    _buckets(looking, choice, at=at)


def _buckets(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    """How long people waited, as one strip; each share opens who waited so long."""
    counts = {row["bucket"]: row["reply_count"] for row in data.reply_time_buckets(looking.tenant_id, choice.period)}
    total = sum(counts.values())
    if not total:
        return
    st.html(parts.strip_of([(count, _BUCKETS[name][1]) for name, count in counts.items()]))
    chosen = st.pills(
        "Waited",
        list(_BUCKETS),
        format_func=lambda name: (
            f":{_BUCKETS[name][2]}[■] {_BUCKETS[name][0]} **{wording.share(counts[name] / total, digits=0)}**"
        ),
        key=shell.renewed("buckets"),
        label_visibility="collapsed",
    )
    if chosen:
        words, _, _, least, below = _BUCKETS[chosen]
        found = behind.waits(looking, choice.period, title=f"Waited {words}", least_ms=least, below_ms=below)
        behind.open_dialog(looking, found, choice.period, at=at, renews="buckets")


def _hours(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    with states.reading(408):
        rows = data.hour_heatmap(looking.tenant_id, choice.period)
    st.html(
        parts.card_title(
            "When people write",
            "Messages per hour in an average week. Click a cell to read them",
            metrics.help_text("when_people_write"),
        )
    )
    busiest = max(rows, key=lambda row: row["message_count"], default=None)
    if busiest is None or not busiest["message_count"]:
        states.empty("Nobody wrote in this period", "The busiest hours of your week appear here.")
        return
    figure = charts.heatmap(rows, palette=shell.palette(), weeks=choice.period.days / 7)
    label = f"{wording.LONG_WEEKDAYS[busiest['iso_weekday'] - 1]} {busiest['hour']:02d}:00"
    alt = f"Heatmap of messages by weekday and hour; the busiest is {label}."
    points = shell.pointed(figure, "hours", alt=alt)
    # The same list without a pointer: the chart itself cannot be reached by keyboard.
    is_asked = st.button(f"Read the busiest hour: {label}", type="tertiary", icon=":material/arrow_forward:")
    if points or is_asked:
        weekday, hour = points[0]["customdata"][:2] if points else (busiest["iso_weekday"], busiest["hour"])
        title = f"{wording.LONG_WEEKDAYS[int(weekday) - 1]} {int(hour):02d}:00 to {(int(hour) + 1) % 24:02d}:00"
        found = behind.received(looking, choice.period, title=title, iso_weekday=int(weekday), hour=int(hour))
        behind.open_dialog(looking, found, choice.period, at=at, renews="hours")


def _providers(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    with states.reading(391):
        usage = data.provider_usage(looking.tenant_id, choice.period)
    kpis = data.overview_kpis(looking.tenant_id, choice.period)
    backups = kpis["fallback_rate"]
    subtitle = "Who answers, how fast and at what price"
    if backups is not None:
        subtitle = f"Backup model answered {wording.share(backups)} of messages"
    st.html(parts.card_title("AI providers", subtitle, metrics.help_text("provider_share")))
    if not usage:
        states.empty("No model was asked in this period", "Shares, speed and cost by provider appear here.")
        return
    palette = shell.palette()
    per_day = data.provider_per_day(looking.tenant_id, choice.period)
    figure = charts.providers(per_day, period_dates=list(choice.period.dates()), palette=palette)
    names = charts.ordered_providers(per_day)
    curve: list[int] = []
    day = shell.clicked(figure, "providers", alt="Stacked bars: replies a day by AI provider.", curves=curve)
    if day:
        found = behind.replies_by(looking, day, provider=names[curve[0]])
        behind.open_dialog(looking, found, day, at=at, renews="providers")
    if kpis["fallback_count"] and st.button("Read what the backup wrote", key="backup-replies", type="tertiary"):
        behind.open_dialog(looking, behind.backups(looking, choice.period), choice.period, at=at)
    st.html(parts.line(("Provider", "Share", "Tokens", "p95", "Cost"), is_head=True))
    for row in sorted(usage, key=lambda row: -row["reply_count"]):
        _provider(looking, choice, row, at=at)


def _provider(looking: Viewer, choice: Choice, row: dict[str, Any], *, at: datetime) -> None:
    provider = row["provider"]
    drawn, is_pressed = shell.covered(f"provider-{provider}", f"{wording.provider(provider)}: its replies")
    cells = (
        parts.swatch(wording.provider(provider), tokens.provider_colour(shell.palette(), provider)),
        wording.share(row["reply_share"]),
        wording.count(row["input_tokens"] + row["output_tokens"]),
        wording.seconds(row["latency_p95_ms"]),
        wording.usd(row["cost_usd"]),
    )
    drawn.html(parts.line(cells))
    if is_pressed:
        behind.open_dialog(looking, behind.replies_by(looking, choice.period, provider=provider), choice.period, at=at)
