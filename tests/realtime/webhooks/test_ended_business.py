"""What a gateway still tells of a business that has ended: taken, so that it comes no more, and not kept."""

from datetime import UTC, datetime
from functools import partial

from mychatflow.store import tenant_keys
from mychatflow.store.session import Store
from tests.realtime.webhooks.conftest import Door, event


async def test_what_comes_for_a_business_that_has_ended_is_taken_and_not_kept(door: Door, store: Store) -> None:
    async with store.platform_transaction() as transaction:
        await tenant_keys.shred(transaction, door.tenant.tenant_id, at=datetime.now(UTC))
    counted = partial(door.counted, "mychatflow_webhook_rejections_total", reason="business_ended", sender="known")
    before = await counted()

    answer = await door.send_signed(event(door.tenant.session))

    assert (answer.status, await counted()) == (200, before + 1)
    assert door.inbox() == door.rows("select * from dead_letters") == []
