"""/exports and /erasures: copies of what is kept of people, and requests to forget them, done by a worker."""

from datetime import datetime
from typing import Any
from uuid import UUID

from mychatflow.rules.role import Permission
from mychatflow.store import contact_book, data_requests, tenants
from realtime.api import export_links, pages
from realtime.api.bodies import Body, Shown
from realtime.api.contacts import must_find
from realtime.api.desk import AtDesk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("privacy")


class WantedExport(Body):
    """Without a contact: all that the tenant has."""

    contact_id: UUID | None = None


class WantedErasure(Body):
    contact_id: UUID


class Export(Shown):
    id: UUID
    contact_id: UUID | None
    state: str
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    failure: str | None
    byte_size: int | None
    expires_at: datetime | None
    # Where the copy is fetched, once, while it is ready.
    url: str | None = None


class Erasure(Shown):
    id: UUID
    contact_id: UUID
    state: str
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    failure: str | None
    certificate: dict[str, Any] | None


@router.post("/exports", status_code=202, summary="Ask for a copy of the data", **needs(Permission.EXPORT_DATA))
async def ask_for_export(desk: AtDesk, wanted: WantedExport) -> Export:
    """Asked for twice before it is made it is made once."""
    async with desk.changing("export.requested", wanted.contact_id) as change:
        if wanted.contact_id:
            await must_find(desk, change.transaction, wanted.contact_id)
        waiting = await data_requests.waiting_copy(change.transaction, desk.tenant_id, contact_id=wanted.contact_id)
        asked = waiting or await data_requests.ask(
            change.transaction,
            "exports",
            desk.tenant_id,
            contact_id=wanted.contact_id,
            actor=desk.caller.actor,
            at=desk.at,
        )
    return Export.model_validate(asked)


@router.get("/exports", summary="Copies, newest first", **needs(Permission.EXPORT_DATA))
async def list_exports(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[Export]:
    window = pages.opened(desk, "exports", cursor)
    async with desk.reading() as transaction:
        rows = await data_requests.page(transaction, "exports", desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "exports", Export, rows, limit=limit, by=("requested_at", "id"))


@router.get("/exports/{export_id}", summary="One copy, with its link when it is ready", **needs(Permission.EXPORT_DATA))
async def read_export(desk: AtDesk, export_id: UUID) -> Export:
    async with desk.reading() as transaction:
        found = await data_requests.by_id(transaction, "exports", desk.tenant_id, export_id)
    if found is None:
        not_found("export")
    is_ready = found["state"] == "ready" and found["expires_at"] > desk.at
    url = export_links.made(desk.doors.settings, desk.tenant_id, export_id, found["expires_at"]) if is_ready else None
    return Export.model_validate(found | {"url": url})


@router.post("/erasures", status_code=202, summary="Forget a person", **needs(Permission.ERASE_CONTACT))
async def ask_for_erasure(desk: AtDesk, wanted: WantedErasure) -> Erasure:
    async with desk.changing("erasure.requested", wanted.contact_id) as change:
        if await contact_book.by_id(change.transaction, desk.tenant_id, wanted.contact_id) is None:
            not_found("contact")
        if await tenants.is_on_legal_hold(change.transaction, desk.tenant_id):
            raise Problem(409, "legal_hold", "This tenant is on legal hold: nothing may be deleted until it ends.")
        asked = await data_requests.ask(
            change.transaction,
            "erasures",
            desk.tenant_id,
            contact_id=wanted.contact_id,
            actor=desk.caller.actor,
            at=desk.at,
        )
    return Erasure.model_validate(asked)


@router.get("/erasures", summary="Erasures, newest first", **needs(Permission.ERASE_CONTACT))
async def list_erasures(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[Erasure]:
    window = pages.opened(desk, "erasures", cursor)
    async with desk.reading() as transaction:
        rows = await data_requests.page(transaction, "erasures", desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "erasures", Erasure, rows, limit=limit, by=("requested_at", "id"))


@router.get("/erasures/{erasure_id}", summary="One erasure and its certificate", **needs(Permission.ERASE_CONTACT))
async def read_erasure(desk: AtDesk, erasure_id: UUID) -> Erasure:
    async with desk.reading() as transaction:
        found = await data_requests.by_id(transaction, "erasures", desk.tenant_id, erasure_id)
    if found is None:
        not_found("erasure")
    return Erasure.model_validate(found)
