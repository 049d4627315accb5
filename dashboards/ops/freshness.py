"""Is everything running: what waits, what failed, how old each table's data is, and which models are shut off."""

import functools
from datetime import datetime, timedelta

import streamlit as st

from dashboards import charts, parts, shell, states, wording
from dashboards.ops import data, uptime
from dashboards.parts import Column, Tone
from dashboards.viewer import Viewer
from mychatflow.store.operations import Minute, Queue
from warehouse import metrics

_WINDOW = timedelta(hours=6)
_SLOTS = 48
_QUEUE_LIMIT = 100
_WAIT_LIMIT_SECONDS = 5.0
_STATES: dict[str, tuple[str, Tone, str]] = {
    "closed": ("Closed", "good", "Healthy, traffic flows"),
    "half_open": ("Half-open", "warn", "One trial call at a time"),
    "open": ("Open", "bad", "Skipped, others answer"),
}
_VENDORS = ("openai", "gemini", "anthropic")


def show(looking: Viewer, *, at: datetime) -> None:
    """For the platform's staff: every workspace together."""
    del at
    if not looking.is_platform_staff:
        states.empty("For the platform's staff", "This page shows all workspaces together.")
        return
    states.live(_live, every="10s")


def _live() -> None:
    # The fragment runs on its own, long after the page did.
    until = shell.now()
    since = (until - _WINDOW).replace(second=0, microsecond=0)
    rows = data.asset_freshness()
    late = [row for row in rows if _status(row, at=until)[1] == "bad"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(
            parts.page_title("Pipeline & health", "All workspaces, last 6 hours · refreshes every 10 seconds"),
            width="content",
        )
        text = (
            "Everything is fresh" if not late else f"{len(late)} {'table is' if len(late) == 1 else 'tables are'} late"
        )
        st.html(parts.chip(text, "bad" if late else "good"), width="content")
    minutes = data.minutes(since, until)
    _tiles(data.queue(), minutes, at=until)
    left, right = st.columns([1.4, 1])
    with left.container(border=True, height="stretch", key="card-freshness"):
        _freshness(rows, at=until)
    with right.container(border=True, height="stretch", key="card-breakers"):
        _breakers(since, until)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch", key="card-queue"):
        _queue(minutes)
    with right.container(border=True, height="stretch", key="card-waits"):
        _waits(since, until)
    _dead_letters(at=until)


def _tiles(queue: Queue, minutes: list[Minute], *, at: datetime) -> None:
    grid = st.grid(5, min_column_width=150, key="tiles")
    tile = functools.partial(grid.metric, delta_arrow="off", border=True, height="stretch")
    per_minute = [minute.message_count for minute in minutes]
    usual = sorted(per_minute)[len(per_minute) // 2] if per_minute else 0
    tile(
        "Messages per minute",
        f"{per_minute[-2] if len(per_minute) > 1 else 0:,}",
        delta=f"{usual:,} usual",
        delta_color="green",
        chart_data=per_minute,
        chart_type="area",
        help="Messages taken from the gateway in the last full minute; the median minute of six hours beside it.",
    )
    tile(
        "Queue depth",
        f"{queue.waiting_count:,}",
        delta=f"limit {_QUEUE_LIMIT}",
        delta_color="red" if queue.waiting_count > _QUEUE_LIMIT else "green",
        chart_data=[minute.waiting_count for minute in minutes],
        chart_type="area",
        help="Messages stored and not yet worked on.",
    )
    oldest = at - queue.oldest_received_at if queue.oldest_received_at else timedelta(0)
    tile(
        "Oldest waiting",
        wording.age(oldest) if queue.oldest_received_at else "none",
        delta="limit 60 s",
        delta_color="red" if oldest > timedelta(seconds=60) else "green",
        help="How long the oldest stored message has waited for its turn.",
    )
    tile(
        "Sends in doubt",
        f"{queue.ambiguous_count:,}",
        delta=f"{queue.unsent_count:,} unsent",
        delta_color="orange" if queue.ambiguous_count else "green",
        help="The gateway did not say whether it took them; they are sent again under the same id.",
    )
    letters = queue.dead_letter_count + queue.parked_count
    tile(
        "Dead letters",
        f"{letters:,}",
        delta="replay them" if letters else "none waiting",
        delta_color="red" if letters else "green",
        help="What could not be taken or worked on. mychatflow dlq list shows them, mychatflow dlq replay tries again.",
    )


def _status(row: dict[str, object], *, at: datetime) -> tuple[str, Tone, float]:
    """A word, its tone, and the age as a share of what the table promises; a failed check outweighs youth."""
    newest, limit = row["newest_data_at"], row["limit_seconds"]
    if not isinstance(newest, datetime) or not isinstance(limit, int | float):
        return "Never ran", "bad", 1.0
    share = (at - newest).total_seconds() / limit
    if row["failed_check_count"]:
        return "Check failed", "bad", share
    if share > 1:
        return "Late", "bad", share
    return ("Due soon", "warn", share) if share > 0.9 else ("Fresh", "good", share)


def _freshness(rows: data.Rows, *, at: datetime) -> None:
    st.html(
        parts.card_title(
            "Asset freshness",
            "Age of the newest data against what each table promises",
            metrics.help_text("asset_freshness"),
        )
    )
    if not rows:
        states.empty("No table yet", "The first hourly run fills this list.")
        return
    measured = sorted(((row, *_status(row, at=at)) for row in rows), key=lambda item: -item[3])
    columns = [
        Column(title="Asset"),
        Column(title="Age vs. limit"),
        Column(title="Age", is_number=True),
        Column(title="Rows", is_number=True),
        Column(title="Status", is_number=True),
    ]
    cells = [
        (
            f"{wording.escaped(row['asset'])} <small>{wording.escaped(row['cadence'])}</small>",
            parts.meter(share / 2, mark=0.5, tone=tone),
            wording.age(at - row["newest_data_at"]) if row["newest_data_at"] else "–",
            f"{row['row_count'] or 0:,}",
            parts.chip(word, tone),
        )
        for row, word, tone, share in measured
    ]
    with st.container(height=380, border=False):
        st.html(parts.table(columns, cells, label="Freshness of each table"))
    late = [row["asset"] for row, _, tone, _ in measured if tone == "bad"]
    if late:
        with st.popover("Command that mends it", type="tertiary", icon=":material/terminal:"):
            st.code(_backfill(late, at=at), language="bash")


def _backfill(assets: list[str], *, at: datetime) -> str:
    since = (at - timedelta(days=1)).date()
    names = " ".join(f"--asset {asset}" for asset in assets)
    return f"mychatflow backfill {names} --from {since} --to {at.date() + timedelta(days=1)}"


def _breakers(since: datetime, until: datetime) -> None:
    st.html(
        parts.card_title("AI circuit breakers", "A model that fails is skipped for a while, then tried with one call")
    )
    now = {change.target: change.to_state for change in data.breakers()}
    quiet = [vendor for vendor in _VENDORS if not any(target.startswith(vendor) for target in now)]
    known = now | dict.fromkeys(quiet, "closed")
    changes = data.breaker_changes(since)
    health = {row["provider"]: row for row in data.provider_health(since)}
    labels = uptime.labels(since=since, until=until, count=_SLOTS)
    blocks = []
    for target, state in sorted(known.items()):
        word, tone, told = _STATES.get(state, (state, "quiet", ""))
        vendor = target.partition(":")[0].partition("/")[0]
        mine = [change for change in changes if change.target == target]
        strip = parts.strip(uptime.slots(mine, now=state, since=since, until=until, count=_SLOTS), labels)
        name = wording.provider(vendor) + target.removeprefix(vendor).replace(":", " ").replace("/", " ")
        measured = wording.escaped(_measured(health.get(vendor)))
        blocks.append(
            f'<div class="mcf-breaker"><header>{parts.status(name, tone)}{parts.chip(word, tone)}</header>'
            f"<p><span>{wording.escaped(told)}</span><span>{measured}</span></p>{strip}</div>"
        )
    st.html("".join(blocks))


def _measured(row: dict[str, object] | None) -> str:
    """Share of calls that worked, and p95."""
    if row is None or not row["attempt_count"]:
        return "no calls"
    attempts, worked, p95 = row["attempt_count"], row["ok_count"], row["latency_p95_ms"]
    share = float(str(worked)) / float(str(attempts))
    return f"{wording.share(share, digits=2)} ok · p95 {wording.seconds(None if p95 is None else float(str(p95)))}"


def _queue(minutes: list[Minute]) -> None:
    st.html(parts.card_title("Queue depth", "Messages waiting for a worker, per minute (UTC)"))
    rows = [{"at": minute.minute_at, "waiting": minute.waiting_count} for minute in minutes]
    figure = charts.area(rows, at="at", value="waiting", palette=shell.palette(), unit="waiting")
    st.plotly_chart(
        figure, theme=None, config=charts.CONFIG, key="queue", alt="Area chart: messages waiting per minute."
    )


def _waits(since: datetime, until: datetime) -> None:
    st.html(parts.card_title("Time to handle", "p95 per 5 minutes, alert line at 5 s (UTC)"))
    rows = [{"at": wait.slot_at, "seconds": wait.p95_seconds} for wait in data.waits(since, until)]
    if not rows:
        states.empty("Quiet hours", "No message arrived in the last 6 hours.")
        return
    figure = charts.breaches(
        rows, at="at", value="seconds", limit=_WAIT_LIMIT_SECONDS, palette=shell.palette(), unit="s"
    )
    st.plotly_chart(
        figure, theme=None, config=charts.CONFIG, key="waits", alt="Bars: p95 of handling time per 5 minutes."
    )


def _dead_letters(*, at: datetime) -> None:
    letters = data.dead_letters()
    if not letters:
        return
    with st.container(border=True, key="card-dead-letters"):
        st.html(parts.card_title("Dead letters", "Newest first; payloads stay sealed"))
        columns = [Column(title=name) for name in ("Came", "From", "Number", "Reason", "Replay")]
        cells = [
            (
                wording.ago(letter.received_at, at=at),
                wording.escaped(letter.source),
                wording.escaped(letter.session or "–"),
                wording.escaped(letter.reason),
                f"<code>mychatflow dlq replay {wording.escaped(letter.dead_letter_id)}</code>",
            )
            for letter in letters
        ]
        st.html(parts.table(columns, cells, label="Dead letters"))
