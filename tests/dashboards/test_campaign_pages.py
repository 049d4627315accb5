"""An admin drafts a campaign, sees whom it reaches, tries it, starts it, stops it: on record, in one workspace."""

import html
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from dashboards import data as shared
from dashboards import shell, viewer
from dashboards.outreach import data
from dashboards.viewer import Viewer
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_follow_up_pages import named
from tests.dashboards.test_pages import html_of, opened
from tests.dashboards.test_setup_pages import recorded


def drafted(shop: Shop, *, name: str, text: str) -> AppTest:
    test = opened("campaigns", workspace=shop.name).button(key="new-campaign").click().run()
    named(test, "name-").set_value(name)
    named(test, "text-").set_value(text)
    return test.button(key="save-campaign").click().run()


def newest(shop: Shop) -> dict[str, Any]:
    return data.all_campaigns(shop.tenant_id)[0]


def pressed(shop: Shop, key: str, then: str | None = None) -> AppTest:
    test = opened("campaigns", workspace=shop.name).button(key=f"{key}-{newest(shop)['id']}").click().run()
    return test.button(key=then).click().run() if then else test


def test_a_campaign_is_drafted_started_paused_resumed_and_cancelled(pages: Town) -> None:
    shop = pages.dental
    drafted(shop, name=HOSTILE, text=f"Hi {{{{first_name|there}}}}, {HOSTILE}")
    assert (newest(shop)["name"], newest(shop)["state"]) == (HOSTILE, "draft")
    assert "<img" not in html_of(opened("campaigns", workspace=shop.name))

    states = []
    for key, then in (("start", "start-campaign"), ("pause", None), ("resume", None), ("cancel", None)):
        pressed(shop, key, then)
        states.append(newest(shop)["state"])

    assert states == ["running", "paused", "running", "cancelled"]
    assert {f"campaign.{each}" for each in ("created", "started", "paused", "resumed", "cancelled")} <= recorded(
        pages, shop
    )
    assert data.all_campaigns(pages.hotel.tenant_id) == []


def test_the_audience_is_counted_with_its_exclusions_before_the_start(pages: Town) -> None:
    shop = pages.dental
    drafted(shop, name="Autumn", text="Hello {{first_name|there}}")
    found = data.audience_now(shop.tenant_id, newest(shop), at=pages.at)
    test = opened("campaigns", workspace=shop.name)
    assert f"<strong>{found.eligible:,}</strong>" in html_of(test)
    test.button(key=f"start-{newest(shop)['id']}").click().run()

    assert found.audience == found.eligible + found.held_out + sum(found.skipped.values()) > 0
    assert f"<strong>{found.eligible:,}</strong>" in html_of(test)
    assert "Left out: talk with a person now" in html_of(test)


def test_each_number_of_a_draft_opens_the_people_it_counts(pages: Town) -> None:
    shop = pages.dental
    drafted(shop, name="Looked at", text="Hello {{first_name|there}}")
    row = newest(shop)
    found = data.audience_now(shop.tenant_id, row, at=pages.at)
    # As they stand on the card, from the second on a line each.
    counted = [found.audience, *found.skipped.values(), found.held_out]
    keys = [f"reached-{row['id']}", *(f"fact-{number}-audience-{row['id']}" for number in range(len(counted)))]

    opened_lists = []
    for key in keys:
        test = opened("campaigns", workspace=shop.name).button(key=f"cover-{key}").click().run()
        assert not test.exception
        opened_lists.append(test.dataframe[0].value.to_dict("records"))

    assert [len(each) for each in opened_lists] == [found.eligible, *counted]
    reached, everybody = opened_lists[:2]
    assert {row["Message"] for row in reached} == {"gets it"}
    # A cell of the table draws it as it is; nothing else of the dialog says it.
    assert HOSTILE in {row["Contact"] for row in everybody}
    assert "<img" not in html_of(test)
    (held_out,) = {row["Message"] for row in opened_lists[-1]}
    assert held_out == "held out"
    assert any(row["Message"] == "left out: talk with a person now" for row in everybody)


