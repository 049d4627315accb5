"""The dashboards in a real browser: what is seen, reached by keyboard, fetched and never run."""

import pytest
from playwright.sync_api import Browser, Page

from dashboards import cut_fonts, navigation
from dashboards.navigation import Place
from tests.dashboards.browsing import CHROMIUM, PATIENCE, Visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


def test_every_page_fits_and_fetches_nothing_outside(visit: Visit) -> None:
    for place in navigation.PLACES:
        visit.open("" if place.path == "overview" else place.path)
        _fits(visit, place)
    assert visit.hosts <= {"127.0.0.1", ""}
    assert visit.failures == []


@pytest.mark.parametrize("visit", [{"scheme": "dark"}], indirect=True)
def test_every_page_of_the_menu_fits_in_the_dark(visit: Visit) -> None:
    visit.open("")
    for place in navigation.PLACES:
        visit.page.get_by_test_id("stSidebarNav").get_by_role("link", name=place.title, exact=True).click()
        visit.page.wait_for_function("title => document.title === title", arg=f"{place.title} · MyChatFlow")
        visit.settled()
        _fits(visit, place)
    assert visit.hosts <= {"127.0.0.1", ""}
    assert visit.failures == []


def _fits(visit: Visit, place: Place) -> None:
    page = visit.page
    assert page.title() == f"{place.title} · MyChatFlow"
    assert page.locator("[data-testid=stException]").count() == 0, place.path
    assert page.get_by_text("Something broke on our side").count() == 0, place.path
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{place.path} {width}"


def test_the_first_page_is_found_by_its_name_too(visit: Visit) -> None:
    visit.open("overview?range=91d")
    visit.page.locator("[aria-current=page]", has_text="Overview").wait_for(timeout=PATIENCE)

    assert visit.page.get_by_role("heading", name="Overview").count() == 1
    assert visit.page.locator(".st-key-filters [aria-checked=true]").first.inner_text() == "91d"
    assert visit.page.get_by_text("Page not found").count() == 0


@pytest.mark.parametrize("visit", [{"scheme": "light"}, {"scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_colours_follow_the_browser(visit: Visit, request: pytest.FixtureRequest) -> None:
    visit.open("")
    scheme = request.node.callspec.params["visit"]["scheme"]

    page = visit.page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stAppViewContainer]')).backgroundColor"
    )
    font = visit.page.evaluate("document.fonts.load('16px Inter').then(found => found.length > 0)")

    assert page == ("rgb(250, 250, 247)" if scheme == "light" else "rgb(13, 19, 17)")
    assert font


def test_a_click_on_an_hour_opens_its_people(visit: Visit) -> None:
    visit.open("?range=91d")
    cells = visit.page.locator(".st-key-card-hours .bars .point path")
    cells.first.wait_for(timeout=PATIENCE)
    assert cells.count() == 168

    _click(visit.page, _darkest(visit.page))

    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_text("Select one to read the chat").wait_for(timeout=PATIENCE)
    dialog.locator(".mcf-bubble").first.wait_for(timeout=PATIENCE)
    visit.page.keyboard.press("Escape")
    dialog.wait_for(state="detached", timeout=PATIENCE)
    assert visit.failures == []


def test_a_click_on_a_grade_filters_the_list(visit: Visit) -> None:
    visit.open("leads")
    bars = visit.page.locator(".st-key-card-grades .bars .point path")
    bars.first.wait_for(timeout=PATIENCE)

    box = bars.nth(4).bounding_box()
    assert box is not None
    _click(visit.page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))

    visit.page.wait_for_url("**/leads?*grade=F*", timeout=PATIENCE)
    assert visit.failures == []


def test_the_busiest_hour_opens_without_a_pointer(visit: Visit) -> None:
    visit.open("")
    button = visit.page.get_by_role("button", name="Read the busiest hour")
    button.focus()
    visit.page.keyboard.press("Enter")

    visit.page.get_by_role("dialog").get_by_text("Select one to read the chat").wait_for(timeout=PATIENCE)


