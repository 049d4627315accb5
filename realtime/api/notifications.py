"""/notifications: what people must be told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from mychatflow.rules.role import Permission
from mychatflow.store import notifications
from realtime.api import pages
from realtime.api.bodies import Shown
from realtime.api.desk import AtDesk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.routes import needs, tenant_router

router = tenant_router("notifications")


class Notification(Shown):
    id: UUID
    contact_id: UUID | None
    kind: str
    title: str
    detail: dict[str, Any]
    is_urgent: bool
    created_at: datetime
    read_at: datetime | None


@router.get("/notifications", summary="Notifications, newest first", **needs(Permission.VIEW_CONVERSATIONS))
async def list_notifications(
    desk: AtDesk, *, unread: bool = False, limit: Limit = 50, cursor: Cursor = None
) -> Page[Notification]:
    window = pages.opened(desk, "notifications", cursor)
    async with desk.reading() as transaction:
        rows = await notifications.page(
            transaction, desk.tenant_id, is_unread=unread, **window, limit=pages.size(limit) + 1
        )
    return pages.page(desk, "notifications", Notification, rows, limit=limit, by=("created_at", "id"))


@router.post("/notifications/{notification_id}/read", summary="Seen", **needs(Permission.REPLY))
async def read_notification(desk: AtDesk, notification_id: UUID) -> Notification:
    async with desk.changing("notification.read", notification_id) as change:
        found = await notifications.read(change.transaction, desk.tenant_id, notification_id, at=desk.at)
        if found is None:
            not_found("notification")
    return Notification.model_validate(found)
