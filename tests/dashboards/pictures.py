"""Pictures of every page for the documentation: in light, in the dark and in the hand.

Run it as a module beside `mychatflow up --demo`, name the pages that changed, and look at what it wrote before you
commit it.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from dashboards import navigation
from tests.dashboards import browsing
from tests.dashboards.browsing import Visit

_FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
# What a page is called where its address would be read wrongly.
_NAMES = {"agent": "ai_agent", "settings": "agent_settings", "operations": "freshness", "trace": "message_trace"}
# How a picture's name ends → the colours and the width of the window.
LOOKS = {"light": ("light", 1440), "dark": ("dark", 1440), "light_mobile": ("light", 390), "dark_mobile": ("dark", 390)}
_WIDEST, _LOWEST, _HIGHEST, _COLOURS = 1200, 900, 2600, 256
_HEIGHT = """() => {
    const tops = ['stMainBlockContainer', 'stSidebarContent'].map(
        name => document.querySelector(`[data-testid=${name}]`)?.scrollHeight ?? 0);
    return window.innerWidth > 640 ? Math.max(...tops) : tops[0];
}"""


def taken(browser: Browser, address: str, look: str, paths: list[str]) -> Iterator[tuple[str, bytes]]:
    """Path → the page as a picture, one after another in one tab."""
    scheme, width = LOOKS[look]
    with browsing.visiting(browser, address, width=width, scheme=scheme) as visit:
        for path in paths:
            visit.page.set_viewport_size({"width": width, "height": _LOWEST})
            # The bare address is the one that the menu shows as open.
            visit.open("" if path == "overview" else path)
            _stretch(visit, width)
            yield path, visit.page.screenshot()
        if visit.failures:
            raise SystemExit(f"{look}: {visit.failures}")


def _stretch(visit: Visit, width: int) -> None:
    """A window as high as the page: Streamlit scrolls inside it. Looked at again when its charts have grown."""
    for _ in range(2):
        height = visit.page.evaluate(_HEIGHT)
        visit.page.set_viewport_size({"width": width, "height": max(_LOWEST, min(height, _HIGHEST))})
        visit.settled()
        visit.page.evaluate("document.fonts.ready")
        # Charts grow into their cards and lists scroll to their ends after the last answer; nothing tells when.
        visit.page.wait_for_timeout(1500)
    # Live parts are pale while they are asked anew.
    visit.page.wait_for_function("!document.querySelector('[data-stale=true]')", timeout=browsing.PATIENCE)


def small(png: bytes) -> Image.Image:
    """The picture at the size of a page of the documentation, with few colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > _WIDEST:
        picture = picture.resize((_WIDEST, picture.height * _WIDEST // picture.width), Image.Resampling.LANCZOS)
    # A card and the page behind it differ by a hair; the quicker ways make one colour of both.
    return picture.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="addresses of pages; every page when none is named")
    parser.add_argument("--address", default="http://127.0.0.1:8501")
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=["light", "dark", "light_mobile"])
    parser.add_argument("--folder", type=Path, default=_FOLDER)
    given = parser.parse_args()
    paths = given.paths or [place.path for place in navigation.PLACES]
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browsing.CHROMIUM, args=browsing.ARGUMENTS)
        for look in given.looks:
            for path, png in taken(browser, given.address, look, paths):
                name = _NAMES.get(path, path.replace("-", "_"))
                small(png).save(given.folder / f"{name}_{look}.png", optimize=True)


if __name__ == "__main__":
    main()
