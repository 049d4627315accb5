"""A campaign's message to one of the tenant's own contacts, to look at before it goes to all."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import campaign_audience, campaign_freeze, contact_book, notices
from mychatflow.store.cipher import TenantCipher


async def send(
    transaction: AsyncConnection,
    tenant_id: UUID,
    campaign: Mapping[str, Any],
    contact_id: UUID,
    *,
    cipher: TenantCipher,
    at: datetime,
) -> str | None:
    """The text that was queued; None when that contact wants no messages. It counts in no result."""
    plan = await campaign_audience.plan_of(transaction, tenant_id, campaign)
    person = await contact_book.by_id(transaction, tenant_id, contact_id)
    if person is None:
        raise LookupError(contact_id)
    words = campaign_freeze.words_for(person, plan)
    is_queued = await notices.queue(
        transaction,
        contact_id,
        words,
        cipher=cipher,
        key=f"campaign_test:{campaign['id']}:{contact_id}:{at.isoformat()}",
        language=person["preferred_language"],
        at=at,
        kind="notice",
    )
    return words if is_queued else None
