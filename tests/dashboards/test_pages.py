"""Every page, run as the browser would: numbers of the right business, honest states, nothing by chance."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import data, filters, navigation, viewer, wording
from dashboards.navigation import Place
from tests.dashboards.conftest import HOSTILE, Town, forget

_SCRIPT = str(Path(__file__).with_name("one_page.py"))
EVERY_PAGE = tuple(place.path for place in navigation.PLACES)
ANALYTICS = frozenset(place.path for place in navigation.PLACES if place.group == "Analytics")


def opened(page: str, **parameters: str) -> AppTest:
    test = AppTest.from_file(_SCRIPT, default_timeout=60)
    test.query_params["page"] = page
    for name, value in parameters.items():
        test.query_params[name] = value
    return test.run()


def html_of(test: AppTest) -> str:
    return "".join(element.proto.body for element in test.get("html"))


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_every_page_shows_its_numbers(pages: Town, page: str) -> None:
    test = opened(page)

    assert not test.exception
    shown = html_of(test)
    assert "mcf-title" in shown
    assert "The database does not answer" not in shown
    assert "Times in Europe/Madrid" in shown
    # Numbers that were published say when.
    assert page not in ANALYTICS or "updated " in shown


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_nonsense_in_the_address_is_ignored(pages: Town, page: str) -> None:
    test = opened(page, range="<b>", compare="maybe", workspace="0", grade="Z", outcome="x", dates="never", chat="no")

    assert not test.exception
    assert "mcf-title" in html_of(test)


@pytest.mark.parametrize(("days", "is_told"), [(366, False), (367, True)])
def test_more_than_a_year_is_cut_and_said(pages: Town, days: int, is_told: bool) -> None:
    test = opened("overview", range="Custom")
    last = test.date_input(key="dates").value[1]

    test = test.date_input(key="dates").set_value((last - timedelta(days=days - 1), last)).run()

    assert not test.exception
    first = last - timedelta(days=365)
    told = f"At most 366 days at once: shown is {wording.day(first)} {first.year} to {wording.day(last)} {last.year}."
    assert (told in html_of(test)) is is_told


def test_the_overview_counts_what_happened(pages: Town) -> None:
    test = opened("overview", workspace=pages.dental.name)

    labels = [metric.label for metric in test.metric]
    assert labels == ["Messages", "People reached", "Median reply time", "AI cost", "Answered"]
    assert all(metric.value != "no data" for metric in test.metric)


def test_the_overview_tells_which_past_numbers_changed(pages: Town) -> None:
    changed, unchanged = (html_of(opened("overview", workspace=shop.name)) for shop in (pages.dental, pages.hotel))

    assert '<td class="text">Messages received</td>' in changed
    assert "told late" in changed
    assert "Restated numbers" not in unchanged


@pytest.mark.parametrize("place", ["message_count", "contact_count", "reply_p50_ms", "cost_usd", "answered_rate"])
def test_every_tile_opens_the_people_behind_it(pages: Town, place: str) -> None:
    test = opened("overview", workspace=pages.dental.name).button(key=f"cover-{place}").click().run()

    assert not test.exception
    assert any("people, " in caption.value for caption in test.caption)


@pytest.mark.parametrize(
    ("page", "place"),
    [
        ("overview", "cover-provider-openai"),
        ("overview", "backup-replies"),
        ("agent", "slowest-replies"),
        ("agent", "backup-replies"),
        ("agent", "cover-step-0"),
        ("agent", "cover-outage-0"),
        ("agent", "cover-language-en"),
    ],
)
def test_what_models_did_opens_the_people_they_answered(pages: Town, page: str, place: str) -> None:
    test = opened(page, workspace=pages.dental.name).button(key=place).click().run()

    assert not test.exception
    told = " ".join(caption.value for caption in test.caption)
    assert re.search(r"\d[\d,]* (replies|messages|answers) with ", told)


def test_each_card_of_a_page_may_be_taken_along(pages: Town) -> None:
    test = opened("overview", workspace=pages.dental.name)
    names = test.selectbox(key="exported-overview").options

    test = test.selectbox(key="exported-overview").set_value("When people write").run()

    assert not test.exception
    assert names[:3] == ["Numbers per day", "Messages per day", "Reply time"]
    viewer = opened("overview", workspace=pages.dental.name, role="viewer")
    assert "exported-overview" not in {box.key for box in viewer.selectbox}


def test_the_funnel_is_compared_with_before(pages: Town) -> None:
    compared, alone = (
        html_of(opened("leads", workspace=pages.dental.name, compare=compare)) for compare in ("true", "false")
    )

    assert compared.count("</em><small>") == 5
    assert "</em><small>" not in alone


def test_a_step_of_the_funnel_counts_its_people(pages: Town) -> None:
    test = opened("leads", workspace=pages.dental.name)
    step = next(button for button in test.button if button.key == "cover-booked").click().run()

    month = filters.preset(28, today=datetime.now(UTC).astimezone(ZoneInfo("Europe/Madrid")).date())
    booked = {row["stage"]: row["contact_count"] for row in data.lead_funnel(pages.dental.tenant_id, month)}["booked"]
    assert any(f"with {booked} people" in caption.value for caption in step.caption)


def test_a_viewer_sees_who_but_never_what_they_wrote(pages: Town) -> None:
    test = opened("overview", workspace=pages.dental.name, role="viewer").button(key="cover-message_count").click()

    shown = html_of(test.run())

    assert "Messages are for the team" in shown
    assert 'class="mcf-bubble' not in shown


def test_switching_workspace_switches_every_number(pages: Town) -> None:
    test = opened("leads")
    first = html_of(test)

    test.selectbox(key="workspace").set_value(pages.hotel.name).run()

    assert "Asia/Kolkata" in html_of(test)
    assert "Europe/Madrid" in first
    names = {row["Contact"] for row in test.dataframe[0].value.to_dict("records")}
    assert HOSTILE not in names


def test_a_period_of_the_address_is_restored(pages: Town) -> None:
    short, long = opened("overview", range="7d"), opened("overview", range="91d")

    assert short.segmented_control(key="range").value == "7d"
    assert _count(short.metric[0].value) < _count(long.metric[0].value)


def test_a_period_of_ones_own_is_counted(pages: Town) -> None:
    test = opened("overview", range="Custom")

    assert not test.exception
    assert test.date_input(key="dates").value[0] < test.date_input(key="dates").value[1]


@pytest.mark.parametrize("page", ["overview", "agent"])
def test_without_comparison_no_change_is_claimed(pages: Town, page: str) -> None:
    assert any(metric.delta for metric in opened(page, workspace=pages.dental.name).metric)

    test = opened(page, workspace=pages.dental.name, compare="false")

    assert {metric.delta for metric in test.metric} == {""}


def test_how_conversations_ended_is_compared_with_before(pages: Town) -> None:
    assert "% before" in html_of(opened("conversations", workspace=pages.dental.name))
    assert "% before" not in html_of(opened("conversations", workspace=pages.dental.name, compare="false"))


def test_names_are_escaped_in_html(pages: Town) -> None:
    test = opened("inbox", workspace=pages.dental.name)

    assert "<img" not in html_of(test)
    assert "&lt;img src=x" in html_of(test)


def test_a_silent_database_is_said_so(pages: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://tests@/nowhere?host={tmp_path}")
    forget()

    test = opened("overview")

    assert not test.exception
    assert "The database does not answer" in html_of(test)


@pytest.mark.parametrize(
    "place", [place for place in navigation.PLACES if place.least != "viewer"], ids=lambda place: place.path
)
def test_a_page_opens_to_its_least_role_and_to_none_below(pages: Town, place: Place) -> None:
    order = ["viewer", "agent", "admin", "owner"]
    closed, opens = ("owner", None) if place.least == "staff" else (order[order.index(place.least) - 1], place.least)

    assert "This page is closed to you" in html_of(opened(place.path, role=closed))
    shown = opened(place.path, role=opens) if opens else opened(place.path)
    assert "This page is closed to you" not in html_of(shown)


@pytest.mark.parametrize("page", ["operations", "overview"])
def test_before_the_first_publication_every_page_says_so(
    pages: Town, page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The operations page is a part that runs by itself, around which no page catches anything.
    monkeypatch.setenv("WAREHOUSE_URL", f"duckdb:///{tmp_path}/none.duckdb")
    forget()

    test = opened(page)

    assert not test.exception
    assert "The first numbers are on their way" in html_of(test)


def test_an_installation_without_workspace_says_what_makes_one(pages: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pages.settings
    monkeypatch.setattr(viewer, "look", lambda: "nothing_here")
    assert "mychatflow demo" in html_of(opened("overview", refusal="nothing_here"))


@pytest.mark.parametrize("refusal", ["sign_in", "session_ended", "no_workspace", "not_configured", "not_local"])
def test_a_refused_visitor_sees_no_number(pages: Town, refusal: str) -> None:
    test = opened("overview", refusal=refusal)

    assert not test.exception
    assert "mcf-state" in html_of(test)
    assert not test.metric


def _count(value: str) -> float:
    return float(value.replace(",", "").removesuffix("k")) * (1000 if value.endswith("k") else 1)


def test_a_word_left_for_the_next_page_is_said_once() -> None:
    script = "from dashboards import toasts\nimport streamlit as st\ntoasts.say_later()\n"
    script += "st.button('Send', on_click=toasts.done_then, args=('On its way.',))\n"
    test = AppTest.from_string(script).run()
    said = test.button[0].click().run()

    assert [toast.value for toast in said.toast] == ["On its way."]
    assert not said.run().toast
