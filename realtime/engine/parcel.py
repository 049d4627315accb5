"""A message on its way to the gateway, opened, with the story that its event will tell."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from mychatflow.rules.attachment import Attachment
from realtime.engine.work import Number

# As long as a send may take, and a little: before that nobody can say that it did not arrive.
_QUIET_SECONDS: Final = 17.0
# The same for a file, whose megabytes go to the gateway first.
_MEDIA_QUIET_SECONDS: Final = 47.0


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
    media: Attachment | None = None
    is_readable: bool = True
    wa_message_id: str | None
    attempts: int
    # Whether the gateway may have taken it before.
    is_doubtful: bool = False
    # None until somebody may have tried.
    first_try_at: datetime | None
    created_at: datetime
    waits_since: datetime | None
    story: dict[str, Any]

    def keeps_id(self, number: Number) -> bool:
        """Whether it may be sent again after any doubt: the gateway takes no id of ours for a file."""
        return number.keeps_ids and self.media is None


def quiet_seconds(number: Number, *, has_media: bool) -> float:
    """How long a message in doubt is left alone; not at all where a second copy would be the same message."""
    if has_media:
        return _MEDIA_QUIET_SECONDS
    return 0.0 if number.keeps_ids else _QUIET_SECONDS
