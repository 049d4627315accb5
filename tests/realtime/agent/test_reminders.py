"""A reminder goes out once, in the customer's language, and only while the appointment stands."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from mychatflow.rules import booking
from mychatflow.store import appointments, offers
from realtime.agent.reminders import Reminders
from tests.factories import a_contact, a_resource, a_service, a_tenant, keys_lost

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SECRET = b"a key of ours"
DAY = date(2026, 11, 26)


@pytest.fixture
async def tenant(store):
    return await a_tenant(store)


async def reminds(store, tenant, *minutes_before):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await transaction.execute(
            text("update settings set appointment_reminder_minutes = :minutes"), {"minutes": list(minutes_before)}
        )


async def booked_at(store, tenant, hour, **contact):
    service = await a_service(store, tenant)
    await a_resource(store, tenant)
    contact_id = await a_contact(store, tenant, preferred_language="es", timezone="UTC", **contact)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        found = await offers.offer(
            transaction, tenant.tenant_id, service, since=DAY, until=DAY + timedelta(days=1), at=AT
        )
        slot = next(slot for slot in found.slots if slot.starts_at.hour == hour)
        held = await appointments.hold(
            transaction,
            tenant.tenant_id,
            booking.slot_id(slot, key=SECRET),
            contact_id=contact_id,
            key="k",
            secret=SECRET,
            at=AT,
        )
        return await appointments.confirm(transaction, tenant.tenant_id, held["id"], changed_by="test", at=AT)


async def sent(store, tenant):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        rows = (await transaction.execute(text("select id, body from outbox where kind = 'appointment'"))).all()
        return [cipher.decrypt(row.body, row_id=row.id) for row in rows]


async def states(store, tenant):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return list((await transaction.execute(text("select state from follow_ups order by due_at"))).scalars())


async def test_a_reminder_goes_out_once(store, tenant):
    booked = await booked_at(store, tenant, 15)
    rung = []
    reminders = Reminders(store, lambda: rung.append(1))

    early = await reminders.send_due(at=booked["starts_at"] - timedelta(hours=25))
    due = [await reminders.send_due(at=booked["starts_at"] - timedelta(hours=24)) for _ in range(2)]

    assert (early, due, rung) == (0, [1, 0], [1])
    (words,) = await sent(store, tenant)
    assert words.startswith("Le recordamos su cita: Haircut, jueves, 26 de noviembre de 2026, 15:00")
    assert await states(store, tenant) == ["sent", "scheduled"]


async def test_two_workers_remind_once(store, tenant):
    booked = await booked_at(store, tenant, 15)
    at = booked["starts_at"] - timedelta(hours=24)
    due_twice = [Reminders(store, lambda: None) for _ in range(2)]

    counts = [await each.send_due(at=at) for each in due_twice]

    assert sum(counts) == 1


async def test_a_cancelled_appointment_is_not_recalled(store, tenant):
    booked = await booked_at(store, tenant, 15)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await appointments.cancel(transaction, tenant.tenant_id, booked["id"], changed_by="test", at=AT)

    assert await Reminders(store, lambda: None).send_due(at=booked["starts_at"] - timedelta(hours=1)) == 0
    assert await sent(store, tenant) == []


async def test_nobody_is_reminded_at_night(store, tenant):
    booked = await booked_at(store, tenant, 23)
    reminders = Reminders(store, lambda: None)

    at_night = await reminders.send_due(at=booked["starts_at"] - timedelta(hours=24))
    in_the_morning = await reminders.send_due(at=booked["starts_at"] - timedelta(hours=15))

    assert (at_night, in_the_morning) == (0, 1)


async def test_two_reminders_that_waited_for_the_morning_are_one(store, tenant):
    await reminds(store, tenant, 720, 120)
    booked = await booked_at(store, tenant, 9)
    reminders = Reminders(store, lambda: None)

    counts = [await reminders.send_due(at=booked["starts_at"] - timedelta(hours=hours)) for hours in (12, 2, 1)]

    assert counts == [0, 0, 1]
    assert len(await sent(store, tenant)) == 1
    assert sorted(await states(store, tenant)) == ["dropped", "sent"]


async def test_two_reminders_that_waited_for_the_number_are_one(store, tenant):
    await reminds(store, tenant, 240, 120)
    booked = await booked_at(store, tenant, 15)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await transaction.execute(text("update instances set status = 'disconnected'"))
    reminders, at = Reminders(store, lambda: None), booked["starts_at"] - timedelta(hours=2)

    away = [await reminders.send_due(at=at + timedelta(minutes=minute)) for minute in range(3)]
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await transaction.execute(text("update instances set status = 'connected'"))
    back = await reminders.send_due(at=at + timedelta(minutes=4))

    assert (away, back) == ([0, 0, 0], 1)
    assert len(await sent(store, tenant)) == 1


async def test_who_said_stop_is_not_reminded(store, tenant):
    booked = await booked_at(store, tenant, 15, opted_out_at=AT)

    assert await Reminders(store, lambda: None).send_due(at=booked["starts_at"] - timedelta(hours=24)) == 0
    assert await states(store, tenant) == ["cancelled", "scheduled"]


@pytest.mark.parametrize("column", ["suspended_at", "deleted_at"])
async def test_a_business_that_was_switched_off_reminds_nobody(store, tenant, column):
    booked = await booked_at(store, tenant, 15)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text(f"update tenants set {column} = now()"))

    assert await Reminders(store, lambda: None).send_due(at=booked["starts_at"] - timedelta(hours=24)) == 0
    assert await states(store, tenant) == ["scheduled", "scheduled"]


async def test_keys_that_nobody_opens_stop_nobody_elses_reminders(store, tenant):
    locked = await a_tenant(store)
    for each in (locked, tenant):
        booked = await booked_at(store, each, 15)
        async with store.tenant_transaction(each.tenant_id) as transaction:
            await store.key_ring.for_tenant(each.tenant_id, transaction)
    await keys_lost(store, locked)

    assert await Reminders(store, lambda: None).send_due(at=booked["starts_at"] - timedelta(hours=24)) == 1
    assert await states(store, tenant) == ["sent", "scheduled"]


async def test_a_reminder_that_cannot_be_written_stops_nobody_elses(store, tenant):
    await reminds(store, tenant, 240, 120)
    booked, other = await booked_at(store, tenant, 9), await a_tenant(store)
    morning = booked["starts_at"] - timedelta(hours=1)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        # The second would wait until the end of the night, where the first stands already.
        await transaction.execute(
            text("update follow_ups set due_at = :morning - case when step = 2 then interval '2 hours' else '0' end"),
            {"morning": morning},
        )
    await booked_at(store, other, 15)
    async with store.tenant_transaction(other.tenant_id) as transaction:
        await transaction.execute(text("update follow_ups set due_at = due_at - interval '1 day' where step = 1"))
        await transaction.execute(text("update contacts set timezone = 'Asia/Tokyo'"))

    assert await Reminders(store, lambda: None).send_due(at=morning - timedelta(hours=1)) == 1
    assert len(await sent(store, other)) == 1
    assert await sent(store, tenant) == []
