"""An admin sets the workspace up from the pages: texts, switches, keys, on record and in one workspace."""

from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import ValidationError
from streamlit.testing.v1 import AppTest

from dashboards.setup import data, refusals
from mychatflow.store.tenant_settings import SettingsChange
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_pages import html_of, opened

PATHS = ("settings", "knowledge", "numbers", "team", "webhooks", "audit")


def recorded(town: Town, shop: Shop) -> set[str]:
    with psycopg.connect(town.settings.role_url("app")) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(shop.tenant_id),))
        return {str(row[0]) for row in connection.execute("select action from audit_log").fetchall()}


def pressed(test: AppTest, label: str, *, nth: int = 0) -> AppTest:
    return [button for button in test.button if button.label == label][nth].click().run()


@pytest.mark.parametrize("path", PATHS)
def test_a_setup_page_opens_for_admins_alone(pages: Town, path: str) -> None:
    assert not opened(path, workspace=pages.dental.name).exception
    assert "closed to you" in html_of(opened(path, workspace=pages.dental.name, role="agent"))


def test_a_text_is_taught_changed_and_forgotten(pages: Town) -> None:
    shop = pages.hotel
    before = len(data.texts(shop.tenant_id))
    test = opened("knowledge", workspace=shop.name).button(key="new-text").click().run()
    test.text_input(key="title-new").set_value(HOSTILE)
    test.text_area(key="body-new").set_value("Rooms (2) from 9:00, 90 a night.")
    test.text_input(key="tags-new").set_value("rooms, rooms , prices")
    test = test.button(key="save-new").click().run()

    (text, *_) = data.texts(shop.tenant_id)
    assert not test.exception
    assert len(data.texts(shop.tenant_id)) == before + 1
    assert (text["title"], text["tags"], text["version"]) == (HOSTILE, ["rooms", "prices"], 1)
    shown = opened("knowledge", workspace=shop.name).dataframe[0].value.to_dict("records")
    assert shown[0]["Text"] == "Rooms (2) from 9:00, 90 a night."
    assert {"quick_reply.created"} <= recorded(pages, shop)
    assert all(row["title"] != HOSTILE for row in data.texts(pages.dental.tenant_id))


def test_a_question_asked_in_vain_becomes_a_quick_reply(pages: Town) -> None:
    shop = pages.hotel
    question_id = _asked_in_vain(pages, shop)
    test = opened("knowledge", workspace=shop.name).segmented_control(key="part").set_value("Unanswered").run()
    assert "The agent had to ask back · Spanish" in test.caption[0].value
    test.text_area(key=f"answer-{question_id}").set_value("A motorhome fits in our car park.")
    test.text_input(key=f"question-title-{question_id}").set_value("Motorhomes")
    test = test.button(key=f"teach-{question_id}").click().run()

    (text, *_) = data.texts(shop.tenant_id)
    assert not test.exception
    assert (text["title"], text["body"], text["language"]) == ("Motorhomes", "A motorhome fits in our car park.", "es")
    assert "Taught: it is a quick reply now" in test.toast[0].value
    assert data.questions(shop.tenant_id) == []
    assert "question.answered" in recorded(pages, shop)


def _asked_in_vain(pages: Town, shop: Shop) -> UUID:
    question_id = uuid4()
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(
            "insert into unanswered_questions (tenant_id, id, contact_id, interaction_id, interaction_at, language,"
            " reason, asked_at) select tenant_id, %s, id, id, now(), 'es', 'clarify', now() from contacts"
            " where tenant_id = %s limit 1",
            (question_id, shop.tenant_id),
        )
    return question_id


def test_the_audit_shows_what_was_changed_in_plain_words(pages: Town) -> None:
    test = opened("team", workspace=pages.hotel.name)
    next(field for field in test.text_input if field.label == "What it is for").set_value("Till & shop")
    pressed(test, "Make a key")

    newest = opened("audit", workspace=pages.hotel.name).dataframe[0].value.to_dict("records")[0]
    assert newest["What"] == "Api key created"
    assert newest["Detail"].startswith("role: viewer, prefix: mcf_")


def test_a_text_without_words_is_refused(pages: Town) -> None:
    before = data.texts(pages.dental.tenant_id)
    test = opened("knowledge", workspace=pages.dental.name).button(key="new-text").click().run()
    test = test.button(key="save-new").click().run()

    assert "needs a title and a text" in test.toast[0].value
    assert data.texts(pages.dental.tenant_id) == before


