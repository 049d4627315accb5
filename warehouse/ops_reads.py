"""The questions the platform's staff ask across all tenants; tenant pages may not import this."""

from datetime import datetime

from warehouse import models, questions, reader
from warehouse.periods import Period
from warehouse.questions import Row

NothingPublished = reader.NothingPublished


def as_of() -> datetime | None:
    """Until when the published numbers are complete."""
    through: datetime | None = questions.ask("as_of")[0]["data_through"]
    return through


def asset_freshness() -> list[Row]:
    """Every table with its newest data, the age it may have, its last run and its checks."""
    measured = {row["asset"]: row for row in questions.ask("ops_asset_freshness")}
    never: Row = {"newest_data_at": None, "last_run_at": None, "row_count": 0, "failed_check_count": 0, "checks": []}
    return [
        {
            "asset": model.name,
            "layer": model.layer,
            "cadence": "hourly",
            "owner": model.promise.owner,
            "limit_seconds": model.promise.fresh_within_minutes * 60,
            **{key: measured.get(model.name, never)[key] for key in never},
        }
        for model in models.discover()
        if not model.is_view
    ]


def differing_days() -> Row | None:
    """The first and last day on which Postgres and the warehouse differed when last compared; None when they agree."""
    found = questions.ask("ops_differing_days")[0]
    return found if found["first_date"] else None


def restated(since: datetime) -> list[Row]:
    """How many published numbers of each table changed since then, and why."""
    return questions.ask("ops_restated", since=since)


def breakers(since: datetime) -> list[Row]:
    """Breaker changes since then, newest first."""
    return questions.ask("ops_breakers", since=since)


def provider_health(since: datetime) -> list[Row]:
    """How each provider did since then, over all tenants."""
    return questions.ask("ops_provider_health", since=since)


def tenant_usage(period: Period) -> list[Row]:
    """What every tenant used of its plan in the period."""
    return questions.ask("ops_tenant_usage", since=period.since, until=period.until)
