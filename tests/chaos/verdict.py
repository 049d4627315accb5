"""What a chaos run proved: messages lost, doubled or answered out of order, counted from what customers saw."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# The product's own debounce: whatever reaches us later than this after a later message cannot be answered before it.
_SETTLE = timedelta(milliseconds=500)
_NUMBER = re.compile(r"#(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`lost` were acknowledged and never answered; `doubled` answered twice; `order_breaks` answered too early.

    `late` came to us, not to the gateway, so long after a later message that nobody could have kept their order.
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
    arrived: Mapping[int, datetime] | None = None,
) -> Verdict:
    """Compare, chat by chat, the numbers that were sent with the replies that the customer saw.

    `arrived` is when we stored each message, where that is known.
    """
    answered: Counter[int] = Counter()
    order_breaks: list[str] = []
    late: list[str] = []
    for chat, replies in seen.items():
        highest = 0
        for reply in replies:
            numbers = numbers_in(reply)
            answered.update(set(numbers))
            fresh = [number for number in numbers if answered[number] == 1]
            if fresh != sorted(fresh) or (fresh and fresh[0] < highest):
                early = [number for number in fresh if number < highest]
                is_late = fresh == sorted(fresh) and all(_is_late(n, highest, arrived or {}) for n in early)
                (late if is_late else order_breaks).append(f"{chat}: {numbers} after #{highest}")
            highest = max([highest, *numbers])
    expected = [number for numbers in sent.values() for number in numbers]
    return Verdict(
        acknowledged=len(expected),
        answered=sum(1 for number in expected if answered[number]),
        lost=tuple(number for number in expected if not answered[number]),
        doubled=tuple(sorted(number for number, times in answered.items() if times > 1)),
        order_breaks=tuple(order_breaks),
        late=tuple(late),
    )


def _is_late(number: int, later: int, arrived: Mapping[int, datetime]) -> bool:
    return number in arrived and later in arrived and arrived[number] > arrived[later] + _SETTLE
