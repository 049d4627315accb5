"""Who uses how much of their plan, and who is so loud that others wait."""

from datetime import datetime, timedelta

import streamlit as st

from dashboards import parts, shell, states, wording
from dashboards.ops import data, door
from dashboards.parts import Column, Tone
from dashboards.viewer import Viewer
from mychatflow.rules import plan
from mychatflow.store.watch import Neighbour
from warehouse.periods import Period

_LATELY = timedelta(hours=1)
_DAYS = 28
# Half of everything that came within the hour, or that waits, is one tenant's: the others feel it.
_NOISY_SHARE = 0.5
_NOISY_LEAST = 20


def show(looking: Viewer, *, at: datetime) -> None:
    """The hour from Postgres, four weeks from the published marts."""
    del at
    door.live(looking, _live, every="10s")


def _live() -> None:
    at = shell.now()
    rows = data.neighbours(at - _LATELY, at.date())
    noisy = [row for row in rows if is_noisy(row, rows)]
    word = "Nobody is noisy" if not noisy else f"{wording.listed([row.name for row in noisy])}: noisy"
    door.head("Tenants", "Usage against plan · refreshes every 10 seconds", word, "warn" if noisy else "good")
    usage = {
        row["tenant_id"]: row
        for row in data.tenant_usage(Period(since=at.date() - timedelta(days=_DAYS), until=at.date()))
    }
    with st.container(border=True, key="card-tenants"):
        st.html(
            parts.card_title(
                "Workspaces",
                f"The loudest of the last hour first; the fullest of {_DAYS} days is a share of the plan's day",
            )
        )
        if not rows:
            states.empty("No workspace yet", "mychatflow tenant create makes one.")
            return
        columns = [
            Column(title="Workspace"),
            Column(title="Today of plan"),
            *(
                Column(title=name, is_number=True)
                for name in ("Last hour", "Waiting", "Oldest", "28 days", "Fullest", "AI cost")
            ),
            Column(title="State", is_number=True),
        ]
        cells = [_cells(row, usage.get(row.tenant_id), is_loud=row in noisy, at=at) for row in rows]
        st.html(parts.table(columns, cells, label="Workspaces with their load"))


def is_noisy(one: Neighbour, everybody: list[Neighbour]) -> bool:
    """Whether this tenant alone is half of the hour's messages or of the queue, and there are enough to matter."""
    if len(everybody) < 2:
        return False
    loads = (
        (one.received_count, sum(row.received_count for row in everybody)),
        (one.waiting_count, sum(row.waiting_count for row in everybody)),
    )
    return any(mine >= _NOISY_LEAST and mine > _NOISY_SHARE * total for mine, total in loads)


def _cells(row: Neighbour, used: dict[str, object] | None, *, is_loud: bool, at: datetime) -> tuple[str, ...]:
    limit = plan.DAILY_MESSAGES.get(row.plan, 0)
    share = row.used_count / limit if limit else 0.0
    tone: Tone = "bad" if share >= 1 else "warn" if share >= 0.8 else "good"
    peak = used["peak_share"] if used else None
    state: tuple[str, Tone] = (
        ("Suspended", "bad") if row.is_suspended else ("Noisy", "warn") if is_loud else ("Fine", "good")
    )
    return (
        f"{wording.escaped(row.name)} <small>{wording.escaped(wording.words(row.plan))}</small>",
        parts.meter(share, mark=0.8, tone=tone) + f"<small>{row.used_count:,} of {limit:,}</small>",
        f"{row.received_count:,}",
        f"{row.waiting_count:,}",
        wording.age(at - row.oldest_at) if row.oldest_at else "–",
        f"{used['message_count']:,}" if used else "–",
        wording.share(float(str(peak)), digits=0) if peak is not None else "–",
        wording.usd(float(str(used["cost_usd"]))) if used else "–",
        parts.chip(*state),
    )
