"""What a chaos run proved: messages lost, doubled or answered out of order, counted from what customers saw."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"#(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`lost` were acknowledged and never answered; `doubled` answered twice; `order_breaks` answered too early."""

    acknowledged: int
    answered: int
    lost: tuple[int, ...]
    doubled: tuple[int, ...]
    order_breaks: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.order_breaks)


def numbers_in(text: str) -> list[int]:
    """Every message carries its number as `#17`, and the scripted model answers with the numbers it was asked."""
    return [int(found) for found in _NUMBER.findall(text)]


def judge(sent: Mapping[str, Sequence[int]], seen: Mapping[str, Iterable[str]]) -> Verdict:
    """Compare, chat by chat, the numbers whose webhook was acknowledged with the replies that the customer saw."""
    answered: Counter[int] = Counter()
    order_breaks: list[str] = []
    for chat, replies in seen.items():
        highest = 0
        for reply in replies:
            numbers = numbers_in(reply)
            answered.update(set(numbers))
            fresh = [number for number in numbers if answered[number] == 1]
            if fresh != sorted(fresh) or (fresh and fresh[0] < highest):
                order_breaks.append(f"{chat}: {numbers} after #{highest}")
            highest = max([highest, *numbers])
    expected = [number for numbers in sent.values() for number in numbers]
    return Verdict(
        acknowledged=len(expected),
        answered=sum(1 for number in expected if answered[number]),
        lost=tuple(number for number in expected if not answered[number]),
        doubled=tuple(sorted(number for number, times in answered.items() if times > 1)),
        order_breaks=tuple(order_breaks),
    )
