"""How far each member has read each chat: what came in since is unread, for them alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Who joined yesterday has not left years of chats unread.
IS_UNREAD: Final = """
    last_inbound_at > coalesce(
        (
            select read_through_at from read_markers
            where tenant_id = :tenant_id
                and contact_id = contacts.id
                and member_id is not distinct from cast(:reader_id as uuid)
        ),
        (select joined_at from team_members where tenant_id = :tenant_id and id = cast(:reader_id as uuid)),
        '-infinity'
    )
"""
_UNREAD: Final = text(
    f"select id from contacts where tenant_id = :tenant_id and id = any(:contact_ids) and {IS_UNREAD}"  # noqa: S608
)
# Two windows of one member: the one that has seen more is right.
_READ: Final = text(
    """
    insert into read_markers (tenant_id, contact_id, member_id, read_through_at)
    values (:tenant_id, :contact_id, :reader_id, :through)
    on conflict (tenant_id, contact_id, member_id) do update set read_through_at = excluded.read_through_at
    where read_markers.read_through_at < excluded.read_through_at
    """
)


async def unread(
    transaction: AsyncConnection, tenant_id: UUID, contact_ids: Sequence[UUID], *, reader_id: UUID | None
) -> frozenset[UUID]:
    """Those of the chats in which something came in that the member has not seen."""
    values = {"tenant_id": tenant_id, "contact_ids": list(contact_ids), "reader_id": reader_id}
    return frozenset((await transaction.execute(_UNREAD, values)).scalars())


async def read(
    transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, reader_id: UUID | None, through: datetime
) -> None:
    """The member has seen the chat up to that message; never back."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "reader_id": reader_id, "through": through}
    await transaction.execute(_READ, values)
