"""Silence cools leads: every contact's score at the start of the hour."""

from datetime import UTC, datetime

import dagster as dg

from pipelines import metadata
from pipelines.assets.landing import FRESHNESS, OWNERS
from pipelines.resources import Installation
from warehouse import scores


@dg.asset(
    key=["postgres", "lead_scores"],
    group_name="leads",
    kinds={"python", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
)
def lead_scores(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[None]:
    """Every contact's score at the hour. Grain: one per contact. A rerun changes nothing more."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    outcome = scores.rescore(installation.settings, at=hour)
    return dg.MaterializeResult(metadata=metadata.scored(outcome, at=hour))
