"""Every number once: what it answers, how it is computed and where it lives; tiles, charts and exports read this."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from warehouse.metric import EVENT, Metric
from warehouse.registry.activity import ACTIVITY
from warehouse.registry.conversations import CONVERSATIONS
from warehouse.registry.growth import GROWTH
from warehouse.registry.models import MODELS

_ABOUT_THE_NUMBERS: Final = (
    replace(
        EVENT,
        name="asset_freshness",
        question="How old is the newest data of each table?",
        unit="seconds",
        kind="none",
        grain="table",
        axis="now",
        zone="UTC",
        null_rule="no data without a value",
        numerator="now less the data time of the table's newest window, not the time it last ran",
        model="model_runs",
        column="data_through",
        facts=None,
        dimensions=(),
    ),
    # It stands apart: of a sample that is weighted by language no rows sum to the number, so it has no chart, list or
    # file. The agent's page reads the grades from Postgres, so that who grades sees it move at once.
    replace(
        EVENT,
        name="answer_quality",
        question="How often does the agent answer well?",
        unit="rate",
        kind="none",
        null_rule="not measured while nothing is graded",
        numerator="answers that a person graded as good, each language by its share of all answers, with n and the "
        "95 % Wilson interval",
        denominator="answers that a person graded",
        model="none",
        column="none",
        facts=None,
        dimensions=(),
    ),
)
METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {entry.name: entry for entry in (*ACTIVITY, *CONVERSATIONS, *MODELS, *GROWTH, *_ABOUT_THE_NUMBERS)}
)


class UnknownMetric(Exception):
    """There is no number of that name; the message lists those that there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no metric {name}: {', '.join(METRICS)}")


def by_name(name: str) -> Metric:
    """The registry's entry. Raises UnknownMetric."""
    if name not in METRICS:
        raise UnknownMetric(name)
    return METRICS[name]


def help_text(name: str) -> str:
    """What hovers over that number."""
    return METRICS[name].help_text
