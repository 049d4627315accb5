"""The questions a tenant asks of its models: who answered, where the time went, who stepped in; from the marts."""

from datetime import datetime
from typing import Final
from uuid import UUID

from warehouse import questions
from warehouse.periods import Period
from warehouse.questions import Row

_MOST_PEOPLE: Final = 500


def usage(tenant_id: UUID, period: Period) -> list[Row]:
    """Replies, calls, tokens and price of each model."""
    return _ask("model_usage", tenant_id, period)


def latency_steps(tenant_id: UUID, period: Period) -> list[Row]:
    """Median and 95th percentile of each step of a reply, of its total and of the phone's acknowledgements."""
    return _ask("latency_steps", tenant_id, period)


def failovers(tenant_id: UUID, period: Period) -> list[Row]:
    """Openings of breakers, with how many replies and people another model served meanwhile."""
    return _ask("failovers", tenant_id, period)


def step_people(tenant_id: UUID, period: Period, step: str, *, limit: int = _MOST_PEOPLE) -> list[Row]:
    """Whose messages one step of the latencies is made of, the slowest person first."""
    window = {"since": period.since, "until": period.until}
    return questions.ask("step_people", tenant_id=tenant_id, step=step, limit=limit, **window)


def failover_people(
    tenant_id: UUID, *, opened_at: datetime, closed_at: datetime | None, limit: int = _MOST_PEOPLE
) -> list[Row]:
    """Whom another model answered while a breaker was open, the slowest first."""
    window = {"opened_at": opened_at, "closed_at": closed_at}
    return questions.ask("failover_people", tenant_id=tenant_id, limit=limit, **window)


def answer_costs(tenant_id: UUID, contact_id: UUID, *, limit: int = 200) -> list[Row]:
    """The price of each of the newest answers to one person."""
    return questions.ask("answer_costs", tenant_id=tenant_id, contact_id=contact_id, limit=limit)


def _ask(question: str, tenant_id: UUID, period: Period) -> list[Row]:
    return questions.ask(question, tenant_id=tenant_id, since=period.since, until=period.until)
