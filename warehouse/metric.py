"""The shape of one number: what it answers, how it is computed, in whose time and from which column."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["count", "ms", "usd", "rate", "score", "seconds"]
NullRule = Literal["zero when nothing happened", "no data when the denominator is zero", "no data without a value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of the product."""

    name: str
    question: str
    unit: Unit
    grain: str
    axis: str
    numerator: str
    denominator: str | None = None
    zone: Literal["tenant", "UTC"] = "tenant"
    null_rule: NullRule
    model: str
    column: str

    @property
    def help_text(self) -> str:
        """What hovers over the number: the question, the formula, the zone and what an empty value means."""
        formula = self.numerator if self.denominator is None else f"{self.numerator} ÷ {self.denominator}"
        days = "Days are the tenant's own." if self.zone == "tenant" else "Times are UTC."
        return f"{self.question} {formula[0].upper()}{formula[1:]}. {days} Shows {self.null_rule}."


def metric(
    name: str,
    question: str,
    unit: Unit,
    *,
    numerator: str,
    source: str,
    null_rule: NullRule,
    denominator: str | None = None,
    grain: str = "tenant and day",
    axis: str = "the day it happened",
    zone: Literal["tenant", "UTC"] = "tenant",
) -> Metric:
    model, _, column = source.partition(".")
    return Metric(
        name=name,
        question=question,
        unit=unit,
        grain=grain,
        axis=axis,
        numerator=numerator,
        denominator=denominator,
        zone=zone,
        null_rule=null_rule,
        model=model,
        column=column,
    )
