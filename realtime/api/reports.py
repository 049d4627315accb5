"""`/api/reports/unsubscribe`: no more weekly e-mails, by the signed link that each of them carries."""

import hmac
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from mychatflow.store import report_mails
from realtime.api import document, doors
from realtime.api.doors import Doors
from realtime.api.problems import Problem

router: Final = APIRouter(tags=["service"])
_PATH: Final = "/api/reports/unsubscribe"
_REFUSALS: Final = document.refusals(404, 422, 503)
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
