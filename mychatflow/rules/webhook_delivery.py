"""When a webhook that was not taken is tried again, when we give up, and when its address is switched off."""

from datetime import datetime, timedelta
from typing import Final, Literal

# How long a receiver may be down without losing an event: all pauses together, a day and a half.
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=18),
)
MOST_ATTEMPTS: Final = len(PAUSES) + 1
# Who takes nothing for this long is not coming back by itself.
PATIENCE: Final = timedelta(days=3)
# So long both secrets sign, for a receiver that learns the new one later.
OVERLAP: Final = timedelta(hours=24)
_GONE: Final = 410


def is_taken(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def next_try(attempts: int, *, at: datetime, spread: float) -> datetime | None:
    """After that many failed attempts, or None to give up; `spread` from 0 to 1 keeps retries from coming at once."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return at + PAUSES[attempts - 1] * (1 + spread / 10)


def switched_off(
    status: int | None, *, failing_since: datetime | None, at: datetime
) -> Literal["gone", "failing"] | None:
    """Whether a failure ends the endpoint, and why: it says that it is gone, or it took nothing for days."""
    if status == _GONE:
        return "gone"
    return "failing" if failing_since is not None and at - failing_since >= PATIENCE else None
