"""What a caller of the analytics API asks about: a period of the business's days, and a few dimensions."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from fastapi import Depends, Query

from dashboards.analytics.door import Analyst, wrong
from warehouse import reads
from warehouse.metric_filter import Filter
from warehouse.periods import Period

_LONGEST_DAYS: Final = 366
_USUAL_DAYS: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The tenant, its zone, and the filter for any of its numbers."""

    tenant_id: UUID
    timezone: str
    period: Period
    where: dict[str, str | UUID]

    @property
    def filter(self) -> Filter:
        return Filter(period=self.period, where=self.where)


def asked(
    caller: Analyst,
    since: Annotated[date | None, Query(alias="from", description="First local day; 28 days ago if absent.")] = None,
    until: Annotated[date | None, Query(alias="to", description="Day after the last; today if absent.")] = None,
    timezone: Annotated[str | None, Query(max_length=64, description="IANA zone; only the business's own.")] = None,
    instance_id: UUID | None = None,
    campaign_id: UUID | None = None,
    sequence_id: UUID | None = None,
    language: Annotated[str | None, Query(max_length=35)] = None,
    grade: Annotated[str | None, Query(max_length=1)] = None,
    provider: Annotated[str | None, Query(max_length=64)] = None,
    model: Annotated[str | None, Query(max_length=128)] = None,
    outcome: Annotated[str | None, Query(max_length=32)] = None,
    stage: Annotated[str | None, Query(max_length=32)] = None,
) -> Asked:
    """Raises Problem 422 for periods that run backwards or are too long, and for zones nobody knows."""
    zone = _zone(caller.tenant_id, timezone)
    named = {
        "instance_id": instance_id,
        "campaign_id": campaign_id,
        "sequence_id": sequence_id,
        "language": language,
        "grade": grade,
        "provider": provider,
        "model": model,
        "outcome": outcome,
        "stage": stage,
    }
    return Asked(
        tenant_id=caller.tenant_id,
        timezone=zone,
        period=period(since, until, today=datetime.now(UTC).astimezone(ZoneInfo(zone)).date()),
        where={name: value for name, value in named.items() if value is not None},
    )


def period(since: date | None, until: date | None, *, today: date) -> Period:
    """The usual four weeks, or the days asked for. Raises Problem 422."""
    until = until or (today if since is None or since < today else since + timedelta(days=1))
    since = since or until - timedelta(days=_USUAL_DAYS)
    if since >= until:
        raise wrong("from", f"from ({since}) must be before to ({until}): the day `to` is not included")
    if (until - since).days > _LONGEST_DAYS:
        raise wrong("to", f"at most {_LONGEST_DAYS} days can be asked for at once, not {(until - since).days}")
    return Period(since=since, until=until)


def _zone(tenant_id: UUID, timezone: str | None) -> str:
    own = reads.timezone(tenant_id)
    if timezone is None or timezone == own:
        return own
    if timezone not in available_timezones():
        raise wrong("timezone", "is not an IANA time zone, such as Europe/Madrid")
    raise wrong("timezone", f"this business's days are counted in {own}: leave the zone out, or change its settings")


Question = Annotated[Asked, Depends(asked)]