def test_a_tile_and_a_day_open_the_people_behind_them(visit: Visit) -> None:
    visit.open("?range=91d")
    dialog = visit.page.get_by_role("dialog")
    visit.page.get_by_role("button", name="who is behind it").first.press("Enter")
    dialog.locator(".mcf-bubble").first.wait_for(timeout=PATIENCE)
    visit.page.keyboard.press("Escape")
    dialog.wait_for(state="detached", timeout=PATIENCE)

    visit.click_day("card-messages")

    dialog.get_by_text("Messages on").wait_for(timeout=PATIENCE)
    assert visit.failures == []


def test_a_refusal_in_a_form_is_read_whole_on_a_dressed_page(visit: Visit) -> None:
    visit.open("knowledge")
    visit.page.get_by_role("button", name="New quick reply").click(timeout=PATIENCE)
    visit.page.get_by_role("dialog").get_by_role("button", name="Save").click(timeout=PATIENCE)

    toast = visit.page.get_by_test_id("stToastText")
    toast.get_by_text("needs a title and a text").wait_for(timeout=PATIENCE)
    assert toast.evaluate("text => text.scrollHeight <= text.clientHeight")
    assert visit.page.locator(".mcf-title h1").evaluate("title => getComputedStyle(title).fontSize") == "26px"
    assert visit.page.get_by_role("button", name="view more").count() == 0


def test_definitions_open_on_focus(visit: Visit) -> None:
    visit.open("")
    hint = visit.page.locator(".st-key-card-messages .mcf-hint")
    hint.focus()

    assert hint.locator("span").is_visible()


def test_a_hostile_name_runs_nothing(visit: Visit) -> None:
    visit.open("inbox")
    visit.page.get_by_text("<img src=x").first.wait_for(timeout=PATIENCE)
    visit.open("leads")

    assert visit.page.locator("img[src=x]").count() == 0
    assert visit.failures == []


def test_filters_stay_while_pages_change(visit: Visit) -> None:
    visit.open("?range=91d&compare=false")
    visit.page.get_by_role("link", name="Leads").click()
    visit.page.locator(".st-key-card-funnel").wait_for(timeout=PATIENCE)

    assert visit.page.locator(".st-key-filters [aria-checked=true]").first.inner_text() == "91d"
    assert (
        visit.page.get_by_role("switch", name="Compare").or_(visit.page.get_by_label("Compare")).first.is_checked()
        is False
    )


def test_every_icon_that_a_page_names_is_drawn(visit: Visit) -> None:
    visit.open("")

    # An icon is as wide as it is high; a name that the font does not know is spelled out.
    drawn = visit.page.evaluate(
        """async names => {
            await document.fonts.load('24px "Material Symbols Rounded"');
            const pen = document.createElement('canvas').getContext('2d');
            pen.font = '24px "Material Symbols Rounded"';
            return names.map(name => Math.round(pen.measureText(name).width));
        }""",
        sorted(cut_fonts.ours()),
    )

    assert set(drawn) == {24}


def test_another_host_name_is_refused(browser: Browser, address: str) -> None:
    # Chromium takes any name below localhost for this machine, as a rebound name of another site would be.
    page = browser.new_page()
    page.goto(address.replace("127.0.0.1", "evil.localhost"))
    page.get_by_text("Only from this machine").wait_for(timeout=PATIENCE)

    assert page.locator("[data-testid=stMetric]").count() == 0
    page.close()


def _click(page: Page, point: tuple[float, float]) -> None:
    page.mouse.move(*point)
    page.mouse.click(*point)


def _darkest(page: Page) -> tuple[float, float]:
    """The middle of the cell of the busiest hour."""
    found = page.evaluate(
        """() => {
            const parts = (path) => path.style.fill.match(/[0-9]+/g).slice(0, 3).map(Number);
            const light = (path) => parts(path).reduce((sum, part) => sum + part, 0);
            const cells = [...document.querySelectorAll('.st-key-card-hours .bars .point path')];
            const cell = cells.sort((one, other) => light(one) - light(other))[0];
            // The busiest hour may stand below the window's edge, where a click meets nothing.
            cell.scrollIntoView({block: "center", behavior: "instant"});
            const box = cell.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }"""
    )
    return (float(found[0]), float(found[1]))
