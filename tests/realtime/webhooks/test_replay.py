"""What could not be placed is given back to its door by an operator, and is taken once."""

import asyncio
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from mychatflow.local.replay import replay
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from tests.factories import a_tenant
from tests.realtime.webhooks.conftest import Door, event


@pytest.fixture
def operator(door: Door) -> Settings:
    """The installation's settings, at the address where it serves."""
    return door.settings.model_copy(update={"web_port": urlsplit(door.base_url).port})


async def test_a_letter_is_taken_once_its_number_is_known(door: Door, operator: Settings, store: Store) -> None:
    await door.send_signed(event("opened-later", body="Are you open?"))
    [letter] = door.rows("select id, message_id from dead_letters")
    await a_tenant(store, session="opened-later")

    async with asyncio.timeout(30):
        # That no number had this session is remembered for a moment.
        while not (taken := door.rows("select session, state from inbox")):
            reason = await replay(store, operator, str(letter["id"]))

    assert [row["session"] for row in taken] == ["opened-later"]
    assert reason is None
    assert await replay(store, operator, str(letter["id"])) is not None
    assert len(door.inbox()) == 1


async def test_a_letter_without_its_key_is_named_and_stays(door: Door, operator: Settings, store: Store) -> None:
    letter_id = uuid4()
    async with store.platform_transaction() as transaction:
        await transaction.exec_driver_sql(
            "insert into dead_letters (id, source, reason, payload) values (%s, 'webhook', 'unknown session', %s)",
            (letter_id, b"sealed elsewhere"),
        )

    reason = await replay(store, operator, str(letter_id))

    assert reason is not None
    assert "key" in reason
    assert door.rows("select replayed_at from dead_letters") == [{"replayed_at": None}]
