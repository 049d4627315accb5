"""A message on its way to the gateway, opened, with the story that its event will tell."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One outbox row on its way, with what its message_sent event will tell."""

    outbox_id: UUID
    interaction_id: UUID
    contact_id: UUID
    episode_id: UUID | None
    kind: str
    author: str
    idempotency_key: str
    text: str = field(repr=False)
    wa_message_id: str | None
    attempts: int
    # None until somebody may have tried.
    first_try_at: datetime | None
    created_at: datetime
    waits_since: datetime | None
    story: dict[str, Any]
