"""The way into every route of the tenant API: who is asking, may they, how often, and was it asked before."""

import difflib
import json
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.types import Message

from mychatflow.identity import Identity, IdentityRefused
from mychatflow.rules import role
from mychatflow.rules.role import Permission
from mychatflow.store import api_keys, audit
from mychatflow.store.session import AWAY
from realtime import metrics
from realtime.api import document, doors, gate, idempotency, problems
from realtime.api.crowds import Crowded
from realtime.api.doors import Doors
from realtime.api.problems import Problem
from realtime.webhooks.http import (
    LARGEST_BODY,
    SLOWEST_BODY_SECONDS,
    ClientLeft,
    WebhookRefused,
    read_body,
)
from realtime.webhooks.rate_limit import client_of

_EXTENSION: Final = "x-permission"
LARGEST_FILE: Final = 10 << 20
_SLOWEST_FILE_SECONDS: Final = 60.0
# Only for the reference: the route itself reads the header.
_BEARER: Final = HTTPBearer(auto_error=False, description="An API key (mcf_…) or a session token.")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def needs(permission: Permission, *, takes_files: Sequence[str] = ()) -> dict[str, Any]:
    """The rule of a route; without one it cannot be made. `takes_files` names the media types of a file as body."""
    rule: dict[str, Any] = {_EXTENSION: permission.value}
    if takes_files:
        file = {"schema": {"type": "string", "format": "binary"}}
        rule["requestBody"] = {"required": True, "content": dict.fromkeys(takes_files, file)}
    return {"openapi_extra": rule}


