"""An owner sees the plan run out, takes a copy of the data, has a person forgotten, and says how long things stay."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from dashboards import data as shared
from dashboards.setup import data, usage
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_follow_up_pages import named
from tests.dashboards.test_pages import html_of, opened
from tests.dashboards.test_setup_pages import recorded


def wrote(pages: Town, statement: str, *values: object) -> None:
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(statement, values)


def used(pages: Town, shop: Shop, count: int) -> str:
    wrote(
        pages,
        "insert into usage_days (tenant_id, usage_date, used) values (%s, %s, %s)"
        " on conflict (tenant_id, usage_date) do update set used = excluded.used",
        shop.tenant_id,
        datetime.now(UTC).date(),
        count,
    )
    test = opened("usage", workspace=shop.name)
    return html_of(test) + "".join(each.value for each in [*test.warning, *test.error])


def test_the_plan_warns_at_eighty_and_at_a_hundred_percent(pages: Town) -> None:
    limit = usage.plan.DAILY_MESSAGES[data.plan_of(pages.hotel.tenant_id)]

    assert "Four fifths" not in used(pages, pages.hotel, round(limit * 0.79))
    assert "Four fifths of the day are used" in used(pages, pages.hotel, round(limit * 0.8))
    full = used(pages, pages.hotel, limit)
    assert "The day is used up" in full
    assert f"<strong>{limit:,}</strong>" in full
    assert data.usage(pages.dental.tenant_id, since=date(2020, 1, 1)) == {}


def test_each_day_is_a_bar_that_says_its_number() -> None:
    day = date(2026, 11, 24)
    drawn = usage.bars({day: 80}, [day - timedelta(days=1), day], limit=100)

    assert 'title="24 Nov: 80"' in drawn
    assert 'class="mcf-warn" style="height:80.0%"' in drawn
    assert 'aria-label="Bars: 80 messages in 2 days, at most 80 a day"' in drawn


def test_a_copy_of_everything_is_asked_for(pages: Town) -> None:
    opened("data", workspace=pages.hotel.name).button(key="export").click().run()

    (row,) = data.requests(pages.hotel.tenant_id, "exports")
    assert (row["contact_id"], row["state"]) == (None, "pending")
    assert data.requests(pages.dental.tenant_id, "exports") == []
    assert "export.requested" in recorded(pages, pages.hotel)


def test_a_copy_says_that_it_opens_once(pages: Town) -> None:
    shop = pages.hotel
    opened("data", workspace=shop.name).button(key="export").click().run()
    ready = "update exports set state = 'ready', byte_size = 9, expires_at = now() + interval '9 minutes'"
    wrote(pages, f"{ready} where tenant_id = %s", shop.tenant_id)

    told = [each.value for each in opened("data", workspace=shop.name).caption]
    wrote(pages, "delete from exports where tenant_id = %s", shop.tenant_id)
    assert any("It opens once, until" in each for each in told)


def test_a_person_is_forgotten_after_a_second_word(pages: Town) -> None:
    shop = pages.dental
    test = opened("data", workspace=shop.name)
    assert test.button(key="erase").disabled
    test.text_input(key="erase-search").set_value(HOSTILE[:10])
    test = test.run()
    contact_id = test.selectbox(key="erase-contact").value
    assert test.button(key="erase").disabled
    test.checkbox(key=f"is-sure-{contact_id}").set_value(True)
    test.run().button(key="erase").click().run()

    (row,) = data.requests(shop.tenant_id, "erasures")
    assert (row["contact_id"], row["state"]) == (contact_id, "pending")
    shown = html_of(opened("data", workspace=shop.name))
    assert "<img" not in shown
    assert "Being made" in shown


def test_another_person_is_forgotten_by_a_word_of_their_own(pages: Town) -> None:
    shop = pages.dental
    test = opened("data", workspace=shop.name)
    test.text_input(key="erase-search").set_value("a").run()
    first, second = (each.contact_id for each in shared.inbox(shop.tenant_id, search="a")[:2])
    test.selectbox(key="erase-contact").set_value(first).run()
    test = _surely(test).set_value(True).run()
    assert not test.button(key="erase").disabled

    test = test.selectbox(key="erase-contact").set_value(second).run()

    assert test.button(key="erase").disabled
    test = test.selectbox(key="erase-contact").set_value(first).run()
    assert not _surely(test).value


def _surely(test: AppTest) -> Any:
    return next(box for box in test.checkbox if str(box.key).startswith("is-sure"))


def test_nobody_is_forgotten_on_legal_hold(pages: Town) -> None:
    wrote(pages, "update tenants set is_on_legal_hold = true where id = %s", pages.hotel.tenant_id)
    test = opened("data", workspace=pages.hotel.name)
    wrote(pages, "update tenants set is_on_legal_hold = false where id = %s", pages.hotel.tenant_id)

    assert "On legal hold" in html_of(test)
    assert "erase" not in {button.key for button in test.button}


def test_an_owner_begins_and_ends_a_hold_on_record(pages: Town) -> None:
    shop = pages.hotel
    refused = opened("data", workspace=shop.name).button(key="hold").click().run()
    assert "say why" in refused.toast[0].value
    for is_held, action in ((True, "legal_hold.begun"), (False, "legal_hold.ended")):
        test = opened("data", workspace=shop.name)
        test.text_input(key="hold-reason").set_value("Case 117")
        test = test.button(key="hold").click().run()

        assert data.is_on_legal_hold(shop.tenant_id) is is_held
        assert action in recorded(pages, shop)
        assert not data.is_on_legal_hold(pages.dental.tenant_id)


def test_a_hold_is_for_owners_alone(pages: Town) -> None:
    test = opened("data", workspace=pages.hotel.name, role="admin")

    assert not test.exception
    assert "hold" not in {button.key for button in test.button}


def test_how_long_things_are_kept_is_saved_by_kind(pages: Town) -> None:
    shop = pages.hotel
    test = opened("data", workspace=shop.name)
    named(test, "retention_days_messages").set_value(365)
    test.button(key="save-retention").click().run()

    known = data.settings(shop.tenant_id)
    assert (known["retention_days_messages"], known["retention_days_media"]) == (365, 90)
    assert data.settings(pages.dental.tenant_id)["retention_days_messages"] is None


def test_the_certificate_of_an_erasure_can_be_taken(pages: Town) -> None:
    shop = pages.dental
    contact_id: UUID = shared.inbox(shop.tenant_id)[1].contact_id
    wrote(
        pages,
        "insert into erasures (tenant_id, contact_id, requested_by, requested_at, due_at, finished_at, state,"
        " certificate) values (%s, %s, 'test', now(), now(), now(), 'done', '{\"tables\": {}}')",
        shop.tenant_id,
        contact_id,
    )
    test = opened("data", workspace=shop.name)

    assert not test.exception
    assert test.selectbox(key="certificate").value is not None


def test_an_export_says_what_is_no_longer_kept(pages: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    today = pages.at.date()
    for edge, is_told in ((today - timedelta(days=3), True), (today - timedelta(days=300), False)):
        monkeypatch.setattr(shared, "kept_from", lambda _tenant_id, edge=edge: edge)
        test = opened("overview", workspace=pages.dental.name)

        told = [each.value for each in test.caption if "are no longer kept: totals count them" in each.value]
        assert bool(told) is is_told
