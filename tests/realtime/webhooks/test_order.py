"""Two messages of one second keep the order in which they were written, however their webhooks arrive."""

from datetime import UTC, datetime, timedelta

import pytest

from realtime.webhooks.normalise import written_at

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECOND = int(NOON.timestamp())


@pytest.mark.parametrize(
    ("heard_after", "expected"),
    [
        (0.0, timedelta(0)),
        (0.25, timedelta(milliseconds=250)),
        (1.5, timedelta(microseconds=999_999)),
        (60.0, timedelta(0)),
        (-2.0, timedelta(0)),
    ],
)
def test_the_gateway_orders_messages_within_a_second(heard_after: float, expected: timedelta) -> None:
    at = written_at(SECOND, int((SECOND + heard_after) * 1000), received_at=NOON + timedelta(minutes=2))

    assert at == NOON + expected


def test_without_a_signed_time_whatsapps_second_stands() -> None:
    assert written_at(SECOND, None, received_at=NOON) == NOON
