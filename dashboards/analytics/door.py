"""Who may ask the analytics API, verified as the tenant API does it, and how it says no."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from mychatflow.identity import Identities, Identity, IdentityRefused
from mychatflow.rules import role
from mychatflow.rules.role import Permission
from warehouse.metric_filter import FilterRefused
from warehouse.metrics import UnknownMetric
from warehouse.reads import NothingPublished

_MEDIA_TYPE: Final = "application/problem+json"


class Problem(Exception):
    """A refusal with its status, a stable `code` and one sentence."""

    def __init__(self, status: int, code: str, detail: str, **members: Any) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.answer = _answer(status, code, detail, **members)


def holding(permission: Permission) -> Callable[[Request], Awaitable[Identity]]:
    """The caller, when their role and their key's scopes hold the permission."""

    async def caller(request: Request) -> Identity:
        identities = request.app.state.identities
        if not isinstance(identities, Identities):
            raise Problem(503, "starting", "Not up yet.")
        try:
            found = await identities.of_bearer(_token(request), at=datetime.now(UTC), client_host=None)
        except IdentityRefused as refused:
            detail = "The credentials do not open this API."
            raise Problem(refused.status_code, refused.reason, detail) from refused
        if not role.may(found.role, permission) or (found.scopes and permission.value not in found.scopes):
            detail = f"This needs the permission {permission.value}."
            raise Problem(403, "forbidden", detail, permission=permission.value)
        return found

    return caller


Analyst = Annotated[Identity, Depends(holding(Permission.VIEW_ANALYTICS))]
Exporter = Annotated[Identity, Depends(holding(Permission.EXPORT_DATA))]


def install(app: FastAPI) -> None:
    """Answer refusals, wrong fields and missing numbers as problem+json (RFC 9457)."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(FilterRefused, _filter_refused)
    app.add_exception_handler(UnknownMetric, _unknown_metric)
    app.add_exception_handler(NothingPublished, _nothing_published)


def _token(request: Request) -> str:
    """Never without one, not even on a developer's machine: any page in their browser could call us."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(401, "malformed", "Authorization must be `Bearer <token>`.")
    return token.strip()


def _answer(status: int, code: str, detail: str, **members: Any) -> JSONResponse:
    headers: Mapping[str, str] = {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    return JSONResponse(body | members, status_code=status, headers=headers, media_type=_MEDIA_TYPE)


def wrong(field: str, problem: str) -> Problem:
    """A field of the address that cannot be what it is."""
    errors = [{"where": ["query", field], "problem": problem, "kind": "value_error"}]
    return Problem(422, "invalid", "Some fields are not as they must be.", errors=errors)


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Problem):
        raise error
    return error.answer


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Where and why, but never the value."""
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [{"where": list(item["loc"]), "problem": item["msg"], "kind": item["type"]} for item in error.errors()]
    return _answer(422, "invalid", "Some fields are not as they must be.", errors=errors)


async def _filter_refused(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, FilterRefused):
        raise error
    return wrong(error.dimension, error.problem).answer


async def _unknown_metric(_request: Request, error: Exception) -> JSONResponse:
    return wrong("metric", str(error)).answer


async def _nothing_published(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(503, "nothing_published", "No numbers are published yet: run `mychatflow rollup`.")
