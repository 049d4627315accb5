"""What a customer is told on WhatsApp when a colleague books, moves or cancels their appointment."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import appointment_text
from mychatflow.rules.appointment_text import Occasion
from mychatflow.store import contact_book, notices, tenant_settings
from mychatflow.store.cipher import TenantCipher


async def tell(
    transaction: AsyncConnection,
    tenant_id: UUID,
    appointment: Mapping[str, Any],
    occasion: Occasion,
    *,
    cipher: TenantCipher,
    at: datetime,
) -> bool:
    """In their language, once for each change. False when they want no messages."""
    contact = await contact_book.by_id(transaction, tenant_id, appointment["contact_id"]) or {}
    settings = await tenant_settings.read(transaction, tenant_id) or {}
    language = contact.get("preferred_language") or settings.get("default_language") or "en"
    words = appointment_text.say(
        occasion,
        language=language,
        service=appointment["service"],
        starts_at=appointment["starts_at"],
        timezone=appointment["timezone"],
    )
    return await notices.queue(
        transaction,
        appointment["contact_id"],
        words,
        cipher=cipher,
        key=f"appointment:{appointment['id']}:{occasion}:{appointment['ics_sequence']}",
        language=language,
        at=at,
    )
