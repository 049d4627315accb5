"""The shape of one number: what it answers, how it is computed, in whose time and from which column."""

from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal["count", "ms", "usd", "rate", "score", "seconds", "hours"]
NullRule = Literal[
    "zero when nothing happened",
    "no data when the denominator is zero",
    "no data without a value",
    "not measured while nothing is graded",
]
# How rows make the number: added up, counted as people, ranked, one divided by another, one rate less another, or not
# at all, as what is read elsewhere.
Kind = Literal["sum", "people", "quantile", "ratio", "lift", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of the product.

    `column` is what a row of the mart adds to it, `counted` what a row of the facts behind it does; a `per_…` beside
    makes it a rate. Tiles and charts read the mart where it knows the filter's dimensions, drill-downs the facts; both
    give the same number for any filter.
    """

    name: str
    question: str
    unit: Unit
    kind: Kind = "sum"
    grain: str
    axis: str
    numerator: str
    denominator: str | None = None
    zone: Literal["tenant", "UTC"] = "tenant"
    null_rule: NullRule
    model: str
    column: str
    per_column: str | None = None
    # Which rows of the mart speak of it at all, for marts that hold several measures.
    within: str | None = None
    facts: str | None = None
    counted: str = "true"
    per_counted: str | None = None
    dimensions: tuple[str, ...] = ()
    # The dimensions that narrow the numerator alone: a share is of all.
    share_of: tuple[str, ...] = ()
    # The names of the two numbers that a ratio divides.
    divides: tuple[str, str] | None = None
    scale: float = 1
    # Whether the tenant's own estimate of what a reply saves multiplies it, whenever the reply was.
    is_scaled_by_reply: bool = False

    @property
    def is_rate(self) -> bool:
        return self.per_counted is not None

    @property
    def help_text(self) -> str:
        """What hovers over the number: the question, the formula, the zone and what an empty value means."""
        formula = self.numerator if self.denominator is None else f"{self.numerator} ÷ {self.denominator}"
        days = "Days are the tenant's own." if self.zone == "tenant" else "Days are those of UTC, as in the plan."
        return f"{self.question} {formula[0].upper()}{formula[1:]}. {days} Shows {self.null_rule}."


PEOPLE = ("instance_id", "language", "grade")
_ZERO: NullRule = "zero when nothing happened"
NO_DATA: NullRule = "no data when the denominator is zero"
_NO_VALUE: NullRule = "no data without a value"

# What the numbers of a family have in common; an entry of the registry is one of these with its own words.
EVENT = Metric(
    name="",
    question="",
    numerator="",
    unit="count",
    grain="tenant and day",
    axis="the day it happened",
    null_rule=_ZERO,
    model="analytics_summary_daily",
    column="",
    facts="events",
    dimensions=PEOPLE,
)
REPLY = replace(EVENT, dimensions=(*PEOPLE, "provider", "model"))
EPISODE = replace(
    EVENT,
    grain="episode",
    axis="the day the episode began",
    model="episodes",
    facts="episodes",
    dimensions=(*PEOPLE, "outcome", "handoff_reason", "start_reason"),
)
EPISODE_RATE = replace(EPISODE, unit="rate", null_rule=NO_DATA)
DURATION = replace(EVENT, unit="ms", kind="quantile", null_rule=_NO_VALUE)
RATIO = replace(
    EVENT, unit="usd", kind="ratio", axis="the day of each part", null_rule=NO_DATA, facts=None, dimensions=PEOPLE
)
PROVIDER_CALL = replace(EVENT, model="llm_usage_daily", dimensions=(*PEOPLE, "provider", "model"))
