"""What people must be told, and whether they have read it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_COLUMNS = "id, contact_id, kind, title, detail, is_urgent, created_at, read_at"
_PAGE = text(
    f"""
    select {_COLUMNS} from notifications
    where tenant_id = :tenant_id
        and (not :is_unread or read_at is null)
        and (
            cast(:before_at as timestamptz) is null
            or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by created_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_READ = text(
    f"""
    update notifications set read_at = coalesce(read_at, :at)
    where tenant_id = :tenant_id and id = :notification_id
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)


async def page(
    transaction: AsyncConnection, tenant_id: UUID, *, is_unread: bool = False, **window: Any
) -> list[Mapping[str, Any]]:
    """Newest first; `window` is before_at, before_id and limit."""
    values = {"tenant_id": tenant_id, "is_unread": is_unread, **window}
    return [dict(row) for row in (await transaction.execute(_PAGE, values)).mappings()]


async def read(
    transaction: AsyncConnection, tenant_id: UUID, notification_id: UUID, *, at: datetime
) -> Mapping[str, Any] | None:
    """The notification, read; None for one that is not there."""
    values = {"tenant_id": tenant_id, "notification_id": notification_id, "at": at}
    row = (await transaction.execute(_READ, values)).mappings().one_or_none()
    return None if row is None else dict(row)
