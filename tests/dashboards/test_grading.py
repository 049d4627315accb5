"""Grading answers: one click judges one answer, on record, for who may; the page says what is known and no more."""

from datetime import timedelta

import psycopg

from dashboards import quality
from mychatflow.rules import answer_quality
from mychatflow.rules.answer_quality import Reason
from tests.dashboards.conftest import Town
from tests.dashboards.test_pages import html_of, opened


def _graded(town: Town) -> int:
    strata = quality.by_language(town.hotel.tenant_id, since=town.at - timedelta(days=28), until=town.at)
    return sum(stratum.graded_count for stratum in strata)


def test_nothing_graded_is_said_to_be_not_measured(pages: Town) -> None:
    assert "not measured" in html_of(opened("agent", workspace=pages.dental.name))


def test_a_grade_needs_a_reason_unless_it_is_good(pages: Town) -> None:
    shop, before = pages.hotel, _graded(pages)
    test = opened("agent", workspace=shop.name).button(key="grade-answers").click().run()
    assert "mcf-bubble in" in html_of(test)

    test = next(button for button in test.button if button.label == "Bad").click().run()
    assert any("Say why" in toast.value for toast in test.toast)
    assert _graded(pages) == before

    test = opened("agent", workspace=shop.name).button(key="grade-answers").click().run()
    next(button for button in test.button if button.label == "Good").click().run()
    assert _graded(pages) == before + 1


def test_the_page_shows_the_interval_of_what_was_graded(pages: Town) -> None:
    test = opened("agent", workspace=pages.hotel.name).button(key="grade-answers").click().run()
    next(button for button in test.button if button.label == "Good").click().run()
    strata = quality.by_language(pages.hotel.tenant_id, since=pages.at - timedelta(days=28), until=pages.at)
    found = answer_quality.measure(strata)

    assert found is not None
    shown = html_of(opened("agent", workspace=pages.hotel.name))
    assert f"between {found.low * 100:.0f}% and {found.high * 100:.0f}%" in shown


def test_a_reason_opens_whom_it_met(pages: Town) -> None:
    shop = pages.hotel
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        connection.execute(
            "insert into answer_grades (tenant_id, interaction_id, interaction_at, contact_id, language, verdict,"
            " reason, graded_at)"
            " select tenant_id, id, occurred_at, contact_id, 'en', 'bad', %s, now() from interactions"
            " where tenant_id = %s and author = 'agent' and occurred_at < now() - interval '2 days'"
            " and id not in (select interaction_id from answer_grades) order by occurred_at desc limit 1",
            (Reason.WRONG_FACT, shop.tenant_id),
        )

    test = opened("agent", workspace=shop.name).pills(key="reasons-0").set_value(Reason.WRONG_FACT).run()

    assert not test.exception
    assert any("1 answer with 1 person" in caption.value for caption in test.caption)
    assert "mcf-bubble in" in html_of(test)


def test_a_viewer_reads_the_rate_and_grades_nothing(pages: Town) -> None:
    test = opened("agent", workspace=pages.dental.name, role="viewer")

    assert "Answer quality" in html_of(test)
    assert not [button for button in test.button if button.key == "grade-answers"]
