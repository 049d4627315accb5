"""One conversation of the demo as the episodes table holds it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Ending = Literal["thanks", "silence", "question", "handoff", "assist", "stop", "quota"]


@dataclass(slots=True)
class Episode:
    """One conversation, from its first message to its outcome."""

    episode_id: uuid.UUID
    start_reason: str
    started_at: datetime
    outcome: str = "open"
    handoff_reason: str | None = None
    resolved_by: str | None = None
    inbound_count: int = 0
    agent_count: int = 0
    human_count: int = 0
    waiting_since: datetime | None = None
    first_agent_at: datetime | None = None
    first_human_at: datetime | None = None
    last_inbound_at: datetime | None = None
    last_reply_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    ends: Ending = "silence"
    member_id: uuid.UUID | None = None

    @property
    def first_reply_at(self) -> datetime | None:
        times = [at for at in (self.first_agent_at, self.first_human_at) if at is not None]
        return min(times) if times else None
