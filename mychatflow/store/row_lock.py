"""Keeps a row as it stands until the transaction ends: what was read of it still holds when it is written over."""

from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Table = Literal["campaigns", "contacts", "follow_up_sequences", "quick_replies", "services", "resources"]


async def hold(transaction: AsyncConnection, tenant_id: UUID, table: Table, row_id: UUID) -> None:
    """Waits for whoever is changing it. What only points to the row, such as an appointment, goes on meanwhile."""
    statement = text(f"select 1 from {table} where tenant_id = :tenant_id and id = :id for no key update")  # noqa: S608 - constant names
    await transaction.execute(statement, {"tenant_id": tenant_id, "id": row_id})
