"""`GET /api/exports/…`: a finished copy by its signed link, which opens once and for a quarter of an hour."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from mychatflow.settings import Settings
from mychatflow.store import audit, data_requests
from mychatflow.store.export_vault import ExportVault
from realtime.api import document, doors, link_pages
from realtime.api.doors import Doors
from realtime.api.link_pages import Words
from realtime.api.problems import Problem

_BROKEN: Final = Words("This link does not work", "It was cut short on its way. Copy it anew from where you found it.")
_GONE: Final = Words(
    title="This link is used up",
    text="It opens once, for a quarter of an hour. Ask for another copy on the page Data, under Setup, or by the API.",
)
router: Final = APIRouter(tags=["privacy"], route_class=link_pages.route(broken=_BROKEN, gone=_GONE))
_PATH: Final = "/api/exports/{tenant_id}/{export_id}"


def made(settings: Settings, tenant_id: UUID, export_id: UUID, expires_at: datetime) -> str:
    """The link's path and query: whoever has it needs no key, so it is shown to those who asked alone."""
    until = int(expires_at.timestamp())
    path = _PATH.format(tenant_id=tenant_id, export_id=export_id)
    return f"{path}?until={until}&signature={_signature(settings, tenant_id, export_id, until)}"


@router.get(
    _PATH,
    summary="Fetch a copy, once",
    response_class=StreamingResponse,
    responses=document.file("application/zip") | link_pages.refusals(404, 410, 422, 503),
)
async def fetch(
    request: Request,
    tenant_id: UUID,
    export_id: UUID,
    until: Annotated[int, Query(ge=0, le=1 << 40)],
    signature: Annotated[str, Query(max_length=100)],
) -> StreamingResponse:
    """The signature is the right to it."""
    opened, at = doors.of(request), datetime.now(UTC)
    expected = _signature(opened.settings, tenant_id, export_id, until)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Problem(404, "not_found", "There is no such link.")
    async with opened.store.tenant_transaction(tenant_id) as transaction:
        cipher = await opened.store.key_ring.for_tenant(tenant_id, transaction)
        if at.timestamp() >= until or not await data_requests.fetch(transaction, tenant_id, export_id, at=at):
            raise Problem(410, "gone", "This link was used or is too old: ask for another copy.")
        await _record(opened, tenant_id, export_id, at=at)
    pieces = _vault(opened).load(cipher, export_id)
    return StreamingResponse(
        _given(opened, pieces, tenant_id, export_id),
        media_type="application/zip",
        headers={
            "content-disposition": f'attachment; filename="export-{export_id}.zip"',
            "cache-control": "no-store",
        },
    )


async def _given(opened: Doors, pieces: Iterator[bytes], tenant_id: UUID, export_id: UUID) -> AsyncIterator[bytes]:
    try:
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    finally:
        _vault(opened).remove(tenant_id, export_id)


async def _record(opened: Doors, tenant_id: UUID, export_id: UUID, *, at: datetime) -> None:
    async with opened.store.audit_transaction() as transaction:
        await audit.record(
            transaction, tenant_id, actor="signed link", action="export.fetched", subject=str(export_id), at=at
        )


def _vault(opened: Doors) -> ExportVault:
    return ExportVault(opened.settings.data_dir / "exports")


def _signature(settings: Settings, tenant_id: UUID, export_id: UUID, until: int) -> str:
    key = settings.derived_secret("export link").encode()
    return hmac.new(key, f"{tenant_id}:{export_id}:{until}".encode(), "sha256").hexdigest()