def said(test: AppTest) -> str:
    """The refusal without the signs that keep markdown literal."""
    return str(test.toast[0].value).replace("\\", "")


def test_business_hours_are_typed_a_line_a_day(pages: Town) -> None:
    shop = pages.dental
    test = opened("settings", workspace=shop.name)
    hours = next(area for area in test.text_area if area.label == "Business hours")
    hours.set_value("mon 09:00-13:00\nsat 22:00-02:00\nMonday 14:00-18:00")
    pressed(test, "Save", nth=1)

    assert data.settings(shop.tenant_id)["business_hours"] == {
        "mon": [["09:00", "13:00"], ["14:00", "18:00"]],
        "sat": [["22:00", "02:00"]],
    }
    assert "settings.changed" in recorded(pages, shop)


@pytest.mark.parametrize(
    ("typed", "day"), [("mon 25:00-26:00", "mon"), ("someday 09:00-18:00", "som"), ("monday 9:00 to 14:00", "mon")]
)
def test_hours_that_no_clock_follows_are_refused(pages: Town, typed: str, day: str) -> None:
    shop = pages.hotel
    before = data.settings(shop.tenant_id)
    test = opened("settings", workspace=shop.name)
    next(area for area in test.text_area if area.label == "Business hours").set_value(typed)
    test = pressed(test, "Save", nth=1)

    assert "Business hours: write a line a day, such as mon 09:00" in said(test)
    assert f"look at “{day}”" in said(test)
    assert data.settings(shop.tenant_id) == before


@pytest.mark.parametrize(
    ("form", "label", "typed", "told"),
    [
        (0, "Industry", " ", "Industry: something must stand here."),
        (0, "Time zone", "Europa/Madriz", "Time zone: 'Europa/Madriz' is not an IANA time zone."),
        (1, "Languages, separated by commas", "es, english", "Languages: use codes of two letters, such as es, en."),
        (1, "Default language", "xx", "Default language: xx is not one of the languages."),
    ],
)
def test_a_refused_setting_is_named_as_its_field_is(pages: Town, form: int, label: str, typed: str, told: str) -> None:
    test = opened("settings", workspace=pages.hotel.name)
    next(field for field in test.text_input if field.label == label).set_value(typed)

    assert told in said(pressed(test, "Save", nth=form))


def test_a_model_goes_with_its_vendor(pages: Town) -> None:
    shop = pages.hotel
    with psycopg.connect(pages.settings.role_url("app")) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(shop.tenant_id),))
        connection.execute("update settings set primary_llm_provider = 'openai', primary_llm_model = 'gpt-5.5'")
    test = opened("settings", workspace=shop.name)
    next(field for field in test.selectbox if field.label == "First vendor").set_value("anthropic")
    test = pressed(test, "Save", nth=3)

    now = data.settings(shop.tenant_id)
    assert (now["primary_llm_provider"], now["primary_llm_model"]) == ("anthropic", None)


def test_a_number_that_a_setting_does_not_take_is_told_its_limit() -> None:
    with pytest.raises(ValidationError) as refused:
        SettingsChange(human_pause_minutes=99_999)

    assert refusals.invalid(refused.value) == "Minutes of silence after a person wrote: at most 43,200."


def test_a_wrong_address_stays_to_be_mended(pages: Town) -> None:
    test = opened("knowledge", workspace=pages.hotel.name, part="Documents")
    next(field for field in test.text_input if field.label == "A public web page").set_value("ftp://example.test/a")
    test = pressed(test, "Read it")

    assert "must begin with https" in said(test)
    assert next(field for field in test.text_input if field.label == "A public web page").value.startswith("ftp")
    assert "choose a file first" in said(pressed(test, "Upload"))


def test_a_message_is_tried_without_being_sent(pages: Town) -> None:
    test = opened("settings", workspace=pages.dental.name)
    shown = html_of(test.text_area(key="preview").set_value("I want to talk to a human please").run())

    assert "a person takes over" in shown


def test_a_key_is_shown_once(pages: Town) -> None:
    test = opened("team", workspace=pages.dental.name)
    next(field for field in test.text_input if field.label == "What it is for").set_value("Web shop")
    test = pressed(test, "Make a key")

    assert test.code[0].value.startswith("mcf_")
    assert not test.run().code
    assert "api_key.created" in recorded(pages, pages.dental)
    assert data.keys(pages.dental.tenant_id)[0].name == "Web shop"
    assert all(key.name != "Web shop" for key in data.keys(pages.hotel.tenant_id))
