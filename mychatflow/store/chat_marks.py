"""How an open inbox knows that nothing changed, without reading a message: by the versions of the rows it shows."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Postgres writes each change of a row as a new version under the transaction's number, so a sum of those numbers
# changes with any of them; further down the list and the chat, a change waits for the next whole look.
_MARKS: Final = text(
    """
    with

    listed as (
        select id, xmin::text::bigint as version
        from contacts
        where tenant_id = :tenant_id and last_message_at is not null
        order by last_message_at desc, id desc
        limit 100
    ),

    said as (
        select xmin::text::bigint as version
        from interactions
        where tenant_id = :tenant_id and contact_id = :contact_id
        order by occurred_at desc
        limit 100
    ),

    team as (
        select sum(xmin::text::bigint) as version from team_members where tenant_id = :tenant_id
    )

    select
        concat_ws(
            ' ',
            (select sum(version) from listed),
            (
                select sum(episodes.xmin::text::bigint)
                from listed
                inner join episodes
                    on episodes.tenant_id = :tenant_id
                    and episodes.contact_id = listed.id
                    and episodes.closed_at is null
            ),
            (select version from team)
        ) as of_list,
        concat_ws(
            ' ',
            (select sum(version) from said),
            (select xmin from contacts where tenant_id = :tenant_id and id = :contact_id),
            (select count(*) from media_files where tenant_id = :tenant_id and contact_id = :contact_id),
            (select count(*) from ownership_history where tenant_id = :tenant_id and contact_id = :contact_id),
            (select version from team)
        ) as of_chat
    """
)


@dataclass(frozen=True, slots=True)
class Marks:
    """Equal as long as the list, and the open chat, stand as they did."""

    of_list: str
    of_chat: str


async def marks(transaction: AsyncConnection, tenant_id: UUID, *, contact_id: UUID | None) -> Marks:
    """Those of the tenant's newest chats and team, and of the chat that is open."""
    found = await transaction.execute(_MARKS, {"tenant_id": tenant_id, "contact_id": contact_id})
    return Marks(*found.one())
