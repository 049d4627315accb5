"""A slot is one customer's: held for a moment, booked once, moved or given back, and nobody else's meanwhile."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from mychatflow.rules import booking
from mychatflow.rules.booking import ForgedSlot
from mychatflow.store import appointments, offers, services
from mychatflow.store.appointments import Gone
from mychatflow.store.session import Store
from tests.factories import Tenant, a_contact, a_resource, a_service, a_tenant

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SECRET = b"a key of ours"
TOMORROW = date(2026, 11, 25)


@dataclass(slots=True, kw_only=True)
class Salon:
    """One business with a calendar, and what a test asks of it."""

    store: Store
    tenant: Tenant
    service: dict[str, Any]
    resources: list[UUID] = field(default_factory=list)

    async def slots(self, *, days: int = 1, since: date = TOMORROW, at: datetime = AT) -> list[str]:
        async with self.store.tenant_transaction(self.tenant.tenant_id) as transaction:
            found = await offers.offer(
                transaction, self.tenant.tenant_id, self.service, since=since, until=since + timedelta(days=days), at=at
            )
        return [booking.slot_id(slot, key=SECRET) for slot in found.slots]

    async def hold(self, slot_id: str, contact_id: UUID, *, key: str = "message:1", at: datetime = AT) -> Any:
        async with self.store.tenant_transaction(self.tenant.tenant_id) as transaction:
            return await appointments.hold(
                transaction, self.tenant.tenant_id, slot_id, contact_id=contact_id, key=key, secret=SECRET, at=at
            )

    async def confirm(self, held: Any, *, at: datetime = AT, contact_id: UUID | None = None) -> Any:
        async with self.store.tenant_transaction(self.tenant.tenant_id) as transaction:
            return await appointments.confirm(
                transaction, self.tenant.tenant_id, held["id"], changed_by="test", at=at, contact_id=contact_id
            )

    async def hold_and_confirm(self, slot_id: str, contact_id: UUID) -> Any:
        """Confirms while others still try, as customers do."""
        held = await self.hold(slot_id, contact_id, key=f"{contact_id}:{slot_id}")
        return held if isinstance(held, Gone) else await self.confirm(held)

    async def move(self, held: Any, slot_id: str, *, at: datetime = AT) -> Any:
        async with self.store.tenant_transaction(self.tenant.tenant_id) as transaction:
            return await appointments.reschedule(
                transaction, self.tenant.tenant_id, held["id"], slot_id, changed_by="test", secret=SECRET, at=at
            )

    async def cancel(self, held: Any, *, at: datetime = AT) -> Any:
        async with self.store.tenant_transaction(self.tenant.tenant_id) as transaction:
            return await appointments.cancel(transaction, self.tenant.tenant_id, held["id"], changed_by="test", at=at)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.store.platform_transaction() as transaction:
            found = await transaction.execute(text(sql), {"tenant_id": self.tenant.tenant_id})
            return [dict(row) for row in found.mappings()]

    async def customers(self, count: int) -> list[UUID]:
        return [await a_contact(self.store, self.tenant) for _ in range(count)]


@pytest.fixture
async def salon(store: Store) -> Salon:
    tenant = await a_tenant(store)
    service = await a_service(store, tenant)
    return Salon(store=store, tenant=tenant, service=service, resources=[await a_resource(store, tenant)])


async def test_fifty_customers_race_for_one_slot(fresh, salon):
    crowd = Store(fresh, pool_size=20)
    rivals = Salon(store=crowd, tenant=salon.tenant, service=salon.service)
    customers = await salon.customers(50)
    try:
        for wanted in (await salon.slots())[:4]:
            outcomes = await asyncio.gather(*(rivals.hold_and_confirm(wanted, customer) for customer in customers))
            lost = [outcome for outcome in outcomes if isinstance(outcome, Gone)]
            (booked,) = [outcome for outcome in outcomes if not isinstance(outcome, Gone)]

            assert booked["status"] == "booked"
            assert len(lost) == 49
            assert all(len(each.instead.slots) == 3 for each in lost)
            assert all(slot.starts_at != booked["starts_at"] for each in lost for slot in each.instead.slots)
    finally:
        await crowd.close()
    assert len(await salon.rows("select 1 from appointments where status = 'booked'")) == 4


async def test_an_expired_hold_blocks_nobody(salon):
    first, second = await salon.customers(2)
    wanted = (await salon.slots())[0]
    await salon.hold(wanted, first)
    later = AT + booking.HOLD

    assert wanted not in await salon.slots(at=AT + timedelta(minutes=4))
    assert wanted in await salon.slots(at=later)
    assert isinstance(await salon.hold(wanted, second, key="message:2", at=AT + timedelta(minutes=4)), Gone)
    assert (await salon.hold(wanted, second, key="message:3", at=later))["contact_id"] == second


async def test_the_same_message_holds_once(salon):
    (customer,) = await salon.customers(1)
    wanted = (await salon.slots())[0]

    held = [await salon.hold(wanted, customer) for _ in range(3)]

    assert len({each["id"] for each in held}) == 1
    assert len(await salon.rows("select 1 from appointments")) == 1


async def test_one_customer_holds_one_slot(salon):
    (customer,) = await salon.customers(1)
    first, second, *_ = await salon.slots()
    await salon.hold(first, customer, key="message:1")
    await salon.hold(second, customer, key="message:2")

    assert first in await salon.slots()
    assert second not in await salon.slots()


async def test_only_a_confirmed_slot_is_a_fact(salon):
    (customer,) = await salon.customers(1)
    held = await salon.hold((await salon.slots())[0], customer)
    facts = "select properties from analytics_events where event_type = 'appointment_booked'"

    before = await salon.rows(facts)
    booked = [await salon.confirm(held) for _ in range(2)]
    after = await salon.rows(facts)

    assert before == []
    assert [each["status"] for each in booked] == ["booked", "booked"]
    assert [each["properties"]["appointment_id"] for each in after] == [str(held["id"])]


async def test_a_late_yes_counts_while_the_time_is_free(salon):
    first, second, third = await salon.customers(3)
    one, two, *_ = await salon.slots()
    kept, lost = await salon.hold(one, first, key="a"), await salon.hold(two, second, key="b")
    later = AT + timedelta(minutes=20)
    await salon.hold(two, third, key="c", at=later)

    assert (await salon.confirm(kept, at=later))["status"] == "booked"
    assert await salon.confirm(lost, at=later) is None


async def test_nobody_confirms_anothers_hold(salon):
    mine, theirs = await salon.customers(2)
    held = await salon.hold((await salon.slots())[0], mine)

    assert await salon.confirm(held, contact_id=theirs) is None
    assert (await salon.confirm(held, contact_id=mine))["status"] == "booked"


async def test_a_moved_booking_frees_its_old_time(salon):
    (customer,) = await salon.customers(1)
    old, new, *_ = await salon.slots()
    booked = await salon.confirm(await salon.hold(old, customer))

    moved = await salon.move(booked, new)

    assert (moved["id"], moved["ics_uid"], moved["ics_sequence"]) == (booked["id"], booked["ics_uid"], 1)
    assert old in await salon.slots()
    assert new not in await salon.slots()


async def test_a_move_to_a_taken_time_changes_nothing(salon):
    first, second = await salon.customers(2)
    old, taken, *_ = await salon.slots()
    booked = await salon.confirm(await salon.hold(old, first))
    await salon.confirm(await salon.hold(taken, second, key="message:2"))

    answer = await salon.move(booked, taken)

    assert isinstance(answer, Gone)
    assert old in [booking.slot_id(slot, key=SECRET) for slot in answer.instead.slots]
    assert (await salon.confirm(booked))["starts_at"] == booked["starts_at"]


async def test_a_cancelled_time_is_free_at_once(salon):
    first, second = await salon.customers(2)
    wanted = (await salon.slots())[0]
    booked = await salon.confirm(await salon.hold(wanted, first))

    gone = [await salon.cancel(booked) for _ in range(2)]

    assert [(each["status"], each["ics_sequence"]) for each in gone] == [("cancelled", 1)] * 2
    assert (await salon.hold(wanted, second, key="message:2"))["contact_id"] == second


async def test_who_cancelled_may_book_again(salon):
    (customer,) = await salon.customers(1)
    wanted = (await salon.slots())[0]
    booked = await salon.confirm(await salon.hold(wanted, customer))
    await salon.cancel(booked)

    again = await salon.hold(wanted, customer)

    assert again["id"] != booked["id"]
    assert (await salon.confirm(again))["status"] == "booked"


async def test_two_chairs_serve_two_customers(salon):
    salon.resources.append(await a_resource(salon.store, salon.tenant, name="Second chair"))
    first, second = await salon.customers(2)
    offered = await salon.slots()
    await salon.hold(offered[0], first)

    again = await salon.slots()

    assert len(again) == len(offered) == 24
    held = await salon.hold(again[0], second, key="message:2")
    assert held["starts_at"] == datetime(2026, 11, 25, tzinfo=UTC)
    assert held["resource_id"] == salon.resources[1]


async def test_a_stale_offer_is_not_honoured(salon):
    (customer,) = await salon.customers(1)
    wanted = (await salon.slots())[0]
    closed = {"exceptions": {TOMORROW.isoformat(): []}}
    async with salon.store.tenant_transaction(salon.tenant.tenant_id) as transaction:
        await services.change(transaction, salon.tenant.tenant_id, "resources", salon.resources[0], closed)

    answer = await salon.hold(wanted, customer)

    assert isinstance(answer, Gone)
    assert len(answer.instead.slots) == 3


async def test_a_changed_service_voids_its_slots(salon):
    (customer,) = await salon.customers(1)
    wanted = (await salon.slots())[0]
    async with salon.store.tenant_transaction(salon.tenant.tenant_id) as transaction:
        await services.change(
            transaction, salon.tenant.tenant_id, "services", salon.service["id"], {"duration_minutes": 90}
        )

    with pytest.raises(ForgedSlot, match="changed"):
        await salon.hold(wanted, customer)


async def test_one_tenant_books_nothing_at_anothers(store, salon):
    stranger = await a_tenant(store)
    elsewhere = Salon(store=store, tenant=stranger, service=salon.service)
    customer = await a_contact(store, stranger)

    with pytest.raises(ForgedSlot):
        await elsewhere.hold((await salon.slots())[0], customer)


async def test_without_own_hours_the_business_hours_hold(store):
    tenant = await a_tenant(
        store,
        business_hours={"wed": [["10:00", "12:00"]], "thu": [["10:00", "12:00"]]},
        business_hours_exceptions={"2026-11-26": []},
    )
    await a_resource(store, tenant, hours={})
    salon = Salon(store=store, tenant=tenant, service=await a_service(store, tenant))

    assert len(await salon.slots(days=2)) == 2


async def test_reminders_follow_the_appointment(salon):
    (customer,) = await salon.customers(1)
    slots = await salon.slots(days=5)
    planned = "select due_at, state from follow_ups where appointment_id is not null order by due_at, state"
    booked = await salon.confirm(await salon.hold(slots[48], customer))

    first = await salon.rows(planned)
    moved = await salon.move(booked, slots[72])
    second = await salon.rows(planned)
    await salon.cancel(moved)
    third = await salon.rows(planned)

    at = booked["starts_at"]
    day = timedelta(days=1)
    assert [row["due_at"] for row in first] == [at - day, at - timedelta(hours=2)]
    assert [row["due_at"] for row in second if row["state"] == "scheduled"] == [at, at + day - timedelta(hours=2)]
    assert {row["state"] for row in third} == {"cancelled"}
