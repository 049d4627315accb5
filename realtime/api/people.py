"""/members and /audit: who belongs to the tenant, and who did what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from mychatflow.rules.role import Permission
from mychatflow.store import audit, members
from realtime.api import pages
from realtime.api.bodies import Shown
from realtime.api.desk import AtDesk
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.routes import needs, tenant_router

router = tenant_router("people")


class Member(Shown):
    id: UUID
    email: str
    name: str | None
    role: str
    is_on_duty: bool
    invited_at: datetime | None
    joined_at: datetime | None
    created_at: datetime


class AuditEntry(Shown):
    id: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    detail: dict[str, Any]


@router.get("/members", summary="The tenant's people", **needs(Permission.MANAGE_TEAM))
async def list_members(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[Member]:
    window = pages.opened(desk, "members", cursor)
    async with desk.reading() as transaction:
        rows = await members.of_tenant(transaction, desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "members", Member, rows, limit=limit, by=("created_at", "id"))


@router.get("/audit", summary="What was done, newest first", **needs(Permission.VIEW_AUDIT))
async def list_audit(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[AuditEntry]:
    before = pages.opened(desk, "audit", cursor)["before_id"]
    async with desk.reading() as transaction:
        rows = await audit.page(transaction, desk.tenant_id, before_id=before, limit=pages.size(limit) + 1)
    return pages.page(desk, "audit", AuditEntry, rows, limit=limit, by=("at", "id"))
