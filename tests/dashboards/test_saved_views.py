"""A page's filters are kept under a name: one's own for oneself, shared ones for the workspace, never for another."""

from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import data, saved
from mychatflow.store.saved_views import SavedView
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_pages import html_of, opened


def _save(test: AppTest, name: str, *, is_shared: bool = False) -> AppTest:
    test.text_input(key="view-name").set_value(name)
    test.checkbox(key="view-shared").set_value(is_shared)
    return next(button for button in test.button if button.label == "Save this view").click().run()


def _kept(shop: Shop, page: str = "leads") -> list[SavedView]:
    """What the local owner sees, who is nobody's account."""
    return data.saved_views(shop.tenant_id, page=page, member_id=None)


def test_filters_are_named_opened_and_forgotten(pages: Town) -> None:
    test = _save(opened("leads", workspace=pages.hotel.name, range="91d", grade="A"), HOSTILE)

    assert not test.exception
    assert "<img" not in html_of(test)
    (view,) = _kept(pages.hotel)
    assert "grade=A" in view.filters
    assert "range=91d" in view.filters
    assert "workspace" not in view.filters
    assert _kept(pages.dental) == _kept(pages.hotel, "overview") == []

    test.button(key=f"remove-{view.view_id}").click().run()
    assert _kept(pages.hotel) == []


def test_the_same_name_is_saved_once(pages: Town) -> None:
    for chosen in ("7d", "91d"):
        _save(opened("conversations", workspace=pages.hotel.name, range=chosen), "Mine")

    (view,) = _kept(pages.hotel, "conversations")
    assert "range=91d" in view.filters


def test_a_colleague_sees_what_is_shared_alone(pages: Town) -> None:
    shop, colleague = pages.hotel, uuid4()
    test = opened("overview", workspace=shop.name, range="7d")
    _save(_save(test, "Mine"), "Ours", is_shared=True)

    seen = data.saved_views(shop.tenant_id, page="overview", member_id=colleague)

    assert [(view.name, view.is_mine) for view in seen] == [("Ours", False)]
    assert data.saved_views(pages.dental.tenant_id, page="overview", member_id=colleague) == []


def test_a_viewer_keeps_views_and_shares_none(pages: Town) -> None:
    test = opened("overview", workspace=pages.hotel.name, role="viewer")

    assert [field.key for field in test.text_input if field.key == "view-name"] == ["view-name"]
    assert not [box for box in test.checkbox if box.key == "view-shared"]


@pytest.mark.parametrize(
    ("filters", "workspace", "expected"),
    [
        ("range=91d&grade=A", None, "?range=91d&grade=A"),
        ("", "Bella & Co", "?workspace=Bella+%26+Co"),
        ("javascript:alert(1)", None, "?"),
        ('outcome="><img src=x>', None, "?outcome=%22%3E%3Cimg+src%3Dx%3E"),
    ],
)
def test_an_address_holds_filters_and_nothing_else(filters: str, workspace: str | None, expected: str) -> None:
    assert saved.address(filters, workspace) == expected
