"""An owner invites, changes and removes people on the team page, under the rules of the API."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import shell
from dashboards.setup import data, people
from mychatflow.rules.role import Role
from tests.dashboards.conftest import Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_booking_pages import owner_of
from tests.dashboards.test_data_pages import wrote
from tests.dashboards.test_pages import opened
from tests.dashboards.test_setup_pages import pressed, recorded


@pytest.fixture
def shop(pages: Town) -> Shop:
    """With room in its plan for a team."""
    wrote(pages, "update tenants set plan = 'pro' where id = %s", pages.hotel.tenant_id)
    return pages.hotel


def invited(shop: Shop, email: str) -> AppTest:
    test = opened("team", workspace=shop.name)
    next(field for field in test.text_input if field.label == "Invite somebody").set_value(email)
    return pressed(test, "Invite")


def member(shop: Shop, email: str) -> dict[str, Any] | None:
    return next((row for row in data.team(shop.tenant_id) if row["email"] == email), None)


def test_somebody_is_invited_made_admin_and_removed(pages: Town, shop: Shop) -> None:
    invited(shop, "ana@example.test")
    row = member(shop, "ana@example.test")
    assert row is not None
    assert (row["role"], row["joined_at"]) == ("viewer", None)
    assert member(pages.dental, "ana@example.test") is None

    assert people.change(owner_of(shop), row["id"], Role.ADMIN, is_on_duty=False)
    changed = member(shop, "ana@example.test")
    assert changed is not None
    assert (changed["role"], changed["is_on_duty"]) == ("admin", False)

    assert people.remove(owner_of(shop), row["id"])
    assert member(shop, "ana@example.test") is None
    assert {"member.invited", "member.changed", "member.removed"} <= recorded(pages, shop)


@pytest.mark.parametrize("typed", ["", "nobody", "<img src=x>", "a@b, c@d"])
def test_what_is_no_address_is_refused(shop: Shop, typed: str) -> None:
    before = data.team(shop.tenant_id)

    assert shell.plain("is no e-mail address") in invited(shop, typed).toast[0].value
    assert data.team(shop.tenant_id) == before


def test_a_full_plan_takes_nobody_more(pages: Town) -> None:
    shop = pages.dental
    wrote(pages, "update tenants set plan = 'free' where id = %s", shop.tenant_id)
    said = [invited(shop, f"{name}@example.test") for name in ("one", "two")][-1].toast[0].value
    wrote(pages, "update tenants set plan = 'pro' where id = %s", shop.tenant_id)

    assert "users are all taken" in said
    assert member(shop, "two@example.test") is None


def test_another_workspaces_people_are_out_of_reach(pages: Town, shop: Shop) -> None:
    invited(shop, "ben@example.test")
    row = member(shop, "ben@example.test")
    assert row is not None

    assert not people.remove(owner_of(pages.dental), row["id"])
    assert member(shop, "ben@example.test") is not None
