"""A colleague at the inbox: answers, takes over, tags and notes, always in one workspace and on record."""

import re
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from dashboards import data, viewer, wording
from dashboards.tenant import inbox, turns
from dashboards.viewer import Viewer
from mychatflow.store.contacts import Contact
from tests.dashboards.conftest import HOSTILE, Town, forget
from tests.dashboards.shop import Shop
from tests.dashboards.test_pages import html_of, opened


def _rows(town: Town, shop: Shop, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(town.settings.role_url("app")) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(shop.tenant_id),))
        return connection.execute(statement.encode()).fetchall()


def _first(town: Town, shop: Shop) -> Contact:
    del town
    return data.inbox(shop.tenant_id)[0]


def _said(test: AppTest, contact: Contact, words: str) -> AppTest:
    test.text_area(key=f"draft-{contact.contact_id}").set_value(words)
    return next(button for button in test.button if button.label == "Send").click().run()


def test_an_answer_is_queued_and_pauses_the_agent(pages: Town) -> None:
    shop, contact = pages.hotel, _first(pages, pages.hotel)
    test = _said(opened("inbox", workspace=shop.name), contact, HOSTILE)

    assert not test.exception
    assert "&lt;img src=x" in html_of(test)
    assert "<img" not in html_of(test)
    assert data.contact(shop.tenant_id, contact.contact_id).owner == "human"  # type: ignore[union-attr]  # exists
    waiting = _rows(
        pages, shop, f"select state from outbox where kind = 'human' and contact_id = '{contact.contact_id}'"
    )
    assert waiting == [("pending",)]
    assert ("local owner", "conversation.replied") in _rows(pages, shop, "select actor, action from audit_log")


def test_an_empty_answer_is_not_sent(pages: Town) -> None:
    contact, before = _first(pages, pages.dental), _rows(pages, pages.dental, "select id from outbox")
    _said(opened("inbox", workspace=pages.dental.name), contact, "   ")

    assert _rows(pages, pages.dental, "select id from outbox") == before


def test_a_chat_is_taken_over_and_handed_back(pages: Town) -> None:
    contact = _first(pages, pages.dental)
    test = opened("inbox", workspace=pages.dental.name)
    seen = []
    for _ in range(2):
        test = test.button(key="turn").click().run()
        seen.append(data.contact(pages.dental.tenant_id, contact.contact_id).owner)  # type: ignore[union-attr]

    assert set(seen) == {"human", "agent"}


def test_a_chat_is_given_to_a_colleague_who_sees_it(pages: Town) -> None:
    shop, contact = pages.hotel, _first(pages, pages.hotel)
    member_id = _a_colleague(pages, shop)
    test = opened("inbox", workspace=shop.name)
    next(box for box in test.selectbox if box.label == "Assign to").set_value(member_id)

    test = test.button(key="assign").click().run()

    assert not test.exception
    assigned = f"select owner, assigned_member_id from contacts where id = '{contact.contact_id}'"
    assert _rows(pages, shop, assigned) == [("human", member_id)]
    # Whoever else has the chat open reads it in the chat itself.
    assert f"{wording.escaped(HOSTILE)} was given the chat" in html_of(opened("inbox", workspace=shop.name))


def _news(test: AppTest) -> list[str]:
    """What the open chat tells of colleagues."""
    return re.findall(r'<p class="mcf-news".*?</p>', html_of(test))


def test_a_colleagues_takeover_is_told_to_the_others(pages: Town) -> None:
    test = opened("inbox", workspace=pages.dental.name)
    before = _news(test)

    test.button(key="turn").click().run()

    assert _news(opened("inbox", workspace=pages.dental.name)) not in ([], before)


def test_every_point_of_the_score_is_explained(pages: Town) -> None:
    shown = html_of(opened("inbox", workspace=pages.dental.name))

    assert "Score history" in shown
    assert "They wrote" in shown
    assert "Questions" in shown


def test_what_people_wrote_is_text_in_every_field(pages: Town) -> None:
    shop, contact = pages.dental, _first(pages, pages.dental)
    columns = "name, tags, handoff_reason, preferred_language"
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        where = (shop.tenant_id, contact.contact_id)
        before = connection.execute(
            f"select {columns} from contacts where tenant_id = %s and id = %s", where
        ).fetchone()
        connection.execute(
            f"update contacts set is_handed_off = true, ({columns}) = (%s, %s, %s, %s)"
            " where tenant_id = %s and id = %s",
            (HOSTILE, [HOSTILE], HOSTILE, HOSTILE, *where),
        )
        connection.commit()
        try:
            for page in ("inbox", "leads", "conversations", "overview"):
                test = opened(page, workspace=shop.name)
                assert not test.exception
                assert "<img" not in html_of(test), page
                shown = [element.value for element in (*test.caption, *test.markdown)]
                assert not [value for value in shown if "](javascript" in value], page
        finally:
            connection.execute(
                f"update contacts set is_handed_off = false, ({columns}) = (%s, %s, %s, %s)"
                " where tenant_id = %s and id = %s",
                (*before, *where),
            )


