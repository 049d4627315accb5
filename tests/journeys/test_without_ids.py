"""What a customer sees of a number whose gateway takes no id of ours, when a send goes wrong."""

from datetime import UTC, datetime

import pytest

from mychatflow.store import audit, consents
from tests.journeys.conftest import House, until

ANSWER = "Thank you, how may we help?"


@pytest.mark.parametrize(("fault", "records"), [("reset_after", []), ("reset_before", ["message.ambiguous"])])
async def test_a_second_send_without_an_id_is_on_record(house: House, fault: str, records: list[str]):
    """What the history shows is not sent again; what it does not show goes out again, and the audit log says so."""
    tenant, chat = await house.a_business(engine="WEBJS"), house.a_customer()
    house.gateway.faults.plan(fault)

    house.write(tenant, chat, "Hello")
    in_doubt = "select 1 from outbox where tenant_id = %(t)s and state = 'ambiguous'"
    await until(lambda: house.rows(in_doubt, t=tenant.tenant_id) != [])
    # The 17 seconds that a send may take are over.
    await house.execute("update outbox set next_try_at = now() where tenant_id = %(t)s", t=tenant.tenant_id)
    await house.execute("update chat_leases set due_at = now() where tenant_id = %(t)s", t=tenant.tenant_id)
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == [ANSWER]
    assert len(house.gateway.attempts) == 1
    async with house.store.audit_transaction() as transaction:
        rows = await audit.page(transaction, tenant.tenant_id, before_id=None, limit=10)
    assert [row["action"] for row in rows] == records


async def test_a_message_that_was_only_held_back_is_in_no_doubt(house: House):
    tenant, chat = await house.a_business(engine="WEBJS"), house.a_customer()
    house.gateway.faults.plan("404")

    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert house.gateway.faults.fired["404"] == 1
    assert house.texts(tenant, chat) == [ANSWER]
    async with house.store.audit_transaction() as transaction:
        assert await audit.page(transaction, tenant.tenant_id, before_id=None, limit=10) == []


async def test_a_reply_that_was_held_back_and_may_not_go_any_more_gives_its_credit_back(house: House):
    tenant, chat = await house.a_business(engine="WEBJS"), house.a_customer()
    house.gateway.faults.always("404")
    house.write(tenant, chat, "Hello")
    await until(lambda: house.rows("select 1 from outbox where last_error is not null") != [])

    (person,) = house.rows("select id, instance_id from contacts where tenant_id = %(t)s", t=tenant.tenant_id)
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        await consents.record(transaction, tenant.tenant_id, person, "opt_out", method="team", at=datetime.now(UTC))
    house.gateway.faults.clear()
    await house.quiet(tenant)

    assert house.texts(tenant, chat) == []
    (day,) = house.rows("select used from usage_days where tenant_id = %(t)s", t=tenant.tenant_id)
    assert day["used"] == 0


async def test_a_message_without_an_id_is_left_alone_while_it_may_be_on_its_way(house: House):
    """Whoever comes after a worker that died looks into the history once the send is over, not before."""
    tenant, chat = await house.a_business(engine="WEBJS"), house.a_customer()
    house.gateway.faults.plan("hang_before", seconds=2)

    house.write(tenant, chat, "Hello")
    await until(lambda: house.gateway.faults.fired["hang_before"] == 1)

    left_alone = "select state, next_try_at > now() + interval '10 seconds' as is_left_alone from outbox"
    assert house.rows(left_alone) == [{"state": "sending", "is_left_alone": True}]
