"""The state of a model target through time, cut into equal slots, as a status page shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboards.parts import Tone
from mychatflow.store.operations import BreakerChange

_TONES: dict[str, Tone] = {"closed": "good", "half_open": "warn", "open": "bad"}
_WORST_FIRST = ("open", "half_open", "closed")


def slots(changes: Sequence[BreakerChange], *, now: str, since: datetime, until: datetime, count: int) -> list[Tone]:
    """The worst state within each slot. `changes` are one target's, oldest first; without any it never left `now`."""
    width = (until - since) / count
    state = changes[0].from_state if changes else now
    waiting = list(changes)
    shown: list[Tone] = []
    for number in range(count):
        end = since + width * (number + 1)
        seen = {state}
        while waiting and (waiting[0].changed_at < end or number == count - 1):
            state = waiting.pop(0).to_state
            seen.add(state)
        shown.append(_tone(seen))
    return shown


def labels(*, since: datetime, until: datetime, count: int) -> list[str]:
    """When each slot begins, in words."""
    width: timedelta = (until - since) / count
    return [f"{since + width * number:%H:%M}" for number in range(count)]


def _tone(seen: set[str]) -> Tone:
    worst = next((state for state in _WORST_FIRST if state in seen), "closed")
    return _TONES[worst]