def test_the_people_of_a_draft_are_for_whose_role_still_opens_them(
    pages: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = pages.dental
    drafted(shop, name="Closed", text="Hello {{first_name|there}}")
    monkeypatch.setattr(viewer, "again", lambda looking: replace_role(looking, "agent"))

    test = pressed(shop, "cover-reached")

    assert not test.dataframe
    assert "Your access has ended" in html_of(test)


def replace_role(looking: Viewer, role: str) -> Viewer:
    return looking.looking_at(replace(looking.workspace, role=role))


def test_each_result_opens_the_recipients_it_counts(pages: Town) -> None:
    shop = pages.dental
    drafted(shop, name="Counted", text="Hello {{first_name|there}}")
    pressed(shop, "start", "start-campaign")
    row = newest(shop)
    first, *_ = data.audience_now(shop.tenant_id, row, at=pages.at).skipped
    contact_id = shared.inbox(shop.tenant_id)[0].contact_id
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(
            "insert into campaign_recipients (tenant_id, campaign_id, contact_id, state, reason) values"
            " (%s, %s, %s, 'skipped', %s)",
            (shop.tenant_id, row["id"], contact_id, first),
        )
    # Recipients and those who wait stand before those left out.
    test = opened("campaigns", workspace=shop.name).button(key=f"cover-fact-2-{row['id']}").click().run()
    pressed(shop, "cancel")

    assert not test.exception
    (listed,) = test.dataframe[0].value.to_dict("records")
    assert (listed["Contact"], listed["State"]) == (HOSTILE, "Left out")


def test_a_start_is_refused_while_a_variable_is_unknown_of_somebody(pages: Town) -> None:
    shop = pages.hotel
    with_gap = "Hello {{name}}"
    drafted(shop, name="Gap", text=with_gap)
    _forget_a_name(pages, shop)

    test = pressed(shop, "start", "start-campaign")

    assert shell.plain("not known: name of 1 contact.") in test.toast[0].value
    assert newest(shop)["state"] == "draft"


@pytest.mark.parametrize(
    ("text", "audience", "told"),
    [
        ("Your {{attributes.plan|usual}}", "{}", "its message names attributes.plan, which is no more"),
        (
            "Hello",
            '{"attributes": [{"key": "plan", "comparison": "is", "value": "gold"}]}',
            "the audience asks for the attribute 'plan', which is no more",
        ),
    ],
)
def test_a_campaign_paused_for_a_forgotten_attribute_says_why(pages: Town, text: str, audience: str, told: str) -> None:
    shop = pages.dental
    drafted(shop, name="Forgotten", text="Hello")
    row = newest(shop)
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(
            "update campaigns set state = 'paused', template = %s, audience = %s, started_at = created_at"
            " where id = %s",
            (text, audience, row["id"]),
        )

    test = opened("campaigns", workspace=shop.name)

    shown = html.unescape(html_of(test))
    assert told in shown
    assert "Nobody was written to" in shown
    assert test.button(key=f"resume-{row['id']}").disabled
    pressed(shop, "cancel")
    assert newest(shop)["state"] == "cancelled"


def test_a_campaign_that_somebody_paused_may_go_on(pages: Town) -> None:
    shop = pages.dental
    drafted(shop, name="Rests", text="Hello")
    for key, then in (("start", "start-campaign"), ("pause", None)):
        pressed(shop, key, then)

    test = opened("campaigns", workspace=shop.name)
    is_closed = test.button(key=f"resume-{newest(shop)['id']}").disabled
    pressed(shop, "cancel")

    assert not is_closed
    assert "cannot go on" not in html_of(test)


def test_a_draft_without_words_is_refused(pages: Town) -> None:
    before = data.all_campaigns(pages.hotel.tenant_id)

    assert "a name and a message" in drafted(pages.hotel, name="Empty", text=" ").toast[0].value
    assert "no variable 'shoe'" in drafted(pages.hotel, name="Odd", text="{{shoe}}").toast[0].value
    assert data.all_campaigns(pages.hotel.tenant_id) == before


def test_a_test_goes_to_one_contact_and_counts_nowhere(pages: Town) -> None:
    shop = pages.dental
    drafted(shop, name="Try", text="Hello {{first_name|there}}")
    test = opened("campaigns", workspace=shop.name).button(key=f"test-{newest(shop)['id']}").click().run()
    contact_id = shared.inbox(shop.tenant_id)[1].contact_id
    # Nobody is chosen by itself.
    assert test.selectbox(key="test-contact").value is None
    test.selectbox(key="test-contact").set_value(contact_id)
    test.button(key="send-test").click().run()

    said = shared.chat(shop.tenant_id, contact_id, reader="local owner")
    assert any("Hello " in (message.text or "") for message in said)
    assert newest(shop)["state"] == "draft"
    assert "campaign.tested" in recorded(pages, shop)


def _forget_a_name(pages: Town, shop: Shop) -> None:
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(
            "update contacts set name = null where (tenant_id, id) in"
            " (select tenant_id, id from contacts where tenant_id = %s and not is_handed_off order by id limit 1)",
            (shop.tenant_id,),
        )


def test_the_hours_of_a_campaign_follow_as_they_are_read(pages: Town) -> None:
    """In the order of the page, which is that of the keyboard and of a phone."""
    test = opened("campaigns", workspace=pages.dental.name).button(key="new-campaign").click().run()

    assert [field.label for field in test.time_input] == ["at", "Quiet from", "Quiet until"]
