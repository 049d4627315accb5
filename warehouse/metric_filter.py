"""What a number is asked about: a period of the tenant's days, and the values of some dimensions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from warehouse.metric import Metric
from warehouse.periods import Period

_EVER = Period(since=date(1970, 1, 1), until=date(2200, 1, 1))


class FilterRefused(ValueError):
    """A number is asked by a dimension it does not have, or by a value that cannot be one."""

    def __init__(self, dimension: str, problem: str) -> None:
        super().__init__(f"{dimension}: {problem}")
        self.dimension = dimension
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One selection for tile, chart, list and file; no period means all time."""

    period: Period | None = None
    where: Mapping[str, str | UUID | int] = field(default_factory=dict)

    @property
    def span(self) -> Period:
        return self.period or _EVER

    def over(self, period: Period) -> "Filter":
        """The same of another period."""
        return Filter(period=period, where=self.where)

    def values(self) -> dict[str, object]:
        """What the SQL binds."""
        return {"since": self.span.since, "until": self.span.until, **self.where}


def refuse_unknown(metric: Metric, asked: Filter) -> None:
    """Raises FilterRefused for a dimension the number does not have, and for ids that are none."""
    for dimension, value in asked.where.items():
        if dimension not in metric.dimensions:
            known = ", ".join(metric.dimensions) or "no dimension"
            raise FilterRefused(dimension, f"{metric.name} is known by {known}")
        if dimension.endswith("_id") and not isinstance(value, UUID) and not _is_id(str(value)):
            raise FilterRefused(dimension, f"{value!r} is not an id")


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
