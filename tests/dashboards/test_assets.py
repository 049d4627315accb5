"""What the first visit weighs: scripts as tight as the browser takes them, fonts cut, and all of it still whole."""

import gzip
import urllib.request
from email.message import Message
from pathlib import Path

import pyarrow as pa
import pytest
from playwright.sync_api import Browser

from dashboards import assets
from tests.dashboards.browsing import CHROMIUM, PATIENCE, Visit

SCRIPT = next(path for path in assets.used() if path.name.startswith("styled-components."))
STYLE = next(path for path in assets.used() if path.suffix == ".css")
_MB = 1_000_000


@pytest.fixture(scope="module", autouse=True)
def _compressed() -> None:
    """As a new installation does it in the background."""
    for path in (SCRIPT, STYLE):
        assets.compress(path)


def got(address: str, path: str, encodings: str) -> tuple[Message, bytes]:
    asked = urllib.request.Request(f"{address}{path}", headers={"Accept-Encoding": encodings})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return answer.headers, answer.read()


@pytest.mark.parametrize(("file", "folder"), [(SCRIPT, "js"), (STYLE, "css")])
def test_a_browser_that_takes_brotli_gets_the_same_file(address: str, file: Path, folder: str) -> None:
    headers, body = got(address, f"/static/{folder}/{file.name}", "gzip, deflate, br")

    assert (headers["content-encoding"], headers["vary"]) == ("br", "Accept-Encoding")
    assert "immutable" in headers["cache-control"]
    assert headers["content-type"].startswith(assets._TYPES[file.suffix])
    whole = file.read_bytes()
    assert pa.Codec("brotli").decompress(body, decompressed_size=len(whole), asbytes=True) == whole


@pytest.mark.parametrize("encodings", ["gzip", "gzip, br;q=0"])
def test_any_other_gets_it_as_gzip(address: str, encodings: str) -> None:
    headers, _ = got(address, f"/static/js/{SCRIPT.name}", encodings)

    assert headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "path", ["/static/js/../../index.html", "/static/js/nothing.js", "/static/jsx/a.js", f"/static/css/{SCRIPT.name}/"]
)
def test_nothing_but_scripts_is_found_by_their_names(path: str) -> None:
    assert assets._light(path, "br") is None


@pytest.mark.parametrize("path", ["", "/leads"])
@pytest.mark.parametrize("encodings", ["identity", "gzip, deflate, br, zstd"])
def test_a_page_asks_at_once_for_the_font_it_is_written_in(address: str, path: str, encodings: str) -> None:
    headers, body = got(address, path or "/", encodings)
    page = gzip.decompress(body) if headers["content-encoding"] == "gzip" else body

    assert b'href="./app/static/inter-latin.woff2"' in page
    assert b"SourceSans" not in page
    assert int(headers["content-length"]) == len(body)


@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("path", ["", "leads", "leads?range=91d"])
def test_a_page_finds_its_server_at_the_first_look(visit: Visit, path: str) -> None:
    """Streamlit would ask below the page's own address first, and log two refusals."""
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url.removeprefix(visit.address)))
    visit.open(path)

    assert sorted(each for each in asked if "_stcore/h" in each) == ["/_stcore/health", "/_stcore/host-config"]
    assert (visit.refusals, visit.failures) == ([], [])


def test_the_fonts_are_those_of_this_streamlit() -> None:
    """A new one has others under new names: run `python -m dashboards.cut_fonts`."""
    assert [path.name for path in (assets.SYMBOLS, assets.LETTERS) if not path.exists()] == []
    assert all(path.read_bytes().startswith(b"wOF2") for path in assets.CUT.values())


@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_first_visit_weighs_less_than_two_megabytes(browser: Browser, address: str) -> None:
    for path in assets.missing():
        assets.compress(path)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page, weights = context.new_page(), []
    session = context.new_cdp_session(page)
    session.on("Network.loadingFinished", lambda done: weights.append(done["encodedDataLength"]))
    session.send("Network.enable")

    page.goto(address)
    page.locator(".js-plotly-plot").nth(3).wait_for(timeout=PATIENCE)
    page.wait_for_load_state("networkidle", timeout=PATIENCE)
    context.close()

    assert _MB < sum(weights) < 2 * _MB


@pytest.mark.parametrize(
    "path", ["/", "/leads", "/health", "/_stcore/health", f"/static/js/{SCRIPT.name}", "/app/static/inter-latin.woff2"]
)
@pytest.mark.parametrize("encodings", ["identity", "gzip, br"])
def test_no_other_site_may_show_a_page_within_its_own(address: str, path: str, encodings: str) -> None:
    headers, _ = got(address, path, encodings)

    assert headers["content-security-policy"] == "frame-ancestors 'self'"
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("SAMEORIGIN", "nosniff")
    assert headers["referrer-policy"] == "same-origin"
    assert headers["server"] is None
