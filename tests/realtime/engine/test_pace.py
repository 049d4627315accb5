"""A number sends no faster than it may, and whatever must wait goes in the end."""

import heapq
from uuid import UUID, uuid4

import pytest

from realtime.engine.pace import UNLIMITED, Pace

NUMBER = uuid4()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def sending(count: int, *, sends_per_minute: int, workers: int = 1) -> list[float]:
    """When each of so many messages goes, all wanted at once; one that must wait comes back when it was told to."""
    clock = Clock()
    pace, began = Pace(workers=workers, clock=clock), clock.now
    due: list[tuple[float, UUID]] = [(clock.now, uuid4()) for _ in range(count)]
    heapq.heapify(due)
    gone = []
    while due and clock.now - began < 6 * 3_600:
        clock.now, message = heapq.heappop(due)
        delay = pace.wait(NUMBER, message, sends_per_minute=sends_per_minute)
        if delay > 0:
            heapq.heappush(due, (clock.now + delay, message))
        else:
            gone.append(clock.now - began)
    return gone


@pytest.mark.parametrize(("count", "sends_per_minute"), [(100, 60), (100, 6), (1_000, 60), (3, 1)])
def test_a_crowd_goes_at_the_numbers_pace_and_all_of_it(count: int, sends_per_minute: int):
    gone = sending(count, sends_per_minute=sends_per_minute)

    assert len(gone) == count
    # A minute's share at once, then one by one.
    for minute in range(int(gone[-1] // 60) + 1):
        within = sum(at <= (minute + 1) * 60 for at in gone)
        assert within <= sends_per_minute * (minute + 2)
    assert gone[-1] == pytest.approx((count - sends_per_minute) * 60 / sends_per_minute, abs=1)


def test_workers_share_the_pace():
    assert sending(6, sends_per_minute=6, workers=2)[-1] == pytest.approx(60, abs=1)


def test_the_highest_pace_waits_for_nobody():
    assert sending(50, sends_per_minute=UNLIMITED) == [0.0] * 50


def test_a_refused_number_is_silent_until_it_is_freed():
    clock = Clock()
    pace = Pace(clock=clock)

    pace.hold(NUMBER, seconds=60)
    clock.now += 10
    assert pace.held_for(NUMBER) == 50
    assert pace.held_for(uuid4()) == 0

    pace.free(NUMBER)
    assert pace.held_for(NUMBER) == 0
