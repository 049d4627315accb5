"""A file of a chat is opened by its own link alone, for some minutes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from mychatflow.rules import file_link
from mychatflow.rules.file_link import FileLink, LinkRefused

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LINK = FileLink(tenant_id=UUID(int=1), contact_id=UUID(int=2), message_id=UUID(int=3))
KEY = "k" * 64


@pytest.mark.parametrize("later", [timedelta(), timedelta(minutes=9, seconds=59), timedelta(minutes=19, seconds=59)])
def test_a_link_opens_its_file_while_it_lives(later: timedelta) -> None:
    assert file_link.read(file_link.write(LINK, key=KEY, at=NOON), key=KEY, at=NOON + later) == LINK


def test_a_chat_looked_at_again_has_the_same_links() -> None:
    first, again, next_slot = (
        file_link.write(LINK, key=KEY, at=NOON + timedelta(minutes=minutes)) for minutes in (0, 9, 10)
    )

    assert first == again != next_slot


@pytest.mark.parametrize(
    ("written", "at"),
    [
        (file_link.write(LINK, key=KEY, at=NOON), NOON + timedelta(minutes=20)),
        (file_link.write(LINK, key="x" * 64, at=NOON), NOON),
        (file_link.write(LINK, key=KEY, at=NOON)[:-3], NOON),
        ("", NOON),
        ("e30.e30.", NOON),
    ],
    ids=["old", "another key", "cut", "empty", "unsigned"],
)
def test_any_other_link_is_refused(written: str, at: datetime) -> None:
    with pytest.raises(LinkRefused):
        file_link.read(written, key=KEY, at=at)
