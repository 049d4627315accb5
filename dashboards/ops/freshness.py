"""Is everything running: what waits, what failed, how old each table's data is, and which models are shut off."""

from datetime import date, datetime, timedelta
from typing import Any, Final

import streamlit as st

from dashboards import parts, shell, states, wording
from dashboards.ops import data, delivery, door, providers
from dashboards.parts import Column, Tone
from dashboards.viewer import Viewer
from warehouse import metrics, windows

_WINDOW = timedelta(hours=6)
# How far back a table without any data is computed at first.
_NEVER_RAN = timedelta(days=28)
_RESTATED = timedelta(days=7)
_FAILED: Final = "Check failed"
_WARNED: Final = "Check warns"
_OLD: Final = {"Never ran", "Late"}
# What needs a look stands above what is merely old.
_URGENCY: Final[tuple[Tone, ...]] = ("bad", "warn", "good")


def show(looking: Viewer, *, at: datetime) -> None:
    """For the platform's staff: every workspace together."""
    del at
    door.live(looking, _live, every="10s")


def _live() -> None:
    # The fragment runs on its own, long after the page did.
    until = shell.now()
    since = (until - _WINDOW).replace(second=0, microsecond=0)
    rows = data.asset_freshness()
    door.head("Pipeline & health", "All workspaces, last 6 hours · refreshes every 10 seconds", *_told(rows, at=until))
    minutes = data.minutes(since, until)
    delivery.tiles(data.queue(), minutes, at=until)
    left, right = st.columns([1.4, 1])
    with left.container(border=True, height="stretch", key="card-freshness"):
        _freshness(rows, at=until)
    with right.container(border=True, height="stretch", key="card-breakers"):
        providers.breakers(since, until)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch", key="card-queue"):
        delivery.queue_depth(minutes, since, until)
    with right.container(border=True, height="stretch", key="card-waits"):
        delivery.waits(since, until)


def _told(rows: data.Rows, *, at: datetime) -> tuple[str, Tone]:
    """What is wrong with the tables, apart: one that is late waits for a run, one that failed a check for a person."""
    words = [_status(row, at=at)[0] for row in rows]
    late, failed, warned = (sum(word in kinds for word in words) for kinds in (_OLD, {_FAILED}, {_WARNED}))
    said = []
    if late:
        said.append(wording.counted(late, "table is late", "tables are late"))
    if failed:
        said.append(wording.counted(failed, "table failed a check", "tables failed a check"))
    if warned:
        said.append(wording.counted(warned, "table has a warning", "tables have a warning"))
    if not said:
        return "Everything is fresh", "good"
    return " · ".join(said), "bad" if late or failed else "warn"


def _status(row: dict[str, Any], *, at: datetime) -> tuple[str, Tone, float]:
    """A word, its tone, and the age as a share of what the table promises; a failed check outweighs youth."""
    newest, limit = row["newest_data_at"], row["limit_seconds"]
    if not isinstance(newest, datetime) or not isinstance(limit, int | float):
        return "Never ran", "bad", 1.0
    share = (at - newest).total_seconds() / limit
    broken = {_is_warning(check) for check in row["checks"] if check["failed_count"]}
    if False in broken:
        return _FAILED, "bad", share
    if share > 1:
        return "Late", "bad", share
    if broken:
        return _WARNED, "warn", share
    return ("Due soon", "warn", share) if share > 0.9 else ("Fresh", "good", share)


def _is_warning(check: dict[str, Any]) -> bool:
    """A person should look, and the numbers stand; any other would have kept them from being published."""
    return bool(check["severity"] == "warn")


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
    measured = sorted(
        ((row, *_status(row, at=at)) for row in rows), key=lambda item: (_URGENCY.index(item[2]), -item[3])
    )
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
    if failed := _broken(rows, is_warning=False):
        st.html(parts.chips(failed, "bad"))
    if warned := _broken(rows, is_warning=True):
        st.html(parts.chips(warned, "warn"))
    _restated(at=at)
    to_mend = [row for row, _, tone, _ in measured if tone == "bad" or row["failed_check_count"]]
    if to_mend:
        with st.popover("Command that mends it", type="tertiary", icon=":material/terminal:"):
            st.code("\n".join([*_differing(), *_backfill(to_mend, at=at)]), language="bash")


def _broken(rows: data.Rows, *, is_warning: bool) -> list[str]:
    """Which checks, and of how many rows; what only warns says so."""
    return [
        f"{'Warning: ' if is_warning else ''}{row['asset']} · {check['check_name']}: "
        f"{wording.counted(check['failed_count'], 'row', 'rows')}"
        for row in rows
        for check in row["checks"]
        if check["failed_count"] and _is_warning(check) is is_warning
    ]


def _restated(*, at: datetime) -> None:
    """Which published numbers late facts or a backfill changed in the last week; nothing while all stand."""
    # By the hour, so that a look every ten seconds asks the same question.
    rows = data.restated((at - _RESTATED).replace(minute=0, second=0, microsecond=0))
    if not rows:
        return
    total = sum(row["number_count"] for row in rows)
    columns = [Column(title="Table"), *(Column(title=name, is_number=True) for name in ("Numbers", "Last", "Why"))]
    cells = [
        (
            wording.escaped(row["model"]),
            f"{row['number_count']:,} <small>of {row['tenant_count']:,} workspaces</small>",
            wording.ago(row["restated_at"], at=at),
            wording.escaped(wording.words(row["cause"])),
        )
        for row in rows
    ]
    with st.popover(
        f"{wording.counted(total, 'number', 'numbers')} restated this week", type="tertiary", icon=":material/history:"
    ):
        st.html(parts.table(columns, cells, label="Restated numbers by table"))


def _differing() -> list[str]:
    """Where Postgres has other events than the warehouse, they are read again."""
    days = data.differing_days()
    if days is None:
        return []
    until = days["last_date"] + timedelta(days=1)
    return [windows.backfill_command((), days["first_date"], until)]


def _backfill(rows: data.Rows, *, at: datetime) -> list[str]:
    """From the day of each late table's newest data to tomorrow; tables that stopped together share a command."""
    by_day: dict[date, list[str]] = {}
    for row in rows:
        if row["asset"] == "reconciliation" and row["failed_check_count"]:
            # Computing the comparison again would mend nothing.
            continue
        newest = row["newest_data_at"]
        since = newest.date() if newest else (at - _NEVER_RAN).date()
        by_day.setdefault(since, []).append(str(row["asset"]))
    until = at.date() + timedelta(days=1)
    return [windows.backfill_command(assets, since, until) for since, assets in sorted(by_day.items())]
