"""What every ending of a turn needs: the chat, what was read in it and by whom it is answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from mychatflow.events import EventType, event_id, named_id
from realtime.agent.ledger import Ledger
from realtime.agent.reading import Reading, Understanding
from realtime.agent.tenants import Tenant
from realtime.agent.trace import Trace
from realtime.engine.commit import Notification
from realtime.engine.records import EventEntry
from realtime.engine.work import Chat


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One turn, once it is known what the customer wants."""

    chat: Chat
    tenant: Tenant
    contact_id: UUID
    episode_id: UUID | None
    reading: Reading
    understanding: Understanding
    ledger: Ledger
    trace: Trace
    turn_id: UUID
    at: datetime
    message_id: str | None = None

    @property
    def tenant_id(self) -> UUID:
        return self.chat.lease.tenant_id

    @property
    def first_seq(self) -> int:
        return min(each.row.seq for each in self.reading.customer)

    @property
    def subject(self) -> str:
        """Names the reply: one for the first message that waits, however many follow before it is sent."""
        return f"reply:{self.first_seq}"

    def event(self, event_type: EventType, properties: dict[str, Any]) -> EventEntry:
        return EventEntry(
            event_id=event_id(event_type, self.tenant_id, str(self.first_seq)),
            occurred_at=self.at,
            event_type=event_type,
            contact_id=self.contact_id,
            episode_id=self.episode_id,
            properties=properties,
        )

    def news(self, kind: str, title: str, *, is_urgent: bool = False, **detail: Any) -> Notification:
        # The same news of the same customer is told once an hour.
        natural = f"{kind}:{self.contact_id}:{self.at:%Y-%m-%dT%H}"
        return Notification(
            id=named_id("notification", self.tenant_id, natural),
            kind=kind,
            title=title,
            detail=detail,
            is_urgent=is_urgent,
        )
