"""A page's filters under a name, to come back to: each member's own, and those shared with the workspace."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LONGEST_NAME = 60
LONGEST_FILTERS = 500
# As many as a menu can hold.
_MOST = 40
_OF_PAGE = text(
    """
    select id as view_id, name, filters, is_shared, member_id is not distinct from :member_id as is_mine
    from saved_views
    where tenant_id = :tenant_id and page = :page and (is_shared or member_id is not distinct from :member_id)
    order by lower(name), id
    limit :most
    """
)
_KEEP = text(
    """
    insert into saved_views (tenant_id, member_id, page, name, filters, is_shared, created_at)
    values (:tenant_id, :member_id, :page, :name, :filters, :is_shared, :at)
    on conflict (tenant_id, page, member_id, name) do update
    set filters = excluded.filters, is_shared = excluded.is_shared
    """
)
_FORGET = text(
    """
    delete from saved_views
    where tenant_id = :tenant_id and id = :view_id
        and (member_id is not distinct from :member_id or (is_shared and :may_tidy))
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """One name in the menu; `filters` is the address's part after the question mark."""

    view_id: UUID
    name: str
    filters: str
    is_shared: bool
    is_mine: bool


async def of_page(
    transaction: AsyncConnection, tenant_id: UUID, *, page: str, member_id: UUID | None
) -> list[SavedView]:
    """The member's own and everybody's, by name."""
    values = {"tenant_id": tenant_id, "page": page, "member_id": member_id, "most": _MOST}
    return [SavedView(**row) for row in (await transaction.execute(_OF_PAGE, values)).mappings()]


async def keep(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    page: str,
    name: str,
    filters: str,
    is_shared: bool,
    member_id: UUID | None,
    at: datetime,
) -> None:
    """Save it, in place of the member's view of that name."""
    values = {"tenant_id": tenant_id, "page": page, "name": name, "filters": filters, "at": at}
    await transaction.execute(_KEEP, values | {"is_shared": is_shared, "member_id": member_id})


async def forget(
    transaction: AsyncConnection, tenant_id: UUID, view_id: UUID, *, member_id: UUID | None, may_tidy: bool
) -> bool:
    """Whether it was there and theirs to remove; who may tidy removes shared ones of others, too."""
    values = {"tenant_id": tenant_id, "view_id": view_id, "member_id": member_id, "may_tidy": may_tidy}
    return (await transaction.execute(_FORGET, values)).rowcount > 0
