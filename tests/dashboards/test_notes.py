"""A note on the timeline is seen on the chart by the team of its workspace, and by nobody else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboards import charts, data, filters, viewer, wording
from dashboards.filters import Choice
from dashboards.tenant import timeline_notes
from dashboards.theme.tokens import LIGHT
from dashboards.viewer import Viewer
from mychatflow.store import releases
from mychatflow.store.session import Store
from realtime import release
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
    marks = [
        {"local_date": DAYS[3], "text": "OpenAI incident"},
        {"local_date": DAYS[3], "text": "<b>Sale</b>"},
        {"local_date": DAYS[9], "text": "n" * 200},
    ]

    shown = charts.messages_per_day(MESSAGES, [], palette=LIGHT, marks=marks)["layout"]["annotations"]

    assert [mark["text"] for mark in shown] == ["OpenAI incident<br>&lt;b&gt;Sale&lt;/b&gt;", "n" * 31 + "…"]


async def test_another_version_is_marked_by_itself_and_a_restart_is_not(pages: Town) -> None:
    store, told = Store(pages.settings, pool_size=1), pages.at - timedelta(days=3)
    async with store.platform_transaction() as transaction:
        for minutes, version in enumerate(("1 (a)", "1 (a)", "2 (b)", "1 (a)")):
            await releases.started(transaction, version, at=told + timedelta(minutes=minutes))
        found = await releases.within(transaction, since=told, until=pages.at)
    await release.tell(store)
    await store.close()

    assert [each.version for each in found] == ["1 (a)", "2 (b)", "1 (a)"]
    looking = replace(_owner(), workspace=next(w for w in _owner().workspaces if w.tenant_id == pages.dental.tenant_id))
    today = datetime.now(wording.zone(looking.timezone)).date()
    choice = Choice(period=filters.preset(28, today=today + timedelta(days=1)), previous=None)
    words = [row["text"] for row in timeline_notes.marks(looking, choice)]
    assert "Version 2 (b)" in words
    assert f"Version {release.version()}" in words
    assert "OpenAI incident" in words


def _owner() -> Viewer:
    found = viewer.local_owner()
    assert isinstance(found, Viewer)
    return found
