"""A workspace that just opened: its pages say what to do first, and nothing of numbers that are not there."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from dashboards import navigation, viewer
from tests.dashboards.conftest import Town, forget
from tests.dashboards.test_pages import html_of, opened

_NAME = "Just Opened"
_FED = [place.path for place in navigation.PLACES if place.group in {"Analytics", "Work"}]


@pytest.fixture
def new(pages: Town) -> Iterator[str]:
    tenant_id = uuid4()
    with psycopg.connect(pages.settings.role_url("engine"), autocommit=True) as connection:
        connection.execute(
            "insert into tenants (id, email, name, plan) values (%s, 'new@example.test', %s, 'free')",
            (tenant_id, _NAME),
        )
        connection.execute("insert into settings (tenant_id) values (%s)", (tenant_id,))
        forget()
        yield _NAME
        connection.execute("delete from tenant_keys where tenant_id = %s", (tenant_id,))
        connection.execute("delete from settings where tenant_id = %s", (tenant_id,))
        connection.execute("delete from tenants where id = %s", (tenant_id,))


@pytest.mark.parametrize("path", _FED)
def test_a_new_workspace_is_told_where_to_begin(new: str, path: str) -> None:
    test = opened(path, workspace=new)

    assert not test.exception
    shown = html_of(test)
    assert "Begin with a number" in shown
    assert "no data of" not in shown
    assert "p95 no data" not in shown


def test_a_workspace_with_a_number_is_past_that(pages: Town) -> None:
    assert "Begin with a number" not in html_of(opened("overview", workspace=pages.hotel.name))


def test_an_inbox_that_nobody_searched_calls_nothing_a_match(new: str) -> None:
    shown = html_of(opened("inbox", workspace=new))

    assert "No chat yet" in shown
    assert "No chat matches" not in shown


def test_the_first_workspace_appears_by_itself(pages: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pages.settings
    owner = viewer.local_owner()
    before = iter(["nothing_here"])
    monkeypatch.setattr(viewer, "local_owner", lambda: next(before, owner))
    monkeypatch.setattr(viewer, "look", lambda: owner)

    test = opened("overview")

    assert not test.exception
    assert [tile.label for tile in test.metric]
