"""An admin sees where facts are told and with what result; each change is asked of the API as that person."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.fake_api import Api, api
from tests.dashboards.test_pages import html_of, opened

__all__ = ["api"]
PATH = "/api/v1/webhook-endpoints"
SECRET = "whsec_shown-once"


@pytest.fixture
def endpoint(pages: Town) -> UUID:
    """The hotel's only one, with a delivery that was given up; the clinic has none."""
    hotel = pages.hotel.tenant_id
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute("delete from webhook_endpoints where tenant_id = %s", (hotel,))
        made = connection.execute(
            "insert into webhook_endpoints (tenant_id, url, description, secret) values (%s, %s, %s, %s) returning id",
            (hotel, "https://example.test/hooks", HOSTILE, b"sealed"),
        ).fetchone()
        assert made is not None
        connection.execute(
            "insert into webhook_deliveries (tenant_id, endpoint_id, event_id, event_type, state, attempts,"
            " last_status, last_error) values (%s, %s, gen_random_uuid(), 'message_received', 'failed', 8, 500, %s)",
            (hotel, made[0], HOSTILE),
        )
    return UUID(str(made[0]))


def asked(api: Api) -> list[tuple[str, str, Any]]:
    return [(method, path.removeprefix(PATH), body) for method, path, _, body in api.asked]


def test_what_was_told_is_listed_for_its_workspace_alone(pages: Town, endpoint: UUID) -> None:
    test = opened("webhooks", workspace=pages.hotel.name)

    shown = html_of(test)
    assert not test.exception
    assert test.button(key=f"rotate-{endpoint}")
    for told in ("https://example.test/hooks", "Message received", "8 tries", "500"):
        assert told in shown
    assert HOSTILE not in shown
    assert "No webhook yet" in html_of(opened("webhooks", workspace=pages.dental.name))


def test_a_new_secret_is_shown_once(pages: Town, api: Api) -> None:
    api.says["POST", PATH] = {"secret": SECRET}
    test = opened("webhooks", workspace=pages.dental.name).button(key="new-webhook").click().run()
    test.text_input(key="webhook-url").set_value("https://example.test/new")
    test.multiselect(key="webhook-types").set_value(["handoff_triggered"])
    test = test.button(key="add-webhook").click().run()

    wanted = {"url": "https://example.test/new", "event_types": ["handoff_triggered"]}
    assert asked(api) == [("POST", "", wanted)]
    assert [code.value for code in test.code] == [SECRET]
    assert not test.run().code


def test_a_webhook_is_switched_rotated_and_deleted(pages: Town, api: Api, endpoint: UUID) -> None:
    api.says["POST", f"{PATH}/{endpoint}/rotate-secret"] = {"secret": SECRET}
    test = opened("webhooks", workspace=pages.hotel.name)
    test = test.button(key=f"switch-{endpoint}").click().run()
    test = test.button(key=f"rotate-{endpoint}").click().run()
    assert [code.value for code in test.code] == [SECRET]
    test.button(key=f"delete-{endpoint}").click().run()

    assert asked(api) == [
        ("PATCH", f"/{endpoint}", {"is_active": False}),
        ("POST", f"/{endpoint}/rotate-secret", None),
        ("DELETE", f"/{endpoint}", None),
    ]


def test_a_time_is_told_again(pages: Town, api: Api, endpoint: UUID) -> None:
    api.says["POST", f"{PATH}/{endpoint}/replay"] = {"count": 12}
    test = opened("webhooks", workspace=pages.hotel.name)
    test = next(box for box in test.selectbox if box.label == "Tell again").set_value("Last day").run()
    test = test.button(key=f"tell-{endpoint}").click().run()

    ((method, path, body),) = asked(api)
    assert (method, path, set(body)) == ("POST", f"/{endpoint}/replay", {"since", "until"})
    assert "12 facts" in test.toast[0].value


def test_a_refused_address_is_said_in_the_words_of_the_api(pages: Town, api: Api) -> None:
    api.code = 422
    test = opened("webhooks", workspace=pages.dental.name).button(key="new-webhook").click().run()
    test.text_input(key="webhook-url").set_value("http://10.0.0.1")
    test = test.button(key="add-webhook").click().run()

    assert test.toast[0].value.startswith("Nothing was changed:")
    assert not test.code
