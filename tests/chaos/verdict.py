"""What a chaos run proved: messages lost, doubled or answered out of order, counted from what customers saw."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# The product's own debounce: so long a chat is left alone after each message that is on disk.
_SETTLE = timedelta(milliseconds=500)
_NUMBER = re.compile(r"#(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When a message was on disk for everybody to see, and when the answer to it was."""

    stored_at: datetime
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`lost` were acknowledged and never answered; `doubled` answered twice; `order_breaks` answered too early.

    `late` were on disk only when the answer to a later message was, and longer after that message than a chat is
    left alone: nobody could have kept their order.
    """

    acknowledged: int
    answered: int
    lost: tuple[int, ...]
    doubled: tuple[int, ...]
    order_breaks: tuple[str, ...]
    late: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.order_breaks)


def numbers_in(text: str) -> list[int]:
    """Every message carries its number as `#17`, and the scripted model answers with the numbers it was asked."""
    return [int(found) for found in _NUMBER.findall(text)]


def judge(
    sent: Mapping[str, Sequence[int]],
    seen: Mapping[str, Iterable[str]],
    *,
    moments: Mapping[int, Moments] | None = None,
) -> Verdict:
    """Compare, chat by chat, the numbers that were sent with the replies that the customer saw.

    Without their `moments` nothing is excused.
    """
    answered: Counter[int] = Counter()
    order_breaks: list[str] = []
    late: list[str] = []
    for chat, replies in seen.items():
        before: list[int] = []
        for reply in replies:
            numbers = numbers_in(reply)
            answered.update(set(numbers))
            fresh = [number for number in numbers if answered[number] == 1]
            early = [number for number in fresh if number < max(before, default=0)]
            if fresh != sorted(fresh) or early:
                is_late = fresh == sorted(fresh) and all(_is_late(number, before, moments or {}) for number in early)
                (late if is_late else order_breaks).append(_told(chat, numbers, before, moments or {}))
            before += fresh
    expected = [number for numbers in sent.values() for number in numbers]
    return Verdict(
        acknowledged=len(expected),
        answered=sum(1 for number in expected if answered[number]),
        lost=tuple(number for number in expected if not answered[number]),
        doubled=tuple(sorted(number for number, times in answered.items() if times > 1)),
        order_breaks=tuple(order_breaks),
        late=tuple(late),
    )


def _is_late(number: int, before: Sequence[int], moments: Mapping[int, Moments]) -> bool:
    """Whether no answer that was given to a later message could have waited for this one."""
    overtaken_by = [other for other in before if other > number]
    if number not in moments or not all(other in moments for other in overtaken_by):
        return False
    stored_at = moments[number].stored_at
    return all(
        stored_at > moments[other].stored_at + _SETTLE and stored_at > (moments[other].answered_at or stored_at)
        for other in overtaken_by
    )


def _told(chat: str, numbers: Sequence[int], before: Sequence[int], moments: Mapping[int, Moments]) -> str:
    """The case with its times, for whoever has to find out why."""
    told = [other for other in before if other > min(numbers)]
    times = [
        f"#{n} stored {moments[n].stored_at:%T.%f} answered {moments[n].answered_at:%T.%f}"
        for n in (*numbers, *told)
        if n in moments and moments[n].answered_at
    ]
    return f"{chat}: {list(numbers)} after {told}; " + ", ".join(times)
