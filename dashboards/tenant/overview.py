"""How the assistant is doing: numbers first, then trends, then who answered and what it cost."""

from datetime import datetime

import streamlit as st

from dashboards import charts, data, filters, parts, people, shell, states, tiles, wording
from dashboards.filters import Choice
from dashboards.parts import Column
from dashboards.theme import tokens
from dashboards.viewer import Viewer
from warehouse import metrics

_TARGET_SECONDS = 5.0
_BUCKETS: dict[str, tuple[str, parts.Tone]] = {
    "under_2s": ("under 2 s", "good"),
    "2_to_5s": ("2 to 5 s", "good"),
    "5_to_30s": ("5 to 30 s", "warn"),
    "over_30s": ("over 30 s", "bad"),
}


def show(looking: Viewer, *, at: datetime) -> None:
    """The first page of a working day."""
    choice = filters.head(
        "Overview",
        "How your assistant is doing on WhatsApp",
        timezone=looking.timezone,
        at=at,
        updated=data.as_of(looking.tenant_id),
    )
    tiles.overview(looking.tenant_id, choice)
    left, right = st.columns([1.75, 1])
    with left.container(border=True, height="stretch", key="card-messages"):
        _messages(looking, choice)
    with right.container(border=True, height="stretch", key="card-reply-time"):
        _reply_time(looking, choice)
    left, right = st.columns([1.25, 1])
    with left.container(border=True, height="stretch", key="card-hours"):
        _hours(looking, choice, at=at)
    with right.container(border=True, height="stretch", key="card-providers"):
        _providers(looking, choice)


def _messages(looking: Viewer, choice: Choice) -> None:
    with states.reading(342):
        rows = data.messages_per_day(looking.tenant_id, choice.period)
        before = data.messages_per_day(looking.tenant_id, choice.previous) if choice.previous else []
    compared = ", dashed line is the previous period" if before else ""
    st.html(parts.card_title("Messages per day", f"Incoming messages{compared}", metrics.help_text("messages_per_day")))
    if not any(row["message_received_count"] for row in rows):
        states.empty("Nobody wrote in this period", "Messages appear here once customers write. Try a longer period.")
        return
    incidents = [
        row | {"local_date": row["at"].astimezone(wording.zone(looking.timezone)).date()}
        for row in data.incidents(looking.tenant_id, choice.period)
    ]
    figure = charts.messages_per_day(rows, before, incidents, palette=shell.palette(), height=342)
    total = sum(row["message_received_count"] for row in rows)
    st.plotly_chart(
        figure,
        theme=None,
        config=charts.CONFIG,
        key="messages",
        alt=f"Line chart: {total:,} incoming messages from {choice.label}.",
    )


def _reply_time(looking: Viewer, choice: Choice) -> None:
    with states.reading(342):
        rows = data.reply_time_per_day(looking.tenant_id, choice.period)
    p95 = data.overview_kpis(looking.tenant_id, choice.period)["reply_p95_ms"]
    subtitle = f"p95 {wording.seconds(p95)} · target {_TARGET_SECONDS:.0f} s"
    st.html(parts.card_title("Reply time", subtitle, metrics.help_text("reply_time")))
    if p95 is None:
        states.empty("No replies in this period", "Reply times appear after the assistant's first answer.")
        return
    figure = charts.reply_time(rows, palette=shell.palette(), target_seconds=_TARGET_SECONDS, height=270)
    st.plotly_chart(
        figure,
        theme=None,
        config=charts.CONFIG,
        key="reply-time",
        alt=f"Line chart: reply time by day, 95 of 100 replies within {wording.seconds(p95)}.",
    )
    buckets = data.reply_time_buckets(looking.tenant_id, choice.period)
    shown = [(row["reply_count"], *_BUCKETS[row["bucket"]]) for row in buckets]
    st.html(parts.buckets([(name, count, tone) for count, name, tone in shown]))


def _hours(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    with states.reading(360):
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
    chosen = st.plotly_chart(
        figure,
        theme=None,
        config=charts.CONFIG,
        key=shell.renewed("hours"),
        on_select="rerun",
        selection_mode="points",
        alt=f"Heatmap of messages by weekday and hour; the busiest is {label}.",
    )
    # The same list without a pointer: the chart itself cannot be reached by keyboard.
    is_asked = st.button(f"Read the busiest hour: {label}", type="tertiary", icon=":material/arrow_forward:")
    points = chosen["selection"]["points"]
    if points:
        weekday, hour = points[0]["customdata"][:2]
        people.open_hour(looking, choice, iso_weekday=int(weekday), hour=int(hour), at=at)
    elif is_asked:
        people.open_hour(looking, choice, iso_weekday=busiest["iso_weekday"], hour=busiest["hour"], at=at)


def _providers(looking: Viewer, choice: Choice) -> None:
    with states.reading(360):
        usage = data.provider_usage(looking.tenant_id, choice.period)
    kpis = data.overview_kpis(looking.tenant_id, choice.period)
    subtitle = f"Backup model answered {wording.share(kpis['fallback_rate'])} of messages"
    st.html(parts.card_title("AI providers", subtitle, metrics.help_text("provider_share")))
    if not usage:
        states.empty("No model was asked in this period", "Shares, speed and cost by provider appear here.")
        return
    palette = shell.palette()
    per_day = data.provider_per_day(looking.tenant_id, choice.period)
    figure = charts.providers(per_day, period_dates=list(choice.period.dates()), palette=palette)
    st.plotly_chart(
        figure, theme=None, config=charts.CONFIG, key="providers", alt="Stacked bars: replies a day by AI provider."
    )
    columns = [
        Column(title="Provider"),
        *(Column(title=name, is_number=True) for name in ("Share", "Tokens", "p95", "Cost")),
    ]
    rows = [
        (
            parts.swatch(wording.provider(row["provider"]), tokens.provider_colour(palette, row["provider"])),
            wording.share(row["reply_share"]),
            wording.count(row["input_tokens"] + row["output_tokens"]),
            wording.seconds(row["latency_p95_ms"]),
            wording.usd(row["cost_usd"]),
        )
        for row in sorted(usage, key=lambda row: -row["reply_count"])
    ]
    st.html(parts.table(columns, rows, label="AI providers"))
