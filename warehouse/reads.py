"""The questions a tenant asks of its own numbers; every answer comes from the published marts."""

from datetime import date, datetime
from uuid import UUID

from warehouse import questions, reader
from warehouse.periods import Period
from warehouse.questions import Row

NothingPublished = reader.NothingPublished


def as_of(tenant_id: UUID) -> datetime | None:
    """Until when the published numbers are complete; the same instant for every tenant of one publication."""
    del tenant_id
    through: datetime | None = questions.ask("as_of")[0]["data_through"]
    return through


def kept_from(tenant_id: UUID) -> date | None:
    """The first day whose single events are all kept: what was counted before has a total, and no list behind it."""
    rows = questions.ask("kept_from", tenant_id=tenant_id)
    found: date | None = rows[0]["kept_from"] if rows else None
    return found


def restated(tenant_id: UUID, period: Period, *, limit: int = 200) -> list[Row]:
    """Numbers of the period's days that changed after they were published, newest change first."""
    return questions.ask("restated", tenant_id=tenant_id, since=period.since, until=period.until, limit=limit)


def timezone(tenant_id: UUID) -> str:
    """The zone its days are counted in; UTC for a business that has not landed yet."""
    rows = questions.ask("timezone", tenant_id=tenant_id)
    return str(rows[0]["timezone"]) if rows else "UTC"


def reply_saves_minutes(tenant_id: UUID) -> float:
    """What the business estimates a reply of the agent saves a person; two until it says otherwise."""
    rows = questions.ask("reply_saves_minutes", tenant_id=tenant_id)
    return float(rows[0]["reply_saves_minutes"]) if rows else 2.0


def hourly(tenant_id: UUID, period: Period, *, instance_id: UUID | str | None = None) -> list[Row]:
    """What happened in every hour (UTC) that begins on the period's days, by number."""
    return questions.ask("hourly", tenant_id=tenant_id, since=period.since, until=period.until, instance_id=instance_id)


def daily(tenant_id: UUID, period: Period, *, instance_id: UUID | str | None = None) -> list[Row]:
    """What happened on every local day of the period, by number; days without anything have no row."""
    return questions.ask("daily", tenant_id=tenant_id, since=period.since, until=period.until, instance_id=instance_id)


def overview_kpis(tenant_id: UUID, period: Period) -> list[Row]:
    """One row with the numbers at the top of the overview."""
    return _ask("overview_kpis", tenant_id, period)


def kpis_per_day(tenant_id: UUID, period: Period) -> list[Row]:
    """The same numbers on every date, zeros included."""
    return _ask("kpis_per_day", tenant_id, period)


def messages_per_day(tenant_id: UUID, period: Period) -> list[Row]:
    """Messages received and sent on every date, zeros included."""
    return _ask("messages_per_day", tenant_id, period)


def reply_time_per_day(tenant_id: UUID, period: Period) -> list[Row]:
    """Percentiles of the agent's latency on every date; none on days without a reply."""
    return _ask("reply_time_per_day", tenant_id, period)


def reply_time_buckets(tenant_id: UUID, period: Period) -> list[Row]:
    """How many customers waited up to 2, 5 and 30 seconds, and longer: four rows in this order."""
    return _ask("reply_time_buckets", tenant_id, period)


def hour_heatmap(tenant_id: UUID, period: Period) -> list[Row]:
    """Messages received by weekday and hour of the tenant's zone: all 168 cells."""
    return _ask("hour_heatmap", tenant_id, period)


def provider_usage(tenant_id: UUID, period: Period) -> list[Row]:
    """What each model provider answered, failed and cost."""
    return _ask("provider_usage", tenant_id, period)


def provider_per_day(tenant_id: UUID, period: Period) -> list[Row]:
    """Replies by provider and date."""
    return _ask("provider_per_day", tenant_id, period)


def incidents(tenant_id: UUID, period: Period) -> list[Row]:
    """Openings of a model's circuit breaker in the period, with their end."""
    return _ask("incidents", tenant_id, period)


def lead_funnel(tenant_id: UUID, period: Period) -> list[Row]:
    """How many of the people who wrote in the period reached each stage: five rows in order."""
    return _ask("lead_funnel", tenant_id, period)


def grade_conversion(tenant_id: UUID, period: Period) -> list[Row]:
    """Of those who first reached a grade in the period, how many booked, with the rate's interval: five rows."""
    return _ask("grade_conversion", tenant_id, period)


def grades(tenant_id: UUID) -> list[Row]:
    """How many contacts who ever wrote have each grade now: five rows."""
    return questions.ask("grades", tenant_id=tenant_id)


def lead_list(tenant_id: UUID, period: Period, *, grade: str | None = None, limit: int = 500) -> list[Row]:
    """The people who wrote in the period, most recent first."""
    return questions.ask(
        "lead_list", tenant_id=tenant_id, since=period.since, until=period.until, grade=grade, limit=limit
    )


def score_history(tenant_id: UUID, contact_id: UUID, *, limit: int = 200) -> list[Row]:
    """Every change of one lead's score with its parts, newest first."""
    return questions.ask("score_history", tenant_id=tenant_id, contact_id=contact_id, limit=limit)


def episodes(tenant_id: UUID, period: Period, *, outcome: str | None = None, limit: int = 500) -> list[Row]:
    """Episodes that began in the period, newest first."""
    return questions.ask(
        "episodes", tenant_id=tenant_id, since=period.since, until=period.until, outcome=outcome, limit=limit
    )


def outcomes(tenant_id: UUID, period: Period) -> list[Row]:
    """How the period's episodes ended: all six outcomes."""
    return _ask("outcomes", tenant_id, period)


def outcomes_per_day(tenant_id: UUID, period: Period) -> list[Row]:
    """How episodes ended, by the day they began."""
    return _ask("outcomes_per_day", tenant_id, period)


def _ask(question: str, tenant_id: UUID, period: Period) -> list[Row]:
    return questions.ask(question, tenant_id=tenant_id, since=period.since, until=period.until)
