"""An admin writes a follow-up sequence on its page, switches it, and sees every run with its reason."""

from datetime import timedelta
from typing import Any

import psycopg
from streamlit.testing.v1 import AppTest

from dashboards import data as shared
from dashboards import shell
from dashboards.outreach import data
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_pages import html_of, opened
from tests.dashboards.test_setup_pages import recorded


def named(test: AppTest, start: str) -> Any:
    """The one field whose key begins so; the rest of it is a digest."""
    fields = [*test.text_input, *test.text_area, *test.number_input, *test.selectbox]
    return next(field for field in fields if str(field.key).startswith(start))


def written(shop: Shop, *, name: str, text: str) -> AppTest:
    test = opened("follow-ups", workspace=shop.name).button(key="new-sequence").click().run()
    named(test, "name-").set_value(name)
    named(test, "text-0").set_value(text)
    return test.button(key="save-sequence").click().run()


def test_a_sequence_is_written_and_rests_until_switched_on(pages: Town) -> None:
    shop = pages.hotel
    test = written(shop, name=HOSTILE, text=f"Hi {{{{first_name|there}}}} {HOSTILE}")

    (row,) = data.sequences(shop.tenant_id)
    assert (row["name"], row["is_active"], row["version"], len(row["steps"])) == (HOSTILE, False, 1, 1)
    assert row["steps"][0]["delay_minutes"] == 1_440
    assert HOSTILE not in {row["name"] for row in data.sequences(pages.dental.tenant_id)}

    test = opened("follow-ups", workspace=shop.name)
    assert "<img" not in html_of(test)
    test.toggle[0].set_value(True).run()
    assert data.sequences(shop.tenant_id)[0]["is_active"]
    assert {"follow_up_sequence.created", "follow_up_sequence.changed"} <= recorded(pages, shop)


def test_another_wait_makes_a_new_version_and_another_name_none(pages: Town) -> None:
    shop = pages.dental
    written(shop, name="Once more", text="Still there?")
    test = opened("follow-ups", workspace=shop.name).button(key=f"edit-{mine(shop)['id']}").click().run()
    named(test, "name-").set_value("Twice more")
    test.button(key="save-sequence").click().run()
    assert (mine(shop)["name"], mine(shop)["version"]) == ("Twice more", 1)

    test = opened("follow-ups", workspace=shop.name).button(key=f"edit-{mine(shop)['id']}").click().run()
    named(test, "wait-0").set_value(3)
    test.button(key="save-sequence").click().run()

    assert mine(shop)["version"] == 2
    assert [step["delay_minutes"] for step in mine(shop)["steps"]] == [3 * 1_440]
    assert "after 3 days" in html_of(opened("follow-ups", workspace=shop.name))


def test_a_text_that_nobody_can_fill_in_is_refused_by_its_number(pages: Town) -> None:
    before = len(data.sequences(pages.dental.tenant_id))

    assert (
        shell.plain("message 1: there is no variable 'shoe_size'")
        in written(pages.dental, name="Odd", text="Size {{shoe_size}}?").toast[0].value
    )
    assert "needs a text" in written(pages.dental, name="Odd", text="  ").toast[0].value
    assert "needs a name" in written(pages.dental, name="  ", text="Hello").toast[0].value
    assert len(data.sequences(pages.dental.tenant_id)) == before


def test_a_run_shows_every_step_and_can_be_ended(pages: Town) -> None:
    shop = pages.dental
    written(shop, name="Run", text="Still there?")
    sequence = mine(shop)
    contact = shared.inbox(shop.tenant_id)[0].contact_id
    run_id = begun(pages, shop, sequence["id"], contact)
    test = opened("follow-ups", workspace=shop.name, part="Runs")
    shown = test.dataframe[0].value.to_dict("records")

    assert (shown[0]["Contact"], shown[0]["State"]) == (HOSTILE, "Running")
    shown_by_number = (
        opened("follow-ups", workspace=shop.name).button(key=f"cover-fact-0-{sequence['id']}").click().run()
    )
    assert any(caption.value.startswith("1 run with 1 person.") for caption in shown_by_number.caption)
    assert run_id in {row["id"] for row in data.runs(shop.tenant_id, None, "running")}
    assert data.runs(pages.hotel.tenant_id, None, "running") == []


def mine(shop: Shop) -> dict[str, Any]:
    return data.sequences(shop.tenant_id)[0]


def begun(pages: Town, shop: Shop, sequence_id: object, contact_id: object) -> object:
    with psycopg.connect(pages.settings.role_url("app")) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(shop.tenant_id),))
        row = connection.execute(
            "insert into follow_up_runs (tenant_id, sequence_id, version, contact_id, state, started_by, started_at)"
            " values (%s, %s, 1, %s, 'running', 'test', %s) returning id",
            (shop.tenant_id, sequence_id, contact_id, pages.at - timedelta(hours=1)),
        ).fetchone()
    assert row is not None
    return row[0]
