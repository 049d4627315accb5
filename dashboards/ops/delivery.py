"""Do messages get in and out: rates and errors, what waits and how long, sends in doubt, and dead letters."""

import functools
from datetime import datetime, timedelta

import streamlit as st

from dashboards import charts, parts, shell, states, wording
from dashboards.ops import data, door, gauges
from dashboards.parts import Column, Tone
from dashboards.viewer import Viewer
from mychatflow.rules.alerts import LONGEST_SEND, LONGEST_SILENCE, LONGEST_WAIT
from mychatflow.store.dead_letters import Letter
from mychatflow.store.operations import Minute, Queue
from mychatflow.store.watch import Sends

_WINDOW = timedelta(hours=6)
_QUEUE_LIMIT = 100
_WAIT_LIMIT_SECONDS = 5.0
_SLOT = timedelta(minutes=5)


def show(looking: Viewer, *, at: datetime) -> None:
    """Live, from Postgres and the web process's own counts."""
    del at
    door.live(looking, _live, every="5s")


def _live() -> None:
    until = shell.now()
    since = (until - _WINDOW).replace(second=0, microsecond=0)
    queue, minutes, letters = data.queue(), data.minutes(since, until), data.dead_letters()
    door.head(
        "Delivery",
        "All workspaces, last 6 hours · refreshes every 5 seconds",
        *told(queue, data.worker_seen_at(), at=until),
    )
    tiles(queue, minutes, at=until)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch", key="card-queue"):
        queue_depth(minutes, since, until)
    with right.container(border=True, height="stretch", key="card-waits"):
        waits(since, until)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch", key="card-webhooks"):
        _webhooks(minutes)
    with right.container(border=True, height="stretch", key="card-doubtful"):
        _doubtful(data.sends(since), at=until)
    with st.container(border=True, key="card-dead-letters"):
        _dead_letters(letters, at=until)


def told(queue: Queue, worker_seen_at: datetime | None, *, at: datetime) -> tuple[str, Tone]:
    """The state of things: whether anybody works, what waits for a person by the numbers below, what mends itself."""
    said = []
    if worker_seen_at is None:
        said.append("No worker has run yet")
    elif at - worker_seen_at > LONGEST_SILENCE:
        said.append(f"No worker runs, last seen {wording.ago(worker_seen_at, at=at)}")
    tone: Tone = "bad" if said else "warn"
    is_stuck = (
        queue.waiting_count > _QUEUE_LIMIT
        or _longest_wait(queue, at=at) > LONGEST_WAIT
        or _letter_count(queue) > 0
        or are_late(queue, at=at)
    )
    if is_stuck:
        said.append("Somebody should look")
    if queue.ambiguous_count:
        said.append(
            wording.counted(
                queue.ambiguous_count,
                "send is in doubt: it is checked and goes out again by itself",
                "sends are in doubt: they are checked and go out again by themselves",
            )
        )
    return (" · ".join(said), tone) if said else ("Everything flows", "good")


def _longest_wait(queue: Queue, *, at: datetime) -> timedelta:
    return at - queue.oldest_received_at if queue.oldest_received_at else timedelta(0)


def _letter_count(queue: Queue) -> int:
    return queue.dead_letter_count + queue.parked_count


def are_late(queue: Queue, *, at: datetime) -> bool:
    """Whether the gateway has not taken an answer for longer than one should wait, for its own sake or its pace."""
    return queue.oldest_try_at is not None and at - queue.oldest_try_at > LONGEST_SEND


def tiles(queue: Queue, minutes: list[Minute], *, at: datetime) -> None:
    """The five numbers by which an operator knows."""
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
    oldest = _longest_wait(queue, at=at)
    tile(
        "Oldest waiting",
        wording.age(oldest) if queue.oldest_received_at else "none",
        delta=f"limit {LONGEST_WAIT.total_seconds():.0f} s",
        delta_color="red" if oldest > LONGEST_WAIT else "green",
        help="How long the oldest stored message has waited for its turn.",
    )
    tile(
        "Sends in doubt",
        f"{queue.ambiguous_count:,}",
        delta=f"{queue.unsent_count:,} unsent",
        delta_color="orange" if queue.ambiguous_count or are_late(queue, at=at) else "green",
        help="The gateway did not say whether it took them; they are sent again under the same id. Others wait for "
        "the gateway, or for their number's pace.",
    )
    letters = _letter_count(queue)
    tile(
        "Dead letters",
        f"{letters:,}",
        delta="replay them" if letters else "none waiting",
        delta_color="red" if letters else "green",
        help="What could not be taken or worked on; the Delivery page lists and replays them.",
    )


