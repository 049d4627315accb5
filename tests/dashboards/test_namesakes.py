"""Of people and things that are called the same, the one that was pressed is meant."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from dashboards import data as shared
from dashboards import wording
from dashboards.booking import new_appointment
from dashboards.setup import data
from tests.dashboards.conftest import Town
from tests.dashboards.fake_api import Api, api
from tests.dashboards.test_pages import opened
from tests.dashboards.test_webhooks_page import asked, endpoint

__all__ = ["api", "endpoint"]


def test_what_reads_the_same_gets_a_mark_and_nothing_else_does() -> None:
    labels = {"0190-aaaaaa": "Maria", "0190-bbbbbb": "Maria", "0190-cccccc": "Omar", "0190-dddddd": "Maria"}
    seen = {"0190-aaaaaa": "today", "0190-bbbbbb": "today", "0190-dddddd": "yesterday"}

    assert wording.told_apart(labels, seen.__getitem__) == {
        "0190-aaaaaa": "Maria · today · aaaaaa",
        "0190-bbbbbb": "Maria · today · bbbbbb",
        "0190-cccccc": "Omar",
        "0190-dddddd": "Maria · yesterday",
    }


def test_of_two_namesakes_the_chosen_one_is_forgotten(pages: Town) -> None:
    shop = pages.hotel
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        twins = connection.execute(
            "update contacts set name = 'Maria Twin', phone = null where (tenant_id, id) in (select tenant_id, id"
            " from contacts where tenant_id = %s and name is not null order by id limit 2) returning id",
            (shop.tenant_id,),
        ).fetchall()
        connection.execute("delete from erasures where tenant_id = %s", (shop.tenant_id,))
    test = opened("data", workspace=shop.name)
    test.text_input(key="erase-search").set_value("Maria Twin").run()
    first, second = (each.contact_id for each in shared.inbox(shop.tenant_id, search="Maria Twin"))
    assert {first, second} == {row[0] for row in twins}

    # Chosen away and back, as in a browser, which knows choices by their words.
    test.selectbox(key="erase-contact").set_value(second).run()
    test.selectbox(key="erase-contact").set_value(first).run()
    next(box for box in test.checkbox if str(box.key).startswith("is-sure")).set_value(True).run()
    test.button(key="erase").click().run()

    (row,) = data.requests(shop.tenant_id, "erasures")
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute("delete from erasures where tenant_id = %s", (shop.tenant_id,))
    assert row["contact_id"] == first


def test_of_two_deliveries_of_a_kind_the_chosen_one_is_told_again(pages: Town, api: Api, endpoint: UUID) -> None:
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(
            "insert into webhook_deliveries (tenant_id, endpoint_id, event_id, event_type, state, attempts) values"
            " (%s, %s, gen_random_uuid(), 'message_received', 'failed', 8)",
            (pages.hotel.tenant_id, endpoint),
        )
    newest, oldest = (row["id"] for row in data.deliveries(pages.hotel.tenant_id, endpoint))
    test = opened("webhooks", workspace=pages.hotel.name)
    next(box for box in test.selectbox if box.label == "Tell again").set_value(newest).run()
    test.button(key=f"tell-{endpoint}").click().run()

    assert oldest != newest
    assert asked(api) == [("POST", f"/{endpoint}/deliveries/{newest}/replay", None)]


def test_an_hour_that_comes_twice_names_its_zone() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    madrid = ZoneInfo("Europe/Madrid")
    hours = {"a": first.astimezone(madrid), "b": (first + timedelta(hours=1)).astimezone(madrid)}

    assert new_appointment.told(hours) == {"a": "Sun 25 Oct, 02:30 · CEST", "b": "Sun 25 Oct, 02:30 · CET"}
    assert new_appointment.told({"a": hours["a"]}) == {"a": "Sun 25 Oct, 02:30"}
