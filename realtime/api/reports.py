"""`/api/reports/unsubscribe`: no more weekly e-mails, by the signed link that each of them carries."""

import hmac
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from mychatflow.store import report_mails
from mychatflow.store.session import AWAY
from realtime.api import document, doors, routes
from realtime.api.doors import Doors
from realtime.api.problems import Problem

_PATH: Final = "/api/reports/unsubscribe"
_BROWSERS: Final = "text/html"
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: told | {"content": told["content"] | {_BROWSERS: {"schema": {"type": "string"}}}}
    for status, told in document.refusals(404, 422, 503).items()
}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>MyChatFlow</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 30rem; margin: 15vh auto; padding: 0 1rem }
  h1 { font-size: 1.5rem }
  button {
    font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: .5rem; color: #fff; background: #0b7a5f;
    cursor: pointer
  }
</style>
"""
_ASK: Final = (
    f"{_PAGE}<h1>No more weekly e-mails?</h1><p>The week's numbers of this workspace no longer come to this address."
    " Nothing else changes.</p><form method='post'><button>Unsubscribe</button></form>"
)
_DONE: Final = f"{_PAGE}<h1>Done</h1><p>You get no more weekly e-mails of this workspace.</p>"
_BROKEN: Final = (
    f"{_PAGE}<h1>This link does not work</h1><p>It was cut short on its way, or it is too old. Nothing has changed:"
    " open the link in your newest weekly e-mail instead. If that one fails too, ask whoever runs your MyChatFlow.</p>"
)
_AWAY: Final = f"{_PAGE}<h1>Not right now</h1><p>Nothing has changed. Please open the link again in a minute.</p>"


class _PageRoute(APIRoute):
    """A person who opened a link in a browser reads a page also when it is refused; programs get the problem."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except (Problem, RequestValidationError, *AWAY) as error:
                refused = routes.refusal(request, error)
                if _BROWSERS not in request.headers.get("accept", ""):
                    return refused
                page = _AWAY if refused.status_code == 503 else _BROKEN
                return HTMLResponse(page, status_code=refused.status_code, headers=_HEADERS)

        return handler


router: Final = APIRouter(tags=["service"], route_class=_PageRoute)


@router.get(_PATH, summary="Ask before unsubscribing", response_class=HTMLResponse, responses=_REFUSALS)
async def ask(request: Request, tenant: UUID, mail: UUID, token: Annotated[str, Query(max_length=100)]) -> HTMLResponse:
    """A page with a button: mail scanners open links, and none of them may unsubscribe anybody."""
    _checked(doors.of(request), tenant, mail, token)
    return HTMLResponse(_ASK, headers=_HEADERS)


@router.post(_PATH, summary="No more weekly e-mails", response_class=HTMLResponse, responses=_REFUSALS)
async def refuse(
    request: Request, tenant: UUID, mail: UUID, token: Annotated[str, Query(max_length=100)]
) -> HTMLResponse:
    """The signature is the right to it; safe to repeat."""
    opened = doors.of(request)
    _checked(opened, tenant, mail, token)
    async with opened.store.tenant_transaction(tenant) as transaction:
        await report_mails.refuse(transaction, tenant, mail, at=datetime.now(UTC))
    return HTMLResponse(_DONE, headers=_HEADERS)


def _checked(opened: Doors, tenant: UUID, mail: UUID, token: str) -> None:
    expected = report_mails.token(opened.settings, tenant, mail)
    if not hmac.compare_digest(expected.encode(), token.encode()):
        raise Problem(404, "not_found", "There is no such link.")
