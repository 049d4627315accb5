"""The headline of Delivery: whether messages flow, by the numbers below it, and whether anybody lets them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from dashboards.ops import delivery
from mychatflow.store.operations import Queue
from tests.dashboards.conftest import Town
from tests.dashboards.test_pages import html_of, opened

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def doubtful(pages: Town) -> Iterator[Town]:
    """The town with a send of which the gateway did not say whether it took it."""
    shop = pages.hotel
    with psycopg.connect(pages.settings.role_url("engine"), autocommit=True) as connection:
        connection.execute(
            "insert into outbox (tenant_id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind,"
            " idempotency_key, body, state, attempts) select tenant_id, instance_id, id, '1@c.us', id, now(), 'reply',"
            " 'doubtful', '\\x00', 'ambiguous', 1 from contacts where tenant_id = %s limit 1",
            (shop.tenant_id,),
        )
        yield pages
        connection.execute("delete from outbox where chat_id = '1@c.us'")


@pytest.mark.parametrize(("waited", "is_late"), [(None, False), (60, False), (61, True)])
def test_answers_that_wait_are_not_called_flowing(waited: int | None, is_late: bool) -> None:
    queue = a_queue(unsent_count=1, oldest_try_at=None if waited is None else NOW - timedelta(seconds=waited))

    assert delivery.are_late(queue, at=NOW) is is_late


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({}, ("Everything flows", "good")),
        ({"waiting_count": 100, "unsent_count": 4}, ("Everything flows", "good")),
        ({"waiting_count": 101}, ("Somebody should look", "warn")),
        ({"oldest_received_at": NOW - timedelta(seconds=30)}, ("Everything flows", "good")),
        ({"oldest_received_at": NOW - timedelta(seconds=31)}, ("Somebody should look", "warn")),
        ({"oldest_try_at": NOW - timedelta(seconds=61)}, ("Somebody should look", "warn")),
        ({"parked_count": 1}, ("Somebody should look", "warn")),
        ({"dead_letter_count": 1}, ("Somebody should look", "warn")),
        ({"ambiguous_count": 1}, ("1 send is in doubt: it is checked and goes out again by itself", "warn")),
        ({"ambiguous_count": 3}, ("3 sends are in doubt: they are checked and go out again by themselves", "warn")),
    ],
)
def test_the_headline_says_what_the_numbers_say(numbers: dict[str, Any], told: tuple[str, str]) -> None:
    assert delivery.told(a_queue(**numbers), NOW - timedelta(seconds=60), at=NOW) == told


def test_nothing_flows_where_no_worker_runs() -> None:
    silent = NOW - timedelta(seconds=61)

    assert delivery.told(a_queue(), None, at=NOW) == ("No worker has run yet", "bad")
    assert delivery.told(a_queue(), silent, at=NOW) == ("No worker runs, last seen 1 min ago", "bad")
    assert delivery.told(a_queue(parked_count=1), silent, at=NOW)[0].endswith(" · Somebody should look")


def test_the_page_knows_a_worker_by_its_last_sign_of_life(pages: Town) -> None:
    assert "No worker has run yet" in html_of(opened("delivery"))

    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute("insert into heartbeats (job, beat_at) values ('worker', now())")
    shown = html_of(opened("delivery"))
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute("delete from heartbeats where job = 'worker'")

    assert "No worker" not in shown


def test_a_send_in_doubt_hides_no_dead_letter() -> None:
    said, tone = delivery.told(a_queue(ambiguous_count=2, dead_letter_count=1), NOW, at=NOW)

    assert said.startswith("Somebody should look · 2 sends are in doubt")
    assert tone == "warn"


def test_the_page_says_in_its_head_that_a_send_is_in_doubt(doubtful: Town) -> None:
    assert doubtful.settings
    shown = html_of(opened("delivery"))

    assert "1 send is in doubt: it is checked and goes out again by itself" in shown
    assert "Everything flows" not in shown


def a_queue(**numbers: Any) -> Queue:
    usual = dict.fromkeys(("waiting_count", "parked_count", "unsent_count", "ambiguous_count", "dead_letter_count"), 0)
    return Queue(**({"oldest_received_at": None, "oldest_try_at": None} | usual | numbers))