class TenantRoute(APIRoute):
    """A route that opens for callers with its permission alone, and only into their own tenant."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        # Looked up, not asked for: a route nobody thought about refuses to exist.
        rule = options.get("openapi_extra") or {}
        self.permission = Permission(rule[_EXTENSION])
        self.takes_files = "requestBody" in rule
        self.asked = "dashboards" if "analytics" in (options.get("tags") or ()) else "postgres"
        has_body = set(options.get("methods") or ()) != {"GET"}
        told = document.usual(has_body=has_body, takes_files=self.takes_files)
        super().__init__(path, endpoint, **options | {"responses": told | (options.get("responses") or {})})

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        permission = self.permission
        takes_files = self.takes_files
        asked = self.asked
        named = {each["name"] for each in (self.openapi_extra or {}).get("parameters", ())}
        known = frozenset(named | _parameters(self.dependant))

        async def handler(request: Request) -> Response:
            headers: Mapping[str, str] = {}
            try:
                opened = doors.of(request)
                token = _token(request)
                async with opened.crowds.lane(token, request.method, asked=asked):
                    left = opened.crowds.spent(token)
                    if left is None:
                        caller = opened.crowds.hurried(token) or await _caller(request, token, opened)
                        left = await opened.allowance.spend(str(caller.tenant_id))
                        if left.is_spent:
                            opened.crowds.remember(token, left)
                    headers = left.headers()
                    if left.is_spent:
                        raise gate.spent(left)
                    async with opened.crowds.turn(token, caller):
                        await _refuse_others(caller, permission, request, opened)
                        _refuse_unknown(request, known)
                        request.state.caller = caller
                        whole = await _whole(request, takes_files=takes_files)
                        response = await idempotency.once(whole, opened, caller, handle)
            except _KNOWN as error:
                response = refusal(request, error)
            response.headers.update(headers)
            return response

        return handler


def tenant_router(tag: str) -> APIRouter:
    """A family of routes under /api/v1."""
    return APIRouter(
        prefix="/api/v1",
        tags=[tag],
        route_class=TenantRoute,
        dependencies=[Depends(_BEARER)],
        # What a generated client calls it.
        generate_unique_id_function=lambda route: route.name,
    )


_KNOWN: Final = (
    Problem,
    RequestValidationError,
    HTTPException,
    DataError,
    Crowded,
    *AWAY,
)


def refusal(request: Request, error: Exception) -> Response:
    """What a caller is told of it; anything else is raised on."""
    match error:
        case DataError():
            return problems.answer(422, "invalid", "A value cannot be stored.", errors=[])
        case Crowded():
            return problems.of(request, gate.crowded())
        case _ if isinstance(error, AWAY):
            problems.log.warning("API without database", path=request.url.path, cause=type(error).__name__)
            metrics.database_errors.labels("api").inc()
            return problems.answer(503, "database_unavailable", "Try again in a moment.", headers={"retry-after": "2"})
        case _:
            return problems.of(request, error)


# What a developer can do about a refusal; the words say nothing that the reason in `code` does not.
_HELP: Final = {
    "unknown_key": "No such API key, or it was revoked or has expired: make one under Team and keys.",
    "no_issuer": "This is no API key (they begin with mcf_), and no sign-in is set up here (CLERK_ISSUER).",
    "expired": "The session token has expired: get a new one from your sign-in.",
    "no_membership": "You are a member of no tenant here: ask its owner to invite you, then sign in to the dashboards.",
    "issuer_unavailable": "The sign-in service does not answer: try again in a moment.",
}


async def _caller(request: Request, token: str, opened: Doors) -> Identity:
    if not token.startswith(api_keys.PREFIX):
        return await _identified(token, opened)
    address = client_of(request.scope, trusted_proxies=opened.settings.trusted_proxies)
    if seconds := opened.guesses.seconds_left(address, token):
        wait = {"retry-after": str(seconds)}
        raise Problem(429, "too_many_wrong_keys", "Too many wrong API keys came from your address.", headers=wait)
    try:
        caller = await _identified(token, opened)
    except Problem:
        await opened.guesses.was_wrong(address, token)
        raise
    opened.guesses.was_right(token)
    return caller


async def _identified(token: str, opened: Doors) -> Identity:
    try:
        return await opened.identities.of_bearer(token, at=datetime.now(UTC), client_host=None)
    except IdentityRefused as refused:
        headers = {"www-authenticate": "Bearer"} if refused.status_code == 401 else {}
        raise Problem(
            refused.status_code,
            refused.reason,
            _HELP.get(refused.reason, "The credentials do not open this API."),
            headers=headers,
        ) from refused


async def _whole(request: Request, *, takes_files: bool) -> Request:
    """The same request with its body read: within a limit, and within a time. Nothing is read for a stranger."""
    if request.method == "GET":
        return request
    declared = request.headers.get("content-length", "")
    try:
        body = await read_body(
            request.receive,
            declared=int(declared) if declared.isdecimal() else None,
            largest=LARGEST_FILE if takes_files else LARGEST_BODY,
            seconds=_SLOWEST_FILE_SECONDS if takes_files else SLOWEST_BODY_SECONDS,
        )
    except WebhookRefused as refused:
        # Closing on a body that is still coming would cost the sender our answer; what follows is thrown away.
        headers = {"connection": "close"} if refused.status == 408 else {}
        raise Problem(
            refused.status, refused.reason, "The body is too large or too slow.", headers=headers
        ) from refused
    except ClientLeft as left:
        raise Problem(400, "incomplete", "The body ended early.") from left

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return _Whole(request.scope, receive)


class _Whole(Request):
    """Its JSON names each field once: of two, whoever looked at it before us may have read the other."""

    async def json(self) -> Any:
        return json.loads(await self.body(), object_pairs_hook=_named_once)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise json.JSONDecodeError("a field stands twice", "", 0)
    return named


def _token(request: Request) -> str:
    """Never without one, not even on a developer's machine: any page in their browser could call us."""
    token = gate.bearer(request.headers.get("authorization", ""))
    if token is None:
        raise Problem(
            401,
            "malformed",
            "Send `Authorization: Bearer` with an API key (mcf_…) or a session token.",
            headers={"www-authenticate": "Bearer"},
        )
    return token


def _parameters(dependant: Dependant) -> set[str]:
    """What the route reads of a query, by its own arguments and those of what it depends on."""
    own = {each.alias for each in dependant.query_params}
    return own.union(*map(_parameters, dependant.dependencies))


def _refuse_unknown(request: Request, known: Collection[str]) -> None:
    """A misspelt parameter would be ignored, and so the first of two: the answer would be taken for what was asked."""
    names = [name for name, _ in request.query_params.multi_items()] if request.scope["query_string"] else []
    for name in names:
        if names.count(name) > 1:
            raise problems.invalid(("query", name), "stands more than once", kind="repeated")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"the closest is {close[0]}" if close else f"it takes {', '.join(sorted(known)) or 'none'}"
            fault = f"this route has no such parameter; {hint}"
            raise problems.invalid(("query", name), fault, kind="extra_forbidden")


async def _refuse_others(caller: Identity, permission: Permission, request: Request, opened: Doors) -> None:
    """A refusal is on record: somebody may be trying doors."""
    is_in_scope = not caller.scopes or permission.value in caller.scopes
    if role.may(caller.role, permission) and is_in_scope:
        return
    async with opened.store.audit_transaction() as transaction:
        await audit.record(
            transaction,
            caller.tenant_id,
            actor=caller.actor,
            action="access.refused",
            subject=permission.value,
            detail={"method": request.method, "role": caller.role.value},
            at=datetime.now(UTC),
        )
    raise Problem(403, "forbidden", f"This needs the permission {permission.value}.", permission=permission.value)
