"""Every error of the API as problem+json (RFC 9457), without a word about our insides."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger(__name__)


class Problem(Exception):
    """A refusal with its status, a stable `code`, one sentence of `detail` and further members of the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members


def invalid(where: Sequence[str | int], fault: str, *, kind: str = "value_error") -> Problem:
    """A 422 that names its field; `where` begins with body, query or path, as in every other one."""
    named = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in where[1:]).lstrip(".")
    named = named or str(where[0])
    return Problem(422, "invalid", f"{named}: {fault}.", errors=[{"where": [*where], "problem": fault, "kind": kind}])


class _Told(JSONResponse):
    """A field's name is the caller's own: half a character in it is written as JSON writes it."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def install(app: FastAPI) -> None:
    """Answer problems, validation errors, unknown routes and whatever else was raised."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def of(request: Request, error: Exception) -> JSONResponse:
    """The answer to one of those errors; anything else is raised on."""
    match error:
        case Problem():
            return _problem(request, error)
        case RequestValidationError():
            return _invalid(request, error)
        case HTTPException():
            return _http_error(request, error)
        case _:
            raise error


def answer(
    status: int,
    code: str,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    return _Told(body | members, status_code=status, headers=dict(headers or {}))


def _problem(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Problem):
        raise error
    return answer(error.status, error.code, error.detail, headers=error.headers, **error.members)


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return answer(error.status_code, code, str(error.detail), headers=error.headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Where and why, but never the value: it may be a secret or a customer's words."""
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [{"where": list(item["loc"]), "problem": item["msg"], "kind": item["type"]} for item in error.errors()]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        fault = next(item["ctx"]["error"] for item in error.errors() if item["type"] == "json_invalid")
        return answer(400, "malformed", f"The body is not valid JSON: {fault}.", errors=errors)
    is_json = "json" in request.headers.get("content-type", "")
    if not is_json and any(item["type"] == "model_attributes_type" for item in error.errors()):
        # What curl sends unless told is taken for a form, which no route of ours reads.
        return answer(
            422, "invalid", "The body is not sent as JSON: add Content-Type: application/json.", errors=errors
        )
    return answer(422, "invalid", "Some fields are not as they must be.", errors=errors)


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", path=request.url.path, method=request.method, exc_info=error)
    return answer(500, "internal", "Something went wrong on our side.")