def queue_depth(minutes: list[Minute], since: datetime, until: datetime) -> None:
    st.html(parts.card_title("Queue depth", "Messages waiting for a worker, per minute (UTC)"))
    rows = [{"at": minute.minute_at, "waiting": minute.waiting_count} for minute in minutes]
    figure = charts.area(
        rows, at="at", value="waiting", since=since, until=until, palette=shell.palette(), unit="waiting"
    )
    most = max((minute.waiting_count for minute in minutes), default=0)
    alt = f"Area chart: messages waiting per minute, {most:,} at most."
    shell.chart(figure, "queue", alt=alt)


def waits(since: datetime, until: datetime) -> None:
    st.html(parts.card_title("Time to handle", "p95 per 5 minutes, alert line at 5 s (UTC)"))
    found = data.waits(since, until)
    if not found:
        states.empty("Quiet hours", "No message arrived in the last 6 hours.")
        return
    rows = [{"at": wait.slot_at, "seconds": wait.p95_seconds} for wait in found]
    figure = charts.breaches(
        rows,
        at="at",
        value="seconds",
        limit=_WAIT_LIMIT_SECONDS,
        slot=_SLOT,
        since=since,
        until=until,
        palette=shell.palette(),
        unit="s",
    )
    slow = sum(wait.p95_seconds > _WAIT_LIMIT_SECONDS for wait in found)
    alt = f"Bars: p95 of handling time per 5 minutes, {slow} above 5 seconds."
    shell.chart(figure, "waits", alt=alt)


def _webhooks(minutes: list[Minute]) -> None:
    taken = sum(minute.message_count for minute in minutes)
    st.html(
        parts.card_title(
            "Webhooks",
            f"{wording.counted(taken, 'message', 'messages')} taken in 6 hours; below, what the web process counted",
        )
    )
    counts = gauges.webhooks()
    if counts is None:
        states.empty(
            "The web process tells no counts here",
            "It is away, which mychatflow doctor would say, or only Prometheus may ask it for them.",
        )
        return
    if not counts:
        states.empty("None since the web process started", "Answers by kind appear here with the next message.")
        return
    total = sum(counts.values())
    columns = [
        Column(title="What became of it"),
        Column(title="Count", is_number=True),
        Column(title="Share", is_number=True),
    ]
    cells = [
        (parts.chip(wording.words(name), gauges.tone(name)), f"{count:,.0f}", wording.share(count / total))
        for name, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    st.html(parts.table(columns, cells, label="Webhooks since the web process started"))


def _doubtful(sends: list[Sends], *, at: datetime) -> None:
    sent, failed = sum(slot.sent_count for slot in sends), sum(slot.failed_count for slot in sends)
    st.html(parts.card_title("Sends", f"{sent:,} accepted by the gateway, {failed:,} refused in 6 hours"))
    rows = data.doubtful()
    if not rows:
        states.empty(
            "No send is in doubt", "A send without a clear answer waits here, and goes out again under its id."
        )
        return
    columns = [Column(title=name) for name in ("State", "Workspace", "Kind", "Tries", "Since", "Last error")]
    cells = [
        (
            parts.chip("In doubt", "warn") if row.state == "ambiguous" else parts.chip(wording.words(row.state)),
            wording.escaped(row.tenant),
            wording.escaped(wording.words(row.kind)),
            f"{row.attempts}",
            wording.ago(row.since, at=at),
            wording.escaped(row.last_error or "–"),
        )
        for row in rows
    ]
    st.html(parts.table(columns, cells, label="Sends in doubt"))


def _dead_letters(letters: list[Letter], *, at: datetime) -> None:
    st.html(parts.card_title("Dead letters", "What could not be taken or worked on; payloads stay sealed"))
    if not letters:
        states.empty("No dead letter", "What cannot be taken is kept here whole, to be replayed.")
        return
    columns = [Column(title=name) for name in ("Came", "From", "Number", "Reason", "Id")]
    cells = [
        (
            wording.ago(letter.received_at, at=at),
            wording.escaped(letter.source),
            wording.escaped(letter.session or "–"),
            wording.escaped(letter.reason),
            f"<code>{wording.escaped(letter.letter_id)}</code>",
        )
        for letter in letters[:20]
    ]
    st.html(parts.table(columns, cells, label="Dead letters"))
    ids = [letter.letter_id for letter in letters]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.multiselect(
            "Replay", ids, key="letters", placeholder="Choose letters", label_visibility="collapsed", width=420
        )
        st.button(
            "Replay", icon=":material/replay:", key="replay", disabled=not chosen, on_click=_replay, args=(chosen,)
        )


def _replay(letter_ids: list[str]) -> None:
    """Each by itself: one that is refused keeps no other."""
    refused = [reason for letter_id in letter_ids if (reason := data.replay(letter_id))]
    done = len(letter_ids) - len(refused)
    if done:
        st.toast(f"{done} replayed", icon=":material/check:")
    for reason in refused[:3]:
        st.toast(f"Not replayed: {reason}", icon=":material/error:")
