"""What a member has not seen is theirs alone: opening a chat reads it for nobody else and in no other workspace."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from dashboards import data
from mychatflow.store.contacts import ChatFilter
from tests.dashboards.conftest import Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_pages import opened


@pytest.fixture
def team(pages: Town) -> tuple[str, str]:
    """Two members of the hotel who have just been asked to join, so that every chat is news to them."""
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        found = [
            connection.execute(
                "insert into team_members (tenant_id, email, role) values (%s, %s, 'agent')"
                " on conflict (tenant_id, email) do update set role = 'agent' returning id",
                (pages.hotel.tenant_id, f"{name}@hotel.test"),
            ).fetchone()
            for name in ("ann", "bob")
        ]
        connection.execute("delete from read_markers where tenant_id = %s", (pages.hotel.tenant_id,))
    ann, bob = (str(row[0]) for row in found if row is not None)
    return ann, bob


def _new(shop: Shop, member: str | None) -> list[UUID]:
    reader = UUID(member) if member else None
    where = ChatFilter(is_unread=True, reader_id=reader)
    return [contact.contact_id for contact in data.inbox(shop.tenant_id, where=where)]


def _listed(test: AppTest) -> dict[str, str]:
    """The chats of the list, by the id in their key."""
    return {
        button.key.removeprefix("chat-"): button.label
        for button in test.button
        if (button.key or "").startswith("chat-")
    }


def test_opening_a_chat_reads_it_for_that_member_alone(pages: Town, team: tuple[str, str]) -> None:
    ann, bob = team
    every, elsewhere = _new(pages.hotel, ann), _new(pages.dental, None)
    newest = str(every[0])

    first = opened("inbox", workspace=pages.hotel.name, member=ann)
    again = opened("inbox", workspace=pages.hotel.name, member=ann)
    colleague = opened("inbox", workspace=pages.hotel.name, member=bob)

    assert not again.exception
    assert all("[new]" in label for label in _listed(first).values())
    assert "[new]" not in _listed(again)[newest]
    assert "[new]" in _listed(colleague)[newest]
    assert _new(pages.hotel, ann) == every[1:]
    assert _new(pages.dental, None) == elsewhere


def test_the_filter_lists_what_is_unread(pages: Town, team: tuple[str, str]) -> None:
    ann, _ = team
    opened("inbox", workspace=pages.hotel.name, member=ann)

    shown = opened("inbox", workspace=pages.hotel.name, member=ann, unread="true")

    assert list(_listed(shown)) == [str(contact_id) for contact_id in _new_before(pages, ann)]


def _new_before(town: Town, member: str) -> list[UUID]:
    """What was unread before that member opened the first of the filtered list just now."""
    (opened_now,) = _read_by(town, member) - {data.inbox(town.hotel.tenant_id)[0].contact_id}
    return [opened_now, *_new(town.hotel, member)]


def _read_by(town: Town, member: str) -> set[UUID]:
    with psycopg.connect(town.settings.role_url("engine")) as connection:
        rows = connection.execute("select contact_id from read_markers where member_id = %s", (member,)).fetchall()
    return {row[0] for row in rows}


def test_who_joins_later_has_no_years_unread(pages: Town, team: tuple[str, str]) -> None:
    ann, bob = team
    newest = max(contact.last_message_at for contact in data.inbox(pages.hotel.tenant_id) if contact.last_message_at)
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute("update team_members set joined_at = %s where id = %s", (newest + timedelta(hours=1), bob))

    try:
        assert _new(pages.hotel, bob) == []
        assert len(_new(pages.hotel, ann)) == len(data.inbox(pages.hotel.tenant_id))
    finally:
        with psycopg.connect(pages.settings.role_url("engine")) as connection:
            connection.execute("update team_members set joined_at = null where id = %s", (bob,))


def test_chats_are_told_apart_by_their_number(pages: Town) -> None:
    shop = pages.hotel
    moved = data.inbox(shop.tenant_id)[1].contact_id
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        second = connection.execute(
            "insert into instances (tenant_id, name, session, status)"
            " values (%s, 'Beach bar', 'beach-bar', 'connected') returning id",
            (shop.tenant_id,),
        ).fetchone()
        assert second is not None
        first = connection.execute("select instance_id from contacts where id = %s", (moved,)).fetchone()
        connection.execute("update contacts set instance_id = %s where id = %s", (second[0], moved))
    try:
        test = opened("inbox", workspace=shop.name)
        chosen = test.selectbox(key="number").set_value(str(second[0])).run()

        assert list(_listed(chosen)) == [str(moved)]
        assert not [box for box in opened("inbox", workspace=pages.dental.name).selectbox if box.key == "number"]
    finally:
        with psycopg.connect(pages.settings.role_url("engine")) as connection:
            connection.execute("update contacts set instance_id = %s where id = %s", (*(first or ()), moved))
            connection.execute("delete from instances where id = %s", (second[0],))
