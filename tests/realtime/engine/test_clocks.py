"""When a message is tried again is said by Postgres' clock, whatever the worker's says."""

from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.store.session import Store
from realtime.engine.pool import Pool
from realtime.engine.sent import Dispatch, DispatchBook
from tests.factories import Tenant, a_contact
from tests.realtime.engine.test_last_word import CHAT, a_lease, a_queued, rows


@pytest.mark.parametrize("wrong_by", [timedelta(minutes=-1), timedelta(0), timedelta(minutes=1)])
async def test_a_message_rests_as_long_as_it_is_told(store: Store, pool: Pool, tenant: Tenant, wrong_by: timedelta):
    lease, at = await a_lease(pool, tenant), datetime.now(UTC) + wrong_by
    outbox_id = await a_queued(pool, tenant, await a_contact(store, tenant, wa_id=CHAT), kind="reply")
    later = at + timedelta(seconds=30)

    await DispatchBook(pool).mark(Dispatch(lease=lease, outbox_id=outbox_id, state="sending", at=at, next_try_at=later))

    ((rest,),) = await rows(pool, "select next_try_at - now() from outbox")
    assert timedelta(seconds=20) < rest <= timedelta(seconds=30)
