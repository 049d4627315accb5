"""Two colleagues change the same thing: the second one hears of it, and nothing of the first one's is lost."""

from typing import Any

import psycopg
from streamlit.testing.v1 import AppTest

from dashboards import data as shared
from dashboards.booking import data as booking
from dashboards.outreach import data as outreach
from dashboards.setup import data as setup
from dashboards.setup import teaching
from tests.dashboards.conftest import Town
from tests.dashboards.test_booking_pages import owner_of
from tests.dashboards.test_campaign_pages import drafted, newest
from tests.dashboards.test_follow_up_pages import mine, named, written
from tests.dashboards.test_inbox import _first
from tests.dashboards.test_pages import opened

TOLD = "a colleague changed this"


def a_colleague_changes(pages: Town, table: str, row_id: object, *, name: str = "name") -> None:
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        has_time = table not in {"services", "resources"}
        later = ", updated_at = now()" if has_time else ""
        connection.execute(f"update {table} set {name} = 'Theirs'{later} where id = %s", (row_id,))


def told(test: AppTest) -> str:
    assert not test.exception
    return "".join(each.value for each in test.toast)


def test_a_draft_that_a_colleague_changed_is_not_written_over(pages: Town) -> None:
    shop = pages.dental
    drafted(shop, name="Mine", text="Hello {{first_name|there}}")
    mark = newest(shop)["id"]
    test = opened("campaigns", workspace=shop.name).button(key=f"edit-{mark}").click().run()
    a_colleague_changes(pages, "campaigns", mark)
    named(test, "text-").set_value("Hello again")
    said = told(test.button(key="save-campaign").click().run())

    (row,) = (row for row in outreach.all_campaigns(shop.tenant_id) if row["id"] == mark)
    assert (row["name"], row["template"]) == ("Theirs", "Hello {{first_name|there}}")
    assert TOLD in said


def test_a_sequence_that_a_colleague_changed_is_not_written_over(pages: Town) -> None:
    shop = pages.hotel
    written(shop, name="Mine", text="Still there?")
    test = opened("follow-ups", workspace=shop.name).button(key=f"edit-{mine(shop)['id']}").click().run()
    a_colleague_changes(pages, "follow_up_sequences", mine(shop)["id"])
    named(test, "text-0").set_value("Hello again")
    said = told(test.button(key="save-sequence").click().run())

    assert (mine(shop)["name"], mine(shop)["steps"][0]["template"]) == ("Theirs", "Still there?")
    assert TOLD in said


def test_a_sequence_opened_again_shows_what_a_colleague_wrote(pages: Town) -> None:
    """A browser keeps what stood in a field for as long as the field keeps its key."""
    shop = pages.hotel
    written(shop, name="Mine", text="Still there?")
    edit = f"edit-{mine(shop)['id']}"
    before = named(opened("follow-ups", workspace=shop.name).button(key=edit).click().run(), "name-").key
    a_colleague_changes(pages, "follow_up_sequences", mine(shop)["id"])

    field = named(opened("follow-ups", workspace=shop.name).button(key=edit).click().run(), "name-")

    assert field.value == "Theirs"
    assert field.key != before


def test_a_service_that_a_colleague_changed_is_not_written_over(pages: Town) -> None:
    shop = pages.hotel

    def service() -> dict[str, Any]:
        return booking.offered(shop.tenant_id, "services")[0]

    before = service()
    test = opened("services", workspace=shop.name)
    choice = next(box for box in test.selectbox if str(box.key).startswith("edit-service"))
    test = choice.set_value(before["id"]).run().button(key="edit-service").click().run()
    a_colleague_changes(pages, "services", before["id"])
    named(test, "duration_minutes-").set_value(before["duration_minutes"] + 5)
    said = told(test.button(key="save-service").click().run())

    assert service() == before | {"name": "Theirs"}
    assert TOLD in said


def test_a_text_that_a_colleague_changed_is_not_written_over(pages: Town) -> None:
    shop = pages.dental
    test = opened("knowledge", workspace=shop.name).button(key="new-text").click().run()
    test.text_input(key="title-new").set_value("Mine")
    test.text_area(key="body-new").set_value("We open at nine.")
    test.button(key="save-new").click().run()
    text = setup.texts(shop.tenant_id)[0]
    wanted = teaching.Text(title="Mine", body="We open at ten.", language="en", tags="", is_active=True)
    a_colleague_changes(pages, "quick_replies", text["id"], name="title")

    is_changed = teaching.change_text(owner_of(shop), text, wanted)

    (now,) = (row for row in setup.texts(shop.tenant_id) if row["id"] == text["id"])
    assert not is_changed
    assert (now["title"], now["body"]) == ("Theirs", "We open at nine.")
    assert teaching.change_text(owner_of(shop), now, wanted)


def test_a_note_of_the_meantime_stays_above_what_was_typed(pages: Town) -> None:
    shop, contact = pages.hotel, _first(pages, pages.hotel)

    def field(test: AppTest) -> Any:
        return next(area for area in test.text_area if area.label == "Internal notes")

    def saved(test: AppTest, words: str) -> AppTest:
        field(test).set_value(words)
        return next(button for button in test.button if button.label == "Save note").click().run()

    first, second = (opened("inbox", workspace=shop.name) for _ in range(2))
    saved(first, "Allergic to latex")
    second = saved(second, "Prefers mornings")

    assert "a colleague changed this note" in told(second)
    assert shared.notes(shop.tenant_id, contact.contact_id, reader="test") == "Allergic to latex"
    assert field(second).value == "Allergic to latex\n\nPrefers mornings"
    saved(second, field(second).value)
    assert shared.notes(shop.tenant_id, contact.contact_id, reader="test") == "Allergic to latex\n\nPrefers mornings"
