"""While numbers are on their way: a grey sheet as high as what will stand there, so that nothing jumps then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboards import browsing
from tests.dashboards.browsing import CHROMIUM, PATIENCE
from tests.dashboards.conftest import Town

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
_TILES = ".st-key-tiles"
# A page, the questions that are kept back on it in the order in which it asks them, and where each answer stands.
PLACES = {
    "": {
        "overview_kpis": _TILES,
        "messages_per_day": ".st-key-card-messages",
        "reply_time_per_day": ".st-key-card-reply-time",
        "hour_heatmap": ".st-key-card-hours",
        "provider_usage": ".st-key-card-providers",
    },
    "leads": {"lead_funnel": ".st-key-card-funnel", "lead_list": ".st-key-card-contacts"},
    "conversations": {"outcomes_per_day": ".st-key-card-outcomes-per-day"},
    "agent": {"model_usage": ".st-key-card-models"},
}
_SHEET = "[data-testid=stSkeletonElement]"
# From the top of a place to the end of what stands in it, once that stands still: a card is as high as its neighbour.
_STILL = """selector => new Promise(tell => {
    let before = -1, same = 0;
    const look = () => {
        const found = document.querySelector(selector);
        const parts = !found || found.matches('[data-testid=stSkeletonElement]') ? [] : [...found.children];
        const ends = parts.map(each => each.getBoundingClientRect().bottom);
        const box = found?.getBoundingClientRect();
        const height = box ? (ends.length ? Math.max(...ends) : box.bottom) - box.top : -1;
        same = box && height === before ? same + 1 : 0;
        before = height;
        same < 8 ? setTimeout(look, 100) : tell(height);
    };
    look();
})"""
# An answer is kept for a minute, so that each width looks at a workspace of its own.
WORKSPACES = {1440: "Bella Dental", 390: "Jaipur Hotel"}
# What a line of text more or less makes.
_CLOSE = 24
# How many providers answered shows only then: the room is for two of them, and a line is so high.
_LINES_UNKNOWN = {"provider_usage": 38}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("held") / "questions"
    file.write_text("")
    return file


@pytest.fixture(scope="module")
def slow(town: Town, held: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    environment = town.environment | {"HELD_QUESTIONS": str(held)}
    log = tmp_path_factory.mktemp("slow") / "dashboards.log"
    with browsing.serving(environment, log, program="tests.dashboards.held") as found:
        yield found


@pytest.mark.parametrize("width", [1440, 390])
def test_a_sheet_is_as_high_as_what_comes(browser: Browser, slow: str, held: Path, width: int) -> None:
    jumps: dict[str, int] = {}
    with browsing.visiting(browser, slow, width=width) as visit:
        for path, places in PLACES.items():
            held.write_text("\n".join(places))
            visit.page.goto(f"{slow}/{path}?workspace={WORKSPACES[width]}", timeout=PATIENCE)
            # Streamlit draws a sheet of its own before the page begins.
            visit.page.wait_for_selector(".mcf-title", timeout=PATIENCE)
            sheets = {question: _let(visit.page, held, question, place) for question, place in places.items()}
            visit.settled()
            visit.page.wait_for_selector(_SHEET, state="detached", timeout=PATIENCE)
            jumps |= {question: round(_height(visit.page, places[question]) - sheets[question]) for question in places}

    too_far = {name: jump for name, jump in jumps.items() if abs(jump) > _CLOSE + _LINES_UNKNOWN.get(name, 0)}
    assert too_far == {}


def _let(page: Page, held: Path, question: str, place: str) -> float:
    """How high the place is while it waits; then its question is answered."""
    # The tiles have no place of their own before they are there.
    sheet = _SHEET if place == _TILES else f"{place} {_SHEET}"
    page.wait_for_selector(sheet, timeout=PATIENCE)
    before = _height(page, _SHEET if place == _TILES else place)
    held.write_text("\n".join(line for line in held.read_text().splitlines() if line != question))
    return before


def _height(page: Page, selector: str) -> float:
    page.evaluate("document.fonts.ready")
    return float(page.evaluate(_STILL, selector))
