"""Booking by hand: a slot is asked for, taken once, moved, given back, and the customer hears of it."""

from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from sqlalchemy import text

from tests.factories import a_contact, a_service
from tests.realtime.api.conftest import a_shop

# Still to come when midnight passes during the run.
SOON = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
LATER = (datetime.now(UTC) + timedelta(days=4)).date().isoformat()


async def free(api, shop, **parameters):
    asked = {"service_id": str(shop.service_id), "from": SOON, "to": LATER} | parameters
    return (await api.get("/appointments/slots", params=asked)).json()["data"]


async def book(api, shop, slot, **changes):
    wanted = {"contact_id": str(shop.contact_id), "slot_id": slot["slot_id"]} | changes
    return await api.post("/appointments", json=wanted)


async def test_a_slot_is_booked_once(api, shop, store):
    other = await a_contact(store, shop.tenant)
    slot = (await free(api, shop))[5]

    booked = await book(api, shop, slot)
    again = await book(api, shop, slot, contact_id=str(other))

    assert booked.status_code == 201, booked.text
    assert (booked.json()["status"], booked.json()["service"]) == ("booked", "Haircut")
    assert (again.status_code, again.json()["code"]) == (409, "slot_taken")
    assert len(again.json()["alternatives"]) == 3
    assert slot["slot_id"] not in {each["slot_id"] for each in again.json()["alternatives"]}


async def test_a_held_slot_waits_for_its_yes(api, shop, rows):
    slot = (await free(api, shop))[0]

    held = (await book(api, shop, slot, confirm=False)).json()
    facts = rows("select 1 from analytics_events where event_type = 'appointment_booked'")
    booked = (await api.post(f"/appointments/{held['id']}/confirm", json={})).json()

    assert (held["status"], facts) == ("held", [])
    assert booked["status"] == "booked"
    assert len(rows("select 1 from analytics_events where event_type = 'appointment_booked'")) == 1


async def test_moving_and_cancelling_reach_the_calendar(api, shop):
    first, second, *_ = await free(api, shop)
    path = f"/appointments/{(await book(api, shop, first)).json()['id']}"

    entries = [icalendar.Calendar.from_ical((await api.get(f"{path}/ics")).content)]
    await api.post(f"{path}/reschedule", json={"slot_id": second["slot_id"]})
    entries.append(icalendar.Calendar.from_ical((await api.get(f"{path}/ics")).content))
    await api.post(f"{path}/cancel", json={"reason": "ill"})
    entries.append(icalendar.Calendar.from_ical((await api.get(f"{path}/ics")).content))

    events = [entry.walk("VEVENT")[0] for entry in entries]
    assert len({event["uid"] for event in events}) == 1
    assert [event["sequence"] for event in events] == [0, 1, 2]
    assert [str(entry["method"]) for entry in entries] == ["PUBLISH", "PUBLISH", "CANCEL"]
    assert events[1]["dtstart"].dt == datetime.fromisoformat(second["starts_at"])


async def test_the_customer_hears_of_it_once(api, shop, rows, store):
    slot = (await free(api, shop))[0]

    booked = (await book(api, shop, slot, notify=True)).json()
    await api.post(f"/appointments/{booked['id']}/confirm", json={"notify": True})

    [queued] = rows("select * from outbox where kind = 'appointment'")
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(shop.tenant.tenant_id, transaction)
    words = cipher.decrypt(queued["body"], row_id=queued["id"])
    assert words.startswith("Your appointment is booked: Haircut, ")
    assert f"{datetime.fromisoformat(slot['starts_at']):%-I:%M %p} (Coordinated Universal Time)" in words
    assert rows("select 1 from chat_leases where due_at is not null")


async def test_an_invented_slot_is_refused(api, shop, store):
    theirs = await a_shop(store)

    forged = await book(api, shop, {"slot_id": "made.up"})
    foreign = await api.get("/appointments/slots", params={"service_id": str(theirs.service_id)})

    assert (forged.status_code, forged.json()["code"]) == (409, "invalid_slot")
    assert "ask /appointments/slots" in forged.json()["detail"]
    assert foreign.status_code == 404


