"""Until when a tenant keeps what; what is older is deleted, unless the law says hold."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# The inbox holds a copy of each message's text only until nobody could ask for a replay.
INBOX_DAYS = 7
BACKUP_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """None keeps for ever."""

    retention_days_messages: int | None = None
    retention_days_events: int | None = None
    retention_days_media: int | None = 90
    is_on_legal_hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoffs:
    """What happened before these instants goes; None lets everything stay."""

    messages_before: datetime | None
    events_before: datetime | None
    inbox_before: datetime | None
    media_before: datetime | None


def cutoffs(settings: RetentionSettings, *, at: datetime) -> Cutoffs:
    """Text of messages goes, the facts taken from it stay: a score outlives the words it was made of."""
    if settings.is_on_legal_hold:
        return Cutoffs(messages_before=None, events_before=None, inbox_before=None, media_before=None)
    return Cutoffs(
        messages_before=_before(settings.retention_days_messages, at),
        events_before=_midnight_before(settings.retention_days_events, at),
        inbox_before=at - timedelta(days=INBOX_DAYS),
        media_before=_before(settings.retention_days_media, at),
    )


def _before(days: int | None, at: datetime) -> datetime | None:
    return None if days is None else at - timedelta(days=days)


def _midnight_before(days: int | None, at: datetime) -> datetime | None:
    # Whole UTC days: a day of which half is gone would be counted by that half if it were computed again.
    before = _before(days, at)
    return None if before is None else before.replace(hour=0, minute=0, second=0, microsecond=0)
