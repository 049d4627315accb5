"""The dashboards in a real browser: what is seen, reached by keyboard, fetched and never run."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from dashboards import navigation
from tests.dashboards.conftest import Town

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_ROOT = Path(__file__).parents[2]
# A browser beside a busy suite parses scripts slowly; what is waited for is a condition, never the clock.
_PATIENCE = 90_000
PATHS = tuple("" if place.path == "overview" else place.path for place in navigation.PLACES)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(_CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@dataclass(slots=True)
class Visit:
    """A tab, and what it asked for."""

    page: Page
    address: str
    hosts: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/{path}")
        self.page.wait_for_selector(".mcf-title", timeout=_PATIENCE)
        self.page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')", timeout=_PATIENCE)


@pytest.fixture(scope="module")
def address(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application as an operator starts it, on a free port."""
    port = _free_port()
    log = (tmp_path_factory.mktemp("dashboards") / "dashboards.log").open("wb")
    environment = os.environ | town.environment | {"DASHBOARDS_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboards.app"], cwd=_ROOT, env=environment, stdout=log, stderr=log
    )
    found = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(found, process)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield _launched(playwright)


def _launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)


@pytest.fixture
def visit(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    options = {"width": 1440, "scheme": "light"} | getattr(request, "param", {})
    context = browser.new_context(viewport={"width": options["width"], "height": 1000}, color_scheme=options["scheme"])
    visit = Visit(page=context.new_page(), address=address)
    visit.page.on("request", lambda asked: visit.hosts.add(asked.url.split("/")[2].partition(":")[0]))
    visit.page.on("pageerror", lambda error: visit.failures.append(str(error)))
    visit.page.on("dialog", lambda dialog: visit.failures.append(f"a script ran: {dialog.message}"))
    yield visit
    context.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the dashboards stopped"
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the dashboards did not start in a minute")


@pytest.mark.parametrize("visit", [{"scheme": "light"}, {"scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_every_page_fits_and_fetches_nothing_outside(visit: Visit) -> None:
    page = visit.page
    for path in PATHS:
        visit.open(path)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} {width}"
        assert page.locator("[data-testid=stException]").count() == 0, path
        assert page.get_by_text("Something broke on our side").count() == 0, path
        page.set_viewport_size({"width": 1440, "height": 900})
    assert visit.hosts <= {"127.0.0.1", ""}
    assert visit.failures == []


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
    cells.first.wait_for(timeout=_PATIENCE)
    assert cells.count() == 168

    _click(visit.page, _darkest(visit.page))

    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_text("Select one to read the chat").wait_for(timeout=_PATIENCE)
    dialog.locator(".mcf-bubble").first.wait_for(timeout=_PATIENCE)
    visit.page.keyboard.press("Escape")
    dialog.wait_for(state="detached", timeout=_PATIENCE)
    assert visit.failures == []


def test_a_click_on_a_grade_filters_the_list(visit: Visit) -> None:
    visit.open("leads")
    bars = visit.page.locator(".st-key-card-grades .bars .point path")
    bars.first.wait_for(timeout=_PATIENCE)

    box = bars.nth(4).bounding_box()
    assert box is not None
    _click(visit.page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))

    visit.page.wait_for_url("**/leads?*grade=F*", timeout=_PATIENCE)
    assert visit.failures == []


def test_the_busiest_hour_opens_without_a_pointer(visit: Visit) -> None:
    visit.open("")
    button = visit.page.get_by_role("button", name="Read the busiest hour")
    button.focus()
    visit.page.keyboard.press("Enter")

    visit.page.get_by_role("dialog").get_by_text("Select one to read the chat").wait_for(timeout=_PATIENCE)


def test_a_tile_and_a_day_open_the_people_behind_them(visit: Visit) -> None:
    visit.open("?range=91d")
    dialog = visit.page.get_by_role("dialog")
    visit.page.get_by_role("button", name="who is behind it").first.press("Enter")
    dialog.locator(".mcf-bubble").first.wait_for(timeout=_PATIENCE)
    visit.page.keyboard.press("Escape")
    dialog.wait_for(state="detached", timeout=_PATIENCE)

    box = visit.page.locator(".st-key-card-messages .nsewdrag").first.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.mouse.move(middle[0] - 30, middle[1])
    visit.page.mouse.move(*middle)
    # Plotly clicks what it hovers, and under load it takes its time to hover.
    visit.page.locator(".st-key-card-messages .hoverlayer > *").first.wait_for(state="attached", timeout=_PATIENCE)
    visit.page.mouse.click(*middle)

    dialog.get_by_text("Messages on").wait_for(timeout=_PATIENCE)
    assert visit.failures == []


def test_definitions_open_on_focus(visit: Visit) -> None:
    visit.open("")
    hint = visit.page.locator(".st-key-card-messages .mcf-hint")
    hint.focus()

    assert hint.locator("span").is_visible()


def test_a_hostile_name_runs_nothing(visit: Visit) -> None:
    visit.open("inbox")
    visit.page.get_by_text("<img src=x").first.wait_for(timeout=_PATIENCE)
    visit.open("leads")

    assert visit.page.locator("img[src=x]").count() == 0
    assert visit.failures == []


def test_filters_stay_while_pages_change(visit: Visit) -> None:
    visit.open("?range=91d&compare=false")
    visit.page.get_by_role("link", name="Leads").click()
    visit.page.locator(".st-key-card-funnel").wait_for(timeout=_PATIENCE)

    assert visit.page.locator(".st-key-filters [aria-checked=true]").first.inner_text() == "91d"
    assert (
        visit.page.get_by_role("switch", name="Compare").or_(visit.page.get_by_label("Compare")).first.is_checked()
        is False
    )


def test_scripts_travel_compressed(address: str) -> None:
    with urllib.request.urlopen(address, timeout=10) as answer:
        index = answer.read().decode()
    script = index.split('src="')[1].split('"')[0].removeprefix("./")
    asked = urllib.request.Request(f"{address}/{script.lstrip('/')}", headers={"Accept-Encoding": "gzip"})

    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"


def test_another_host_name_is_refused(browser: Browser, address: str) -> None:
    # Chromium takes any name below localhost for this machine, as a rebound name of another site would be.
    page = browser.new_page()
    page.goto(address.replace("127.0.0.1", "evil.localhost"))
    page.get_by_text("Only from this machine").wait_for(timeout=_PATIENCE)

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
            const box = cells.sort((one, other) => light(one) - light(other))[0].getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }"""
    )
    return (float(found[0]), float(found[1]))
