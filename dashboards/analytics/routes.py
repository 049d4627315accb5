"""/api/v1/analytics: the numbers of the pages for programs, from the same registry and the same snapshot."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.responses import Response, StreamingResponse

from dashboards.analytics import door
from dashboards.analytics.asked import Question
from dashboards.analytics.door import Analyst, Exporter, wrong
from mychatflow.identity import Identities
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from warehouse import exports, metric_reads, metrics, reader, reads
from warehouse.exports import Kind

PREFIX: Final = "/api/v1/analytics"
_TILES: Final = (
    "messages", "messages_received", "messages_sent", "people_reached", "ai_replies", "human_replies", "reply_time",
    "first_response", "response_time", "resolution_time", "answered", "involvement", "auto_resolution",
    "durable_resolution", "reopen", "handoff", "unattended", "failover", "ai_cost", "cost_per_reply", "revenue",
    "margin", "lead_score_changes", "handoffs", "bookings", "follow_ups_sent", "follow_up_lift", "delivery",
    "hours_saved",
)  # fmt: skip
Name = Annotated[str, Query(alias="metric", max_length=64, description="A name of /analytics/metrics.")]


async def _one_publication() -> AsyncIterator[None]:
    """All that an answer tells is of one publication, its `as_of` too; of a file until its last row was sent."""
    with reader.current().one_publication():
        yield


# Not a plain function: it would run in a thread, and what it holds would end with that.
router = APIRouter(dependencies=[Depends(_one_publication)])


@router.get("/metrics", summary="What every number means")
def registry(caller: Analyst) -> dict[str, Any]:
    del caller
    return {
        "data": [
            {
                "name": entry.name,
                "question": entry.question,
                "unit": entry.unit,
                "grain": entry.grain,
                "axis": entry.axis,
                "numerator": entry.numerator,
                "denominator": entry.denominator,
                "timezone": entry.zone,
                "null_rule": entry.null_rule,
                "model": entry.model,
                "column": entry.column,
                "dimensions": list(entry.dimensions),
                "help": entry.help_text,
            }
            for entry in metrics.METRICS.values()
        ]
    }


@router.get("/summary", summary="The numbers of a period, beside the period before")
def summary(question: Question) -> dict[str, Any]:
    before = question.period.previous
    found = {}
    for name in _TILES:
        known = set(metrics.by_name(name).dimensions)
        if known >= set(question.where):
            now = metric_reads.value(question.tenant_id, name, question.filter)
            earlier = metric_reads.value(question.tenant_id, name, question.filter.over(before))
            found[name] = {"unit": metrics.by_name(name).unit, **now, "previous": earlier["value"]}
    return _told(question, found)


@router.get("/hourly", summary="What happened, hour by hour (UTC)")
def hourly(question: Question) -> dict[str, Any]:
    _only(question, "instance_id")
    return _told(
        question, reads.hourly(question.tenant_id, question.period, instance_id=question.where.get("instance_id"))
    )


@router.get("/daily", summary="What happened, day by day in the business's zone")
def daily(question: Question) -> dict[str, Any]:
    _only(question, "instance_id")
    return _told(
        question, reads.daily(question.tenant_id, question.period, instance_id=question.where.get("instance_id"))
    )


@router.get("/funnel", summary="How far the people who wrote in the period came")
def funnel(question: Question) -> dict[str, Any]:
    _only(question)
    return _told(question, reads.lead_funnel(question.tenant_id, question.period))


@router.get("/llm-usage", summary="What each model provider answered, failed and cost")
def llm_usage(question: Question) -> dict[str, Any]:
    _only(question)
    return _told(question, reads.provider_usage(question.tenant_id, question.period))


@router.get("/outcomes", summary="How the period's episodes ended")
def outcomes(question: Question) -> dict[str, Any]:
    _only(question)
    return _told(question, reads.outcomes(question.tenant_id, question.period))


@router.get("/grades", summary="Whether warmer grades book more, with each rate's interval")
def grades(question: Question) -> dict[str, Any]:
    _only(question)
    return _told(question, reads.grade_conversion(question.tenant_id, question.period))


@router.get("/value", summary="One number of a period, for any filter it knows")
def value(question: Question, metric: Name) -> dict[str, Any]:
    return _told(question, metric_reads.value(question.tenant_id, metric, question.filter))


@router.get("/series", summary="The same on every day of the period")
def series(question: Question, metric: Name) -> dict[str, Any]:
    return _told(question, metric_reads.series(question.tenant_id, metric, question.filter))


@router.get("/parts", summary="The same by a dimension")
def parts(question: Question, metric: Name, by: Annotated[str, Query(max_length=32)]) -> dict[str, Any]:
    return _told(question, metric_reads.parts(question.tenant_id, metric, question.filter, by=by))


@router.get("/facts", summary="The facts behind a number, newest first")
def facts(
    question: Question,
    metric: Name,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    of: Literal["numerator", "denominator"] = "numerator",
) -> dict[str, Any]:
    rows = metric_reads.facts(
        question.tenant_id, metric, question.filter, limit=limit, of_denominator=of == "denominator"
    )
    return _told(question, rows)


@router.get("/export", summary="All facts behind a number, as a file", response_class=Response)
def export(
    question: Question,
    exporter: Exporter,
    metric: Name,
    kind: Annotated[Kind, Query(alias="format")] = "csv",
    of: Literal["numerator", "denominator"] = "numerator",
) -> StreamingResponse:
    """A name with `kept-from` and a day says that the facts before it are no longer kept, and not in the file."""
    del exporter
    if metric_reads.checked(metric, question.filter).kind == "none":
        raise wrong("metric", f"{metric} is not made of facts that can be listed")
    since, kept_from = question.period.since, reads.kept_from(question.tenant_id)
    what = f"{metric}_{since}_{question.period.until}"
    name = exports.name_of(what, kind, kept_from=kept_from if kept_from and since < kept_from else None)
    return StreamingResponse(
        _file(question, metric, kind, of_denominator=of == "denominator"),
        media_type=exports.MEDIA_TYPES[kind],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _file(question: Question, metric: str, kind: Kind, *, of_denominator: bool) -> Iterator[bytes]:
    with metric_reads.batches(question.tenant_id, metric, question.filter, of_denominator=of_denominator) as batches:
        yield from exports.streamed(batches, kind)


def app() -> FastAPI:
    """The API to be mounted; it answers once `open_with` gave it what verifies its callers."""
    made = FastAPI(
        title="MyChatFlow analytics", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json"
    )
    made.state.identities = None
    made.include_router(router)
    door.install(made)
    return made


def open_with(made: FastAPI, settings: Settings) -> Store:
    """Lets the API answer; the store is the caller's to close."""
    store = Store(settings)
    made.state.identities = Identities(settings, store)
    return store


def _told(question: Question, data: Any) -> dict[str, Any]:
    return {
        "data": data,
        "from": question.period.since,
        "to": question.period.until,
        "timezone": question.timezone,
        "as_of": reads.as_of(question.tenant_id),
        # Before it there are totals, but neither lists nor totals of a filter that only single events know.
        "kept_from": reads.kept_from(question.tenant_id),
    }


def _only(question: Question, *known: str) -> None:
    """A filter that would be ignored is refused: its answer would be taken for narrower than it is."""
    for name in question.where:
        if name not in known:
            raise wrong(name, "cannot narrow this answer; /analytics/value takes it for the numbers that know it")
