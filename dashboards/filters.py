"""The period a page talks about: chosen once, kept in the address, whole weeks so that weekdays compare."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import streamlit as st

from dashboards import parts, saved, wording
from dashboards.viewer import Viewer
from warehouse.periods import Period

PRESETS = {"7d": 7, "28d": 28, "91d": 91}
CUSTOM = "Custom"
_LONGEST_DAYS = 366
_LATE = timedelta(hours=2, minutes=15)
_KEPT = "kept-filters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A period and, when comparing, the one before it."""

    period: Period
    previous: Period | None

    @property
    def label(self) -> str:
        return wording.span(self.period.since, self.period.until)


def preset(days: int, *, today: date) -> Period:
    """The whole days before today: an unfinished day would look like a fall."""
    return Period(since=today - timedelta(days=days), until=today)


def custom(chosen: tuple[date, ...], *, today: date) -> Period:
    """The dates of a range picker, both included, at most a year; one date so far is that day."""
    if not chosen:
        return preset(PRESETS["28d"], today=today)
    first, last = min(chosen), max(chosen)
    first = max(first, last - timedelta(days=_LONGEST_DAYS - 1))
    return Period(since=first, until=last + timedelta(days=1))


def instants(period: Period, timezone: str) -> tuple[datetime, datetime]:
    """The period's local days as instants."""
    zone = wording.zone(timezone)
    since, until = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (period.since, period.until))
    return since.astimezone(UTC), until.astimezone(UTC)


def head(looking: Viewer, title: str, subtitle: str, *, page: str, at: datetime, updated: datetime | None) -> Choice:
    """The page's title with its period and saved views, and how fresh its numbers are; `page` is its address."""
    _carry_over(page)
    today = at.astimezone(wording.zone(looking.timezone)).date()
    with st.container(key="page-head", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        stamp = f"{subtitle} · updated {wording.ago(updated, at=at)}"
        st.html(parts.page_title(title, stamp, warning=_late(updated, at=at)), width="content")
        with st.container(key="filters", horizontal=True, vertical_alignment="center", width="content", gap="small"):
            chosen = st.segmented_control(
                "Period",
                [*PRESETS, CUSTOM],
                default="28d",
                required=True,
                key="range",
                bind="query-params",
                label_visibility="collapsed",
            )
            is_compared = st.toggle(
                "Compare",
                value=True,
                key="compare",
                bind="query-params",
                help="Shows the period of the same length just before, on the same weekdays.",
            )
            saved.menu(looking, page)
    _keep(range=chosen, compare=is_compared)
    period = _dates(today) if chosen == CUSTOM else preset(PRESETS.get(str(chosen), 28), today=today)
    return Choice(period=period, previous=period.previous if is_compared else None)


def _late(updated: datetime | None, *, at: datetime) -> str:
    """A publication follows every hour; one that is missing twice is worth saying before anybody reads a number."""
    is_late = updated is not None and at - updated > _LATE
    return "Numbers are late: the last hours are missing" if is_late else ""


def _dates(today: date) -> Period:
    with st.container(key="chosen-dates", horizontal=True, horizontal_alignment="right"):
        chosen = st.date_input(
            "First and last day",
            value=(today - timedelta(days=28), today - timedelta(days=1)),
            max_value=today,
            key="dates",
            bind="query-params",
            width=260,
            label_visibility="collapsed",
        )
    _keep(dates=chosen)
    period = custom(chosen, today=today)
    if chosen and period.since > min(chosen):
        st.html(parts.warned(f"At most {_LONGEST_DAYS} days at once: shown is {_whole(period)}."))
    return period


def _whole(period: Period) -> str:
    """With the years, which such a span has two of."""
    last = period.until - timedelta(days=1)
    return f"{wording.day(period.since)} {period.since.year} to {wording.day(last)} {last.year}"


def _carry_over(page: str) -> None:
    """Give a page the choices of the page before: Streamlit forgets those that came with the first address."""
    kept = dict(st.session_state.get(_KEPT, {}))
    if kept.pop("page", page) != page:
        for name, value in kept.items():
            if name not in st.query_params:
                st.session_state[name] = value
    _keep(page=page)


def _keep(**chosen: object) -> None:
    st.session_state[_KEPT] = st.session_state.get(_KEPT, {}) | chosen
