"""`/api/reports/unsubscribe`: no more weekly e-mails, by the signed link that each of them carries."""

import hmac
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from mychatflow.store import report_mails
from realtime.api import doors, link_pages
from realtime.api.doors import Doors
from realtime.api.link_pages import Words
from realtime.api.problems import Problem

_PATH: Final = "/api/reports/unsubscribe"
_DONE: Final = Words("Done", "You get no more weekly e-mails of this workspace.")
_ASK: Final = Words(
    title="No more weekly e-mails?",
    text="The week's numbers of this workspace no longer come to this address. Nothing else changes.",
)
_BUTTON: Final = "<form method='post'><button>Unsubscribe</button></form>"
_BROKEN: Final = Words(
    title="This link does not work",
    text="It was cut short on its way, or it is too old. Nothing has changed: open the link in your newest weekly"
    " e-mail instead. If that one fails too, ask whoever runs your MyChatFlow.",
)
_REFUSALS: Final = link_pages.refusals(404, 422, 503)
router: Final = APIRouter(tags=["service"], route_class=link_pages.route(broken=_BROKEN))


@router.get(_PATH, summary="Ask before unsubscribing", response_class=HTMLResponse, responses=_REFUSALS)
async def ask(request: Request, tenant: UUID, mail: UUID, token: Annotated[str, Query(max_length=100)]) -> HTMLResponse:
    """A page with a button: mail scanners open links, and none of them may unsubscribe anybody."""
    _checked(doors.of(request), tenant, mail, token)
    return link_pages.page(_ASK, form=_BUTTON)


@router.post(_PATH, summary="No more weekly e-mails", response_class=HTMLResponse, responses=_REFUSALS)
async def refuse(
    request: Request, tenant: UUID, mail: UUID, token: Annotated[str, Query(max_length=100)]
) -> HTMLResponse:
    """The signature is the right to it; safe to repeat."""
    opened = doors.of(request)
    _checked(opened, tenant, mail, token)
    async with opened.store.tenant_transaction(tenant) as transaction:
        await report_mails.refuse(transaction, tenant, mail, at=datetime.now(UTC))
    return link_pages.page(_DONE)


def _checked(opened: Doors, tenant: UUID, mail: UUID, token: str) -> None:
    expected = report_mails.token(opened.settings, tenant, mail)
    if not hmac.compare_digest(expected.encode(), token.encode()):
        raise Problem(404, "not_found", "There is no such link.")