async def test_appointments_are_listed_by_start(api, shop):
    slots = await free(api, shop)
    for slot in (slots[7], slots[3]):
        await book(api, shop, slot)

    first = (await api.get("/appointments", params={"limit": 2, "status": "booked"})).json()
    rest = (await api.get("/appointments", params={"cursor": first["next_cursor"], "status": "booked"})).json()

    starts = [each["starts_at"] for each in first["data"] + rest["data"]]
    assert starts == sorted(starts)
    assert len(starts) == 3


async def test_how_it_went_is_kept(api, shop):
    path = f"/appointments/{shop.appointment_id}"

    missed = (await api.post(f"{path}/close", json={"status": "no_show"})).json()

    assert missed["status"] == "no_show"
    refused = await api.post(f"{path}/cancel", json={})
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (409, "wrong_state", "no_show")
    assert (await api.post("/appointments/00000000-0000-0000-0000-000000000001/cancel", json={})).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/services", {"name": "s", "duration_minutes": 0}, "duration_minutes"),
        ("/services", {"name": "s", "duration_minutes": 30, "currency": "euro"}, "currency"),
        ("/resources", {"name": "r", "timezone": "Mars/Olympus"}, "timezone"),
        ("/resources", {"name": "r", "timezone": "UTC", "hours": {"mon": [["9", "10"]]}}, "hours"),
        ("/resources", {"name": "r", "timezone": "UTC", "exceptions": {"Xmas": []}}, "exceptions"),
    ],
)
async def test_bad_calendars_are_refused_by_field(api, path, body, where):
    answer = await api.post(path, json=body)

    assert answer.status_code == 422
    assert where in str(answer.json()["errors"][0]["where"])


async def test_a_changed_service_gets_a_new_version(api, shop):
    slot = (await free(api, shop))[0]

    changed = (await api.patch(f"/services/{shop.service_id}", json={"duration_minutes": 30})).json()

    assert (changed["version"], changed["name"]) == (2, "Haircut")
    assert (await book(api, shop, slot)).json()["code"] == "invalid_slot"


async def test_a_foreign_service_among_ours_refuses_all_of_it(api, shop, store):
    theirs = await a_shop(store)
    path = f"/resources/{shop.resource_id}"
    before = (await api.get(path)).json()
    mixed = [str(shop.service_id), str(theirs.service_id)]

    changed = await api.patch(path, json={"name": "New", "service_ids": mixed})
    made = await api.post("/resources", json={"name": "New", "timezone": "UTC", "service_ids": mixed})

    assert (changed.status_code, made.status_code) == (404, 404)
    assert (await api.get(path)).json() == before
    assert len((await api.get("/resources")).json()["data"]) == 1
    assert (await api.patch(path, json={"service_ids": mixed[:1]})).json()["service_ids"] == mixed[:1]


async def test_another_service_at_the_same_hour_is_another_booking(api, shop, store):
    """The slot of the longer service was read before the hour was booked for the shorter one."""
    colour = await a_service(store, shop.tenant, name="Colour", duration_minutes=120)
    short, longer = (await free(api, shop))[5], (await free(api, shop, service_id=str(colour["id"])))[5]
    path = f"/appointments/{(await book(api, shop, short)).json()['id']}"

    moved = await api.post(f"{path}/reschedule", json={"slot_id": longer["slot_id"]})
    again = await api.post(f"{path}/reschedule", json={"slot_id": longer["slot_id"]})

    assert (moved.status_code, moved.json()["service"], moved.json()["ics_sequence"]) == (200, "Colour", 1)
    assert (moved.json()["starts_at"], moved.json()["ends_at"]) == (longer["starts_at"], longer["ends_at"])
    assert again.json() == moved.json()


async def test_nothing_is_booked_that_is_over(api, shop, rows, store):
    held = (await book(api, shop, (await free(api, shop))[0], confirm=False)).json()
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "update appointments set starts_at = starts_at - cast('9 days' as interval),"
                " ends_at = ends_at - cast('9 days' as interval) where id = :id"
            ),
            {"id": held["id"]},
        )

    late = await api.post(f"/appointments/{held['id']}/confirm", json={"notify": True})

    assert (late.status_code, late.json()["code"]) == (409, "wrong_state")
    assert rows("select 1 from analytics_events where event_type = 'appointment_booked'") == []