def test_chats_are_read_before_any_number_is_published(
    pages: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", f"duckdb:///{tmp_path}/none.duckdb")
    forget()

    shown = html_of(opened("inbox", workspace=pages.dental.name))

    assert 'class="mcf-bubble' in shown
    assert "The first numbers are on their way" not in shown


def test_resolving_twice_says_that_nothing_is_open(pages: Town) -> None:
    test = opened("inbox", workspace=pages.dental.name)

    for _ in range(2):
        test = test.button(key="resolve").click().run()

    assert not test.exception
    assert any("no conversation is open" in toast.value for toast in test.toast)


def test_a_slash_inserts_a_quick_reply_unsent(pages: Town) -> None:
    shop, contact = pages.dental, _first(pages, pages.dental)
    before = _rows(pages, shop, "select id from outbox")
    with psycopg.connect(pages.settings.role_url("app")) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(shop.tenant_id),))
        connection.execute(
            "insert into quick_replies (tenant_id, title, body, language, tags) values (%s, 'Prices', %s, 'en', '{}')",
            (shop.tenant_id, HOSTILE),
        )

    test = _said(opened("inbox", workspace=shop.name), contact, "/pri")

    assert test.text_area(key=f"draft-{contact.contact_id}").value == HOSTILE
    assert _rows(pages, shop, "select id from outbox") == before


def test_whose_chat_was_opened_is_on_record(pages: Town) -> None:
    shop, contact = pages.dental, _first(pages, pages.dental)
    opening = f"select actor from audit_log where action = 'conversation.opened' and subject = '{contact.contact_id}'"

    opened("inbox", workspace=shop.name)

    assert ("local owner",) in _rows(pages, shop, opening)


def test_notes_are_sealed_and_read_again(pages: Town) -> None:
    shop, contact = pages.dental, _first(pages, pages.dental)
    test = opened("inbox", workspace=shop.name)
    next(area for area in test.text_area if area.label == "Internal notes").set_value(HOSTILE)
    next(button for button in test.button if button.label == "Save note").click().run()

    assert data.notes(shop.tenant_id, contact.contact_id, reader="test") == HOSTILE
    (sealed,) = _rows(pages, shop, f"select notes from contacts where id = '{contact.contact_id}'")
    assert b"onerror" not in bytes(sealed[0])  # type: ignore[arg-type]  # bytea


def test_older_chats_and_messages_are_a_click_away(pages: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "PAGE", 5)
    monkeypatch.setattr(inbox, "_MESSAGES", 2)
    test = opened("inbox", workspace=pages.dental.name)
    before = html_of(test).count('class="mcf-bubble')

    test = test.button(key="older-messages").click().run().button(key="older-chats").click().run()

    assert len([button for button in test.button if (button.key or "").startswith("chat-")]) == 10
    assert (before, html_of(test).count('class="mcf-bubble')) == (2, 4)


def test_switching_workspace_closes_the_chat(pages: Town) -> None:
    test = opened("inbox", workspace=pages.dental.name)
    before = {area.key for area in test.text_area}

    test.selectbox(key="workspace").set_value(pages.hotel.name).run()

    assert not before & {area.key for area in test.text_area}


def test_a_word_of_a_message_finds_its_chat(pages: Town) -> None:
    contact = _first(pages, pages.hotel)
    _said(opened("inbox", workspace=pages.hotel.name), contact, "The sapphire suite is free.")

    found = data.inbox(pages.hotel.tenant_id, search="SAPPHIRE")

    assert [each.contact_id for each in found] == [contact.contact_id]
    assert data.inbox(pages.dental.tenant_id, search="sapphire") == []


def test_a_lost_membership_changes_nothing(pages: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    contact = _first(pages, pages.dental)
    test = opened("inbox", workspace=pages.dental.name)
    before = _rows(pages, pages.dental, "select count(*) from audit_log")
    monkeypatch.setattr(viewer, "again", _nobody)

    test = test.button(key="turn").click().run()

    assert not test.exception
    assert _rows(pages, pages.dental, "select count(*) from audit_log") == before
    assert data.contact(pages.dental.tenant_id, contact.contact_id) is not None


def test_titles_that_begin_so_come_first() -> None:
    replies = [{"title": "Our prices"}, {"title": "Prices"}, {"title": "Hours"}]

    assert [reply["title"] for reply in turns.matching(replies, " PRI")] == ["Prices", "Our prices"]


def _a_colleague(town: Town, shop: Shop) -> UUID:
    with psycopg.connect(town.settings.role_url("engine")) as connection:
        added = "insert into team_members (tenant_id, email, role) values (%s, %s, 'agent') returning id"
        row = connection.execute(added, (shop.tenant_id, HOSTILE)).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def _nobody(looking: Viewer) -> Viewer | None:
    del looking
