"""Plan and usage: how much of today is left, how full each day was, and who is in the team."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

import streamlit as st

from dashboards import parts, wording
from dashboards.parts import Tone
from dashboards.setup import data
from dashboards.viewer import Viewer
from mychatflow.rules import plan
from mychatflow.rules.plan import Plan

_DAYS: Final = 42
_WARNED_AT: Final = 0.8


def show(looking: Viewer, *, at: datetime) -> None:
    """Today first; a plan's day ends at midnight UTC, as the counter does."""
    today = at.date()
    held = data.plan_of(looking.tenant_id)
    used = data.usage(looking.tenant_id, since=today - timedelta(days=_DAYS - 1))
    limit = plan.DAILY_MESSAGES[held]
    now = used.get(today, 0)
    st.html(
        parts.page_title(
            "Plan & usage", f"Plan {held.value.capitalize()}: each answer of the agent takes one message of the day"
        )
    )
    left, right = st.columns([1.4, 1])
    with left.container(border=True, height="stretch", key="card-today"):
        st.html(parts.card_title("Today", f"Begins anew at midnight UTC, in {_left(at)}"))
        st.html(_meter(now, limit, "messages"))
        _warn(now, limit)
    with right.container(border=True, height="stretch", key="card-people"):
        users = len(data.team(looking.tenant_id))
        st.html(parts.card_title("Team", "People who are in or invited"))
        st.html(_meter(users, plan.USERS[held], "people"))
    with st.container(border=True, key="card-days"):
        days = [today - timedelta(days=back) for back in reversed(range(_DAYS))]
        fullest = max(used.values(), default=0)
        st.html(
            parts.card_title(
                "Messages a day", f"The last six weeks. The fullest day took {fullest:,} of the plan's {limit:,}"
            )
        )
        st.html(bars(used, days, limit=limit))
    with st.container(border=True, key="card-plans"):
        st.html(parts.card_title("Plans", "Ask the operator of this installation for another one"))
        st.html(_plans(held))


def tone(used: int, limit: int) -> Tone:
    """Amber from four fifths on, coral when it is used up: where the warnings are sent too."""
    return "bad" if used >= limit else "warn" if used >= _WARNED_AT * limit else "good"


def bars(used: Mapping[date, int], days: list[date], *, limit: int) -> str:
    """One bar a day, under the line of the plan where that is near; each says its day and number."""
    # The line of a plan that is far away would press the bars flat.
    fullest = max(used.values(), default=0)
    highest = max(limit, fullest) if fullest * 4 >= limit else max(fullest * 1.1, 1)
    drawn = "".join(
        f'<i class="mcf-{tone(used.get(day, 0), limit)}" style="height:{used.get(day, 0) / highest * 100:.1f}%"'
        f' title="{wording.escaped(f"{wording.day(day)}: {used.get(day, 0):,}")}"></i>'
        for day in days
    )
    ends = f"<p><span>{wording.day(days[0])}</span><span>{wording.day(days[-1])}</span></p>"
    total = sum(used.get(day, 0) for day in days)
    label = wording.escaped(
        f"Bars: {total:,} messages in {len(days)} days, at most {max(used.values(), default=0):,} a day"
    )
    line = f'<s style="bottom:{limit / highest * 100:.1f}%"></s>' if limit <= highest else ""
    return f'<div class="mcf-days" role="img" aria-label="{label}"><div>{line}{drawn}</div>{ends}</div>'


def _meter(used: int, limit: int, counted: str) -> str:
    share = used / limit if limit else 1.0
    told = wording.share(share, digits=0)
    return (
        f'<div class="mcf-rate"><strong>{used:,}</strong><span>of {limit:,} {counted} ({told})</span></div>'
        + parts.meter(share, mark=_WARNED_AT, tone=tone(used, limit))
    )


def _warn(used: int, limit: int) -> None:
    if used >= limit:
        st.error("The day is used up: nobody is answered by the agent until midnight UTC. People can still write.")
    elif used >= _WARNED_AT * limit:
        st.warning("Four fifths of the day are used. At 100 percent the agent falls silent until midnight UTC.")
    else:
        st.caption("People on duty hear of it at 80 and at 100 percent, by e-mail and under notifications.")


def _left(at: datetime) -> str:
    midnight = datetime.combine(at.date() + timedelta(days=1), datetime.min.time(), tzinfo=at.tzinfo)
    return wording.age(midnight - at)


def _plans(held: Plan) -> str:
    columns = [
        parts.Column(title="Plan"),
        *(parts.Column(title=t, is_number=True) for t in ("Messages a day", "People")),
    ]
    cells: list[tuple[Any, ...]] = [
        (
            wording.escaped(each.value.capitalize()) + (f" {parts.chip('yours', 'good')}" if each is held else ""),
            f"{plan.DAILY_MESSAGES[each]:,}",
            f"{plan.USERS[each]:,}",
        )
        for each in Plan
    ]
    return parts.table(columns, cells, label="Plans")
