"""A note on the timeline is seen on the chart by the team of its workspace, and by nobody else."""

from datetime import UTC, datetime, timedelta

from dashboards import charts, data
from dashboards.theme.tokens import LIGHT
from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.test_charts import DAYS, MESSAGES
from tests.dashboards.test_pages import opened


def _kept(town: Town) -> dict[str, list[str]]:
    until = datetime.now(UTC) + timedelta(days=1)
    shops = (town.dental, town.hotel)
    return {
        shop.name: [
            note.words for note in data.annotations(shop.tenant_id, since=until - timedelta(days=60), until=until)
        ]
        for shop in shops
    }


def test_a_note_is_written_and_taken_back(pages: Town) -> None:
    test = opened("overview", workspace=pages.hotel.name)
    test.text_input(key="note-words").set_value(HOSTILE)
    test = next(button for button in test.button if button.label == "Add note").click().run()

    assert not test.exception
    assert _kept(pages) == {pages.dental.name: [], pages.hotel.name: [HOSTILE]}

    note = next(button for button in test.button if (button.key or "").startswith("note-"))
    assert "](javascript" not in note.label
    note.click().run()
    assert _kept(pages)[pages.hotel.name] == []


def test_a_viewer_writes_no_note(pages: Town) -> None:
    test = opened("overview", workspace=pages.hotel.name, role="viewer")

    assert not [field for field in test.text_input if field.key == "note-words"]


def test_a_chart_shows_notes_beside_incidents_as_text() -> None:
    incident = [{"local_date": DAYS[3], "target": "openai/gpt-5-mini"}]
    notes = [{"local_date": DAYS[3], "text": "<b>Sale</b>"}, {"local_date": DAYS[9], "text": "n" * 200}]

    shown = charts.messages_per_day(MESSAGES, [], incident, palette=LIGHT, notes=notes)["layout"]["annotations"]

    assert [mark["text"] for mark in shown] == ["OpenAI incident<br>&lt;b&gt;Sale&lt;/b&gt;", "n" * 31 + "…"]
