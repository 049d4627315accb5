"""An admin pairs a number on its page: the API is asked as that person, and its code is shown as a picture."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.setup import pairing
from mychatflow.rules import page_pass
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.fake_api import Api, api
from tests.dashboards.test_booking_pages import owner_of
from tests.dashboards.test_pages import html_of, opened

__all__ = ["api"]


def test_a_number_is_paired_as_the_person_who_looks(pages: Town, api: Api) -> None:
    shop = pages.dental
    test = opened("numbers", workspace=shop.name).button(key=f"pair-{shop.instance_id}").click().run()

    assert not test.exception
    assert [(method, path) for method, path, _, _ in api.asked][:1] == [
        ("POST", f"/api/v1/instances/{shop.instance_id}/start")
    ]
    held = page_pass.read(api.asked[0][2], key=pages.settings.derived_secret(page_pass.PURPOSE), at=datetime.now(UTC))
    assert (held.tenant_id, held.role.value) == (shop.tenant_id, "owner")


def paired(pages: Town, status: str) -> AppTest:
    """The dialog of a number whose session is in that state."""
    shop = pages.dental
    with psycopg.connect(pages.settings.role_url("engine"), autocommit=True) as connection:
        told = "update instances set session_status = %s where id = %s returning phone_number"
        connection.execute(told, (status, shop.instance_id))
        try:
            return opened("numbers", workspace=shop.name).button(key=f"pair-{shop.instance_id}").click().run()
        finally:
            connection.execute(told, (None, shop.instance_id))


def test_the_code_is_a_picture_with_words_for_who_cannot_see_it(pages: Town, api: Api) -> None:
    (picture,) = paired(pages, "SCAN_QR_CODE").image

    assert api.asked[1][1].endswith("/qr")
    assert [image.alt for image in picture.proto.imgs] == ["QR code to scan with WhatsApp on the phone"]


def test_a_number_is_started_whenever_its_dialog_opens(pages: Town, api: Api) -> None:
    """A code from an hour ago has expired, and the session with it."""
    shop = pages.dental
    test = opened("numbers", workspace=shop.name)
    for _ in range(2):
        test = test.button(key=f"pair-{shop.instance_id}").click().run()

    assert [path.rpartition("/")[2] for method, path, *_ in api.asked if method == "POST"] == ["start", "start"]


@pytest.mark.parametrize("status", ["FAILED", "STOPPED"])
def test_an_expired_code_is_asked_for_anew(pages: Town, api: Api, status: str) -> None:
    api.refuses("GET", f"/api/v1/instances/{pages.dental.instance_id}/qr", "gateway_not_ready")
    test = paired(pages, status)
    assert "The code has expired" in html_of(test)
    api.asked.clear()

    test.button(key="new-code").click().run()

    assert api.asked[0][:2] == ("POST", f"/api/v1/instances/{pages.dental.instance_id}/start")


@pytest.mark.parametrize(
    ("status", "told"),
    [("STARTING", "It starts, which takes a few seconds"), ("PASSKEY_REQUIRED", "asks there for a passkey")],
)
def test_a_code_that_is_not_there_says_why(pages: Town, api: Api, status: str, told: str) -> None:
    api.refuses("GET", f"/api/v1/instances/{pages.dental.instance_id}/qr", "gateway_not_ready")

    assert told in html_of(paired(pages, status))


def test_a_paired_number_says_so(pages: Town, api: Api) -> None:
    test = paired(pages, "WORKING")

    assert "Connected" in html_of(test)
    assert "are answered from now on" in html_of(test)
    assert not [path for _, path, *_ in api.asked if path.endswith("/qr")]
    assert not test.button(key="paired").click().run().exception


def test_a_number_is_added_under_a_session_name_of_the_workspace(pages: Town, api: Api) -> None:
    test = opened("numbers", workspace=pages.hotel.name).button(key="new-number").click().run()
    test.text_input(key="number-name").set_value(HOSTILE)
    test.button(key="add-number").click().run()

    ((_, path, _, body),) = api.asked
    assert path == "/api/v1/instances"
    assert body["name"] == HOSTILE
    assert body["session"].replace("-", "").isalnum()
    assert body["session"].endswith(str(pages.hotel.tenant_id)[:8])
    assert len(body["session"]) <= 54


def test_the_pace_of_a_number_is_changed(pages: Town, api: Api) -> None:
    shop = pages.hotel
    test = opened("numbers", workspace=shop.name)
    test.number_input(key=f"pace-{shop.instance_id}").set_value(20)
    test.button(key=f"save-pace-{shop.instance_id}").click().run()

    ((method, path, _, body),) = api.asked
    assert (method, path) == ("PATCH", f"/api/v1/instances/{shop.instance_id}")
    assert body == {"sends_per_minute": 20}
    assert test.number_input(key=f"pace-{shop.instance_id}").label == "Messages a minute, 1 to 6,000"


def test_a_pace_out_of_range_is_refused_in_words(pages: Town, api: Api) -> None:
    shop = pages.hotel
    test = opened("numbers", workspace=shop.name)
    test = test.number_input(key=f"pace-{shop.instance_id}").set_value(99_999).run()
    assert "from 1 to 6,000, not 99,999." in html_of(test)

    test = test.button(key=f"save-pace-{shop.instance_id}").click().run()

    assert api.asked == []
    assert "Messages a minute: from 1 to 6,000, not 99,999." in test.toast[0].value.replace("\\", "")


def test_a_refusal_is_said_in_the_words_of_the_api(pages: Town, api: Api) -> None:
    api.code = 409
    test = opened("numbers", workspace=pages.hotel.name).button(key="new-number").click().run()
    test.text_input(key="number-name").set_value("Reception")
    test = test.button(key="add-number").click().run()

    assert "A number with a session of that name exists" in test.toast[0].value


def test_an_api_that_is_away_is_said_so(pages: Town, api: Api) -> None:
    api.shutdown()
    api.server_close()
    test = opened("numbers", workspace=pages.hotel.name).button(key="new-number").click().run()
    test.text_input(key="number-name").set_value("Reception")
    test = test.button(key="add-number").click().run()

    assert "the API does not answer" in test.toast[0].value
    assert "<img" not in html_of(test)


def test_a_number_name_of_other_letters_still_gets_a_session(pages: Town) -> None:
    assert pairing.session_name(owner_of(pages.hotel), "Приём").startswith("number-")


def test_each_state_of_a_connection_says_how_long_it_lasted() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    changes = [
        {"at": now - timedelta(hours=1), "session_status": "WORKING"},
        {"at": now - timedelta(hours=3), "session_status": "FAILED"},
    ]

    assert pairing.history(changes, timezone="Europe/Madrid", at=now) == [
        ("25 Nov 12:00", "WORKING", "1.0 h"),
        ("25 Nov 10:00", "FAILED", "2.0 h"),
    ]


def test_a_state_that_was_told_again_has_lasted_since_the_first() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    told = ["SCAN_QR_CODE", "SCAN_QR_CODE", "STARTING", "SCAN_QR_CODE"]
    changes = [
        {"at": now - timedelta(hours=hours), "session_status": status} for hours, status in enumerate(told, start=1)
    ]

    assert [(status, lasted) for _, status, lasted in pairing.history(changes, timezone="UTC", at=now)] == [
        ("SCAN_QR_CODE", "2.0 h"),
        ("STARTING", "1.0 h"),
        ("SCAN_QR_CODE", "1.0 h"),
    ]
