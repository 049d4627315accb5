"""What the cards of an analytics page show, as rows to take along: the same reads of the same period."""

from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import Any
from uuid import UUID

from dashboards import data
from dashboards.data import Rows
from dashboards.exports import Sheet
from dashboards.filters import Choice
from dashboards.viewer import Viewer
from warehouse.periods import Period

_PREVIOUS = "previous_"


def overview(looking: Viewer, choice: Choice) -> dict[str, Sheet]:
    of = partial(_of, looking, choice)
    return {
        "Numbers per day": of(
            "overview",
            data.kpis_per_day,
            "local_date message_count contact_count reply_p50_ms cost_usd answered_rate",
            is_compared=True,
        ),
        "Messages per day": of(
            "messages", data.messages_per_day, "local_date message_received_count", is_compared=True
        ),
        "Reply time": of("reply_time", data.reply_time_per_day, "local_date reply_count p50_ms p95_ms p99_ms"),
        "How long people waited": of("waits", data.reply_time_buckets, "bucket reply_count"),
        "When people write": of("hours", data.hour_heatmap, "iso_weekday hour message_count"),
        "AI providers": of(
            "providers",
            data.provider_usage,
            "provider reply_count reply_share input_tokens output_tokens latency_p95_ms cost_usd",
        ),
        "AI providers per day": _per_provider(looking, choice),
    }


def leads(looking: Viewer, choice: Choice, contacts: Rows) -> dict[str, Sheet]:
    """`contacts` are the people that the filters left."""
    shown = [row | {"activity": " ".join(str(count) for count in row["activity"])} for row in contacts]
    return {
        "Contacts": _table(
            "leads", shown, "name phone grade score stage week_count last_message_at message_count activity"
        ),
        "Lead funnel": _of(looking, choice, "funnel", data.lead_funnel, "stage contact_count", is_compared=True),
        "Lead grades": _table("grades", data.grades(looking.tenant_id), "grade contact_count"),
    }


def conversations(looking: Viewer, choice: Choice, episodes: Rows) -> dict[str, Sheet]:
    """`episodes` are the conversations that the filter left."""
    of = partial(_of, looking, choice)
    shown = "name started_at outcome reason message_count first_response_ms resolution_ms language"
    return {
        "All conversations": _table("conversations", episodes, shown),
        "Outcomes": of("outcomes", data.outcomes, "outcome episode_count", is_compared=True),
        "Outcomes per day": of("outcomes_per_day", data.outcomes_per_day, "local_date outcome episode_count"),
    }


def ai_agent(looking: Viewer, choice: Choice, unit_costs: Rows) -> dict[str, Sheet]:
    """`unit_costs` are the tiles: what one of each thing costs, now and before."""
    of = partial(_of, looking, choice)
    return {
        "Models": of(
            "models",
            data.model_usage,
            "provider model reply_count reply_share attempt_count failed_count input_tokens output_tokens cost_usd",
        ),
        "Replies per day": _per_provider(looking, choice),
        "What one of each costs": _table("unit_costs", unit_costs, "number usd previous_usd"),
        "Where the time goes": of("steps", data.latency_steps, "step value_count median_ms p95_ms"),
        "Failover": of(
            "failovers",
            data.failovers,
            "target reason opened_at closed_at reply_count contact_count added_ms added_cost_usd"
            " fallback_autonomous_rate usual_autonomous_rate",
        ),
    }


def _per_provider(looking: Viewer, choice: Choice) -> Sheet:
    return _of(looking, choice, "providers_per_day", data.provider_per_day, "local_date provider reply_count")


def _of(
    looking: Viewer,
    choice: Choice,
    file: str,
    read: Callable[[UUID, Period], Rows],
    columns: str,
    *,
    is_compared: bool = False,
) -> Sheet:
    """The rows of the period; where the card compares, with those of the period before beside them."""
    names = columns.split()
    if not (is_compared and choice.previous):
        return Sheet(file=file, rows=partial(read, looking.tenant_id, choice.period), columns=names)
    both = partial(_beside, read, looking.tenant_id, choice.period, choice.previous)
    return Sheet(file=file, rows=both, columns=[*names, *(f"{_PREVIOUS}{name}" for name in names)])


def _beside(read: Callable[[UUID, Period], Rows], tenant_id: UUID, period: Period, previous: Period) -> Rows:
    """Both periods are as long and begin on the same weekday, so their rows pair one by one."""
    nothing: dict[str, Any] = {}
    pairs = zip_longest(read(tenant_id, period), read(tenant_id, previous), fillvalue=nothing)
    return [{**now, **{f"{_PREVIOUS}{name}": value for name, value in before.items()}} for now, before in pairs]


def _table(file: str, rows: Rows, columns: str) -> Sheet:
    return Sheet(file=file, rows=lambda: rows, columns=columns.split())
