"""Two colleagues save in the same instant: whoever comes second waits for the first, and is told."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import time as clock
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from dashboards import data as shared
from dashboards.booking import changing
from dashboards.booking import data as booking
from dashboards.outreach import campaign_changes, sequences
from dashboards.outreach import data as outreach
from dashboards.setup import data as setup
from dashboards.setup import teaching
from dashboards.viewer import Viewer
from tests.dashboards.conftest import Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_booking_pages import owner_of
from tests.dashboards.test_inbox import _first
from tests.dashboards.test_pages import opened
from tests.dashboards.test_two_people import told

_PATIENCE_SECONDS = 20
# A row as a form shows it, and the form's button.
Form = tuple[dict[str, Any], Callable[[], bool]]


def a_campaign(owner: Viewer, shop: Shop) -> Form:
    wanted = campaign_changes.Wanted(
        name="Mine",
        template="Hello",
        audience={},
        instance_id=None,
        starts_at=None,
        messages_per_minute=20,
        quiet=None,
        holdout_share=0.1,
    )
    new = {"id": None, "id_of_new": None}
    assert campaign_changes.save(owner, new, wanted)
    shown = outreach.all_campaigns(shop.tenant_id)[0]
    return shown, lambda: campaign_changes.save(owner, shown, wanted)


def a_sequence(owner: Viewer, shop: Shop) -> Form:
    wanted = sequences.Wanted(
        name="Mine",
        trigger="silence",
        quiet_from=clock(21),
        quiet_until=clock(8),
        holdout_share=0.1,
        steps=[sequences.Step(delay_minutes=60, template="Hello", condition={})],
    )
    assert sequences.save(owner, None, wanted)
    shown = outreach.sequences(shop.tenant_id)[0]
    return shown, lambda: sequences.save(owner, shown, wanted)


def a_service(owner: Viewer, shop: Shop) -> Form:
    shown = booking.offered(shop.tenant_id, "services")[0]
    given = {"name": "Mine", "duration_minutes": shown["duration_minutes"] + 5}
    return shown, lambda: changing.save(owner, "services", shown["id"], given, shown=shown)


def a_text(owner: Viewer, shop: Shop) -> Form:
    wanted = teaching.Text(title="Mine", body="We open at nine.", language="en", tags="", is_active=True)
    assert teaching.new_text(owner, wanted)
    shown = setup.texts(shop.tenant_id)[0]
    return shown, lambda: teaching.change_text(owner, shown, wanted)


@pytest.mark.parametrize(
    ("table", "name", "made"),
    [
        ("campaigns", "name", a_campaign),
        ("follow_up_sequences", "name", a_sequence),
        ("services", "name", a_service),
        ("quick_replies", "title", a_text),
    ],
)
def test_of_two_who_save_at_once_the_second_is_told(
    pages: Town, table: str, name: str, made: Callable[[Viewer, Shop], Form]
) -> None:
    shown, save = made(owner_of(pages.dental), pages.dental)

    with theirs(pages, f"update {table} set {name} = 'Theirs' where id = %s", shown["id"]):
        is_saved = save()

    assert not is_saved
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        assert connection.execute(f"select {name} from {table} where id = %s", (shown["id"],)).fetchone() == ("Theirs",)


def test_of_two_notes_at_once_the_second_is_shown_the_first(pages: Town) -> None:
    shop, contact = pages.hotel, _first(pages, pages.hotel)
    noted(opened("inbox", workspace=shop.name), "Allergic to latex")
    test = opened("inbox", workspace=shop.name)

    with theirs(pages, "update contacts set notes = null where id = %s", contact.contact_id):
        test = noted(test, "Prefers mornings")

    assert "a colleague changed this note" in told(test)
    assert not shared.notes(shop.tenant_id, contact.contact_id, reader="test")


def noted(test: AppTest, words: str) -> AppTest:
    next(area for area in test.text_area if area.label == "Internal notes").set_value(words)
    return next(button for button in test.button if button.label == "Save note").click().run()


@contextmanager
def theirs(pages: Town, statement: str, row_id: object) -> Iterator[None]:
    """A colleague's change, committed once somebody waits for it."""
    with (
        psycopg.connect(pages.settings.role_url("engine")) as connection,
        psycopg.connect(pages.settings.role_url("engine"), autocommit=True) as looking,
        ThreadPoolExecutor(1) as colleague,
    ):
        connection.execute(statement, (row_id,))
        process = connection.info.backend_pid

        def commit() -> None:
            until = time.monotonic() + _PATIENCE_SECONDS
            try:
                while not looking.execute(_WAITING, (process,)).fetchone():
                    assert time.monotonic() < until, "nobody waited"
                    time.sleep(0.02)
            finally:
                connection.commit()

        done = colleague.submit(commit)
        yield
        done.result()


_WAITING = "select 1 from pg_locks where not granted and %s = any(pg_blocking_pids(pid))"
