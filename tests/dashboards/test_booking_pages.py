"""A colleague moves and cancels appointments, and an admin says what can be booked: on record, in one workspace."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from dashboards import data as shared
from dashboards import shell
from dashboards.booking import appointments, changing, data, services
from dashboards.viewer import Viewer
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_follow_up_pages import named
from tests.dashboards.test_pages import html_of, opened
from tests.dashboards.test_setup_pages import recorded

EVERY_DAY = {day: [["00:00", "23:30"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


def owner_of(shop: Shop) -> Viewer:
    spaces = tuple(shared.all_workspaces())
    return Viewer(
        name="Owner",
        workspace=next(each for each in spaces if each.tenant_id == shop.tenant_id),
        workspaces=spaces,
        is_local=True,
    )


def booked(pages: Town, shop: Shop) -> dict[str, Any]:
    """An appointment of the dental chair in two days, and hours in which it can be moved."""
    owner = owner_of(shop)
    service = data.offered(shop.tenant_id, "services")[0]
    chair = data.offered(shop.tenant_id, "resources")[0]
    assert changing.save(owner, "resources", chair["id"], chair_with(chair, hours=EVERY_DAY))
    start = (pages.at + timedelta(days=2)).replace(minute=0)
    contact = shared.inbox(shop.tenant_id)[0].contact_id
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(
            "insert into appointments (tenant_id, contact_id, service_id, resource_id, during, starts_at, ends_at,"
            " timezone, status, idempotency_key, ics_uid, booked_at)"
            " values (%s, %s, %s, %s, tstzrange(%s, %s), %s, %s, %s, 'booked', %s, %s, %s)",
            (shop.tenant_id, contact, service["id"], chair["id"], start, start + timedelta(minutes=30), start,
             start + timedelta(minutes=30), shop.timezone, str(uuid4()), str(uuid4()), pages.at),
        )  # fmt: skip
    return next(row for row in standing(pages, shop) if row["starts_at"] == start)


def chair_with(chair: dict[str, Any], **changed: Any) -> dict[str, Any]:
    known = {name: chair[name] for name in ("name", "timezone", "hours", "exceptions", "is_active")}
    return known | {"service_ids": list(chair["service_ids"])} | changed


def standing(pages: Town, shop: Shop) -> list[dict[str, Any]]:
    rows = data.booked(shop.tenant_id, since=pages.at, until=pages.at + timedelta(days=28), at=pages.at)
    return [row for row in rows if row["status"] == "booked"]


def test_an_appointment_is_moved_and_then_cancelled(pages: Town) -> None:
    shop, owner = pages.dental, owner_of(pages.dental)
    row = booked(pages, shop)
    free = data.free(shop.tenant_id, row["service_id"], at=datetime.now(UTC), but_id=row["id"])
    slot_id, starts_at = list(free.items())[-1]

    assert changing.move(owner, row["id"], slot_id, tells=True)
    (moved,) = (each for each in standing(pages, shop) if each["id"] == row["id"])
    assert moved["starts_at"] == starts_at
    said = shared.chat(shop.tenant_id, row["contact_id"], reader="local owner")[-1:]
    assert any(message.direction == "outgoing" for message in said)

    assert changing.cancel(owner, row["id"], reason="ill", tells=False)
    assert not changing.move(owner, row["id"], slot_id, tells=False)
    assert standing(pages, shop) == []
    assert {"appointment.moved", "appointment.cancelled"} <= recorded(pages, shop)
    assert not changing.cancel(owner_of(pages.hotel), row["id"], reason="", tells=False)


def test_an_appointment_is_booked_by_hand_once(pages: Town) -> None:
    shop, at = pages.hotel, datetime.now(UTC)
    service, room = data.offered(shop.tenant_id, "services")[0], data.offered(shop.tenant_id, "resources")[0]
    assert changing.save(owner_of(shop), "resources", room["id"], chair_with(room, hours=EVERY_DAY))
    contact = shared.inbox(shop.tenant_id)[0]
    slot_id = list(data.free(shop.tenant_id, service["id"], at=at))[-1]

    assert changing.book(owner_of(shop), contact.contact_id, slot_id, tells=True)

    (row,) = standing(pages, shop)
    assert (row["contact_id"], row["service"]) == (contact.contact_id, service["name"])
    assert "appointment.booked" in recorded(pages, shop)
    said = shared.chat(shop.tenant_id, contact.contact_id, reader="local owner")[-1:]
    assert any(message.direction == "outgoing" for message in said)
    # The same time again, and from another workspace.
    assert not changing.book(owner_of(shop), contact.contact_id, slot_id, tells=False)
    assert not changing.book(owner_of(pages.dental), contact.contact_id, slot_id, tells=False)
    assert len(standing(pages, shop)) == 1


def test_a_booking_needs_a_person_and_a_free_time(pages: Town) -> None:
    test = opened("appointments", workspace=pages.dental.name).button(key="new-appointment").click().run()

    assert not test.exception
    assert test.button(key="book").disabled
    assert test.selectbox(key="booking-slot").disabled
    assert "Choose a service first" in test.selectbox(key="booking-slot").placeholder


def test_a_service_is_offered_with_its_price(pages: Town) -> None:
    shop = pages.hotel
    test = opened("services", workspace=shop.name).button(key="new-service").click().run()
    named(test, "name-").set_value(HOSTILE)
    named(test, "price-").set_value(19.9)
    named(test, "currency-").set_value("eur")
    test.button(key="save-service").click().run()

    row = data.offered(shop.tenant_id, "services")[0]
    assert (row["name"], row["price_cents"], row["currency"]) == (HOSTILE, 1990, "EUR")
    shown = html_of(opened("services", workspace=shop.name))
    assert "19.90 EUR" in shown
    assert "<img" not in shown
    assert all(each["name"] != HOSTILE for each in data.offered(pages.dental.tenant_id, "services"))


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("hours-", "mon 25:00-26:00", "look at “mon”"),
        ("exceptions-", "christmas closed", "look at “christmas”"),
        ("zone-", "Mars/Base", "time zone"),
        ("name-", " ", "needs a name"),
    ],
)
def test_a_resource_that_nobody_could_book_is_refused(pages: Town, field: str, typed: str, told: str) -> None:
    before = data.offered(pages.hotel.tenant_id, "resources")
    test = opened("services", workspace=pages.hotel.name).button(key="new-resource").click().run()
    named(test, "name-").set_value("Room 7")
    named(test, field).set_value(typed)
    test = test.button(key="save-resource").click().run()

    assert shell.plain(told) in test.toast[0].value
    assert data.offered(pages.hotel.tenant_id, "resources") == before


def test_exceptions_are_read_a_line_a_day() -> None:
    assert services.read_exceptions("2026-12-25 closed\n2026-12-24 09:00-13:00, 14:00-15:00") == {
        "2026-12-25": [],
        "2026-12-24": [["09:00", "13:00"], ["14:00", "15:00"]],
    }


def test_the_week_shows_names_as_text_on_the_local_day() -> None:
    late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    row = {"starts_at": late, "service": "Cut", "name": HOSTILE, "resource": "Chair", "status": "booked"}
    shown = appointments.week([row], date(2026, 11, 23), today=date(2026, 11, 25), timezone="Europe/Madrid")

    assert "<img" not in shown
    assert shown.index("Wed 25") < shown.index("00:30") < shown.index("Thu 26")


def test_the_fields_of_a_service_follow_as_they_are_read(pages: Town) -> None:
    """In the order of the page, which is that of the keyboard and of a phone."""
    test = opened("services", workspace=pages.dental.name).button(key="new-service").click().run()

    told = [field.label.partition(",")[0] for field in test.number_input]
    assert told[:4] == ["It takes", "Starts every … minutes", "Minutes before", "Minutes after"]
