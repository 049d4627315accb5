"""A business that was given up hears and says nothing more, whatever was on its way to it."""

from datetime import UTC, datetime

from mychatflow.store.privacy import Privacy
from tests.factories import Tenant
from tests.journeys.conftest import House, until


async def given_up(house: House, tenant: Tenant) -> None:
    (row,) = house.rows("select name from tenants where id = %(t)s", t=tenant.tenant_id)
    await Privacy(house.store, house.settings).end_tenant(tenant.tenant_id, confirm=row["name"], at=datetime.now(UTC))


async def test_what_web_took_before_it_knew_of_the_end_is_let_go_and_troubles_no_worker(house: House) -> None:
    tenant = await house.a_business()
    chat, other = house.a_customer(), house.a_customer()
    house.write(tenant, chat, "Hello")
    said = await house.answers(tenant, chat, 1)

    await given_up(house, tenant)
    # Web remembers for seconds whose number this is.
    house.write(tenant, chat, "Are you still there?")
    house.write(tenant, other, "Is this the hotel?")
    left = "select state, body from inbox where tenant_id = %(t)s and kind = 'message' and not is_own"
    await until(lambda: len(house.rows(left, t=tenant.tenant_id)) == 2)
    await house.quiet(tenant)

    assert house.rows(left, t=tenant.tenant_id) == [{"state": "done", "body": None}] * 2
    assert (house.texts(tenant, chat), house.texts(tenant, other)) == (said, [])
    assert house.rows("select reason from dead_letters") == []


async def test_what_waits_to_be_sent_when_a_business_ends_is_never_sent(house: House) -> None:
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.faults.share("500_before", 1.0)
    house.write(tenant, chat, "Hello")
    waiting = "select state, last_error from outbox where tenant_id = %(t)s"
    await until(lambda: len(house.rows(f"{waiting} and attempts > 0", t=tenant.tenant_id)) == 1)

    await given_up(house, tenant)
    house.gateway.faults.clear()
    house.write(tenant, chat, "Are you still there?")
    await house.quiet(tenant)

    assert house.rows(waiting, t=tenant.tenant_id) == [{"state": "cancelled", "last_error": "business_ended"}]
    assert house.texts(tenant, chat) == []
