"""/analytics: asked of the dashboards, which hold the numbers; a slow question there never slows a message here."""

from typing import Final

import httpx
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from mychatflow.rules.role import Permission
from realtime.api import doors, problems
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("analytics")
_SENT: Final = ("authorization", "accept", "accept-encoding", "x-request-id")
_KEPT: Final = ("content-type", "content-length", "content-encoding", "content-disposition", "vary")
# Our client would ask for a compressed answer of its own accord, and whoever asked for none could not read it.
_PLAIN: Final = {"accept-encoding": "identity"}
# Not that an answer took too long: it would again.
_UNHEARD: Final = (httpx.ConnectTimeout, httpx.NetworkError, httpx.RemoteProtocolError)
_QUESTIONS: Final = {
    "metrics": "What every number means",
    "summary": "The numbers of a period, beside the period before",
    "hourly": "What happened, hour by hour (UTC)",
    "daily": "What happened, day by day in the business's zone",
    "funnel": "How far the people who wrote in the period came",
    "llm-usage": "What each model provider answered, failed and cost",
    "outcomes": "How the period's episodes ended",
    "grades": "Whether warmer grades book more, with each rate's interval",
    "value": "One number of a period, for any filter it knows",
    "series": "The same on every day of the period",
    "parts": "The same by a dimension",
    "facts": "The facts behind a number, newest first",
    "export": "All facts behind a number, as CSV, XLSX or Parquet",
}
_USUAL: Final = (
    "from", "to", "timezone", "instance_id", "language", "grade", "provider", "model", "outcome", "stage",
    "campaign_id", "sequence_id",
)  # fmt: skip
_FIELDS: Final = {
    "metrics": (),
    "value": ("metric", *_USUAL),
    "series": ("metric", *_USUAL),
    "parts": ("metric", "by", *_USUAL),
    "facts": ("metric", "of", "limit", *_USUAL),
    "export": ("metric", "of", "format", *_USUAL),
}


async def ask(request: Request) -> Response:
    """The dashboards' own answer; they verify the caller once more, since other ways lead to them."""
    numbers = doors.of(request).analytics
    question = numbers.build_request(
        "GET",
        request.url.path,
        params=str(request.query_params),
        headers=_PLAIN | {name: request.headers[name] for name in _SENT if name in request.headers},
    )
    try:
        answer = await _answered(numbers, question)
    except httpx.PoolTimeout as busy:
        detail = "Too many questions are being answered: ask again in a moment."
        raise Problem(503, "analytics_busy", detail, headers={"retry-after": "2"}) from busy
    except httpx.HTTPError as down:
        problems.log.warning("API without numbers", path=request.url.path, cause=type(down).__name__)
        detail = "The numbers are not there right now: messages are answered as always. Ask again in a minute."
        raise Problem(503, "analytics_unavailable", detail, headers={"retry-after": "60"}) from down
    return StreamingResponse(
        answer.aiter_raw(),
        status_code=answer.status_code,
        headers={name: answer.headers[name] for name in _KEPT if name in answer.headers},
        background=BackgroundTask(answer.aclose),
    )


async def _answered(numbers: httpx.AsyncClient, question: httpx.Request) -> httpx.Response:
    """Asked once more where nobody answered: a resting connection is closed by the other side as we take it again."""
    try:
        return await numbers.send(question, stream=True)
    except _UNHEARD:
        return await numbers.send(question, stream=True)


for _path, _summary in _QUESTIONS.items():
    _rule = needs(Permission.EXPORT_DATA if _path == "export" else Permission.VIEW_ANALYTICS)
    _rule["openapi_extra"]["parameters"] = [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
        for name in _FIELDS.get(_path, _USUAL)
    ]
    router.add_api_route(
        f"/analytics/{_path}",
        ask,
        name=f"analytics {_path}",
        operation_id=f"analytics_{_path.replace('-', '_')}",
        summary=_summary,
        response_class=Response,
        **_rule,
    )
