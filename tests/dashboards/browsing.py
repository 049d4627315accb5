"""The dashboards in a real Chromium, started as an operator starts them: a tab, and what it asked for."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path

from playwright.sync_api import Browser, Dialog, Error, Page, Response

from tests import ports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A browser beside a busy suite parses scripts slowly; what is waited for is a condition, never the clock.
PATIENCE = 90_000
_ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Visit:
    """A tab, and what it asked for."""

    page: Page
    address: str
    hosts: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    # What it asked for and did not get.
    refusals: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/{path}", timeout=PATIENCE)
        self.settled()

    def settled(self) -> None:
        self.page.wait_for_selector(".mcf-title", timeout=PATIENCE)
        # The sign of a run comes up late and not for every run; this one says what is true.
        self.page.wait_for_selector("[data-test-script-state=notRunning]", timeout=PATIENCE)

    def click_day(self, card: str) -> None:
        """The day in the middle of a chart. Plotly clicks what it hovers, and under load it takes its time to hover."""
        box = self.page.locator(f".st-key-{card} .nsewdrag").first.bounding_box(timeout=PATIENCE)
        assert box is not None
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.move(middle[0] - 30, middle[1])
        self.page.mouse.move(*middle)
        self.page.locator(f".st-key-{card} .hoverlayer > *").first.wait_for(state="attached", timeout=PATIENCE)
        self.page.mouse.click(*middle)


@contextmanager
def visiting(browser: Browser, address: str, *, width: int = 1440, scheme: str = "light") -> Iterator[Visit]:
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
    )
    visit = Visit(page=context.new_page(), address=address)
    visit.page.on("request", lambda asked: visit.hosts.add(asked.url.split("/")[2].partition(":")[0]))
    visit.page.on("response", partial(_answered, visit))
    visit.page.on("pageerror", lambda error: visit.failures.append(str(error)))
    visit.page.on("dialog", partial(_script_ran, visit))
    try:
        yield visit
    finally:
        # pytest shows it beside a test that failed.
        with suppress(Error):
            print(visit.page.url, "showed at last:", repr(visit.page.inner_text("body", timeout=5_000)))
        context.close()


def _answered(visit: Visit, answer: Response) -> None:
    if answer.status >= HTTPStatus.BAD_REQUEST:
        visit.refusals.append(f"{answer.status} for {answer.url}")


def _script_ran(visit: Visit, dialog: Dialog) -> None:
    visit.failures.append(f"a script ran: {dialog.message}")
    # A page with an open dialog answers nothing any more.
    dialog.dismiss()


@contextmanager
def serving(
    environment: Mapping[str, str], log: Path, *, port: int = 0, program: str = "dashboards.app"
) -> Iterator[str]:
    """The application on a port of this machine, a free one unless told."""
    port = port or ports.free()
    written = log.open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", program],
        cwd=_ROOT,
        env=os.environ | environment | {"DASHBOARDS_PORT": str(port)},
        stdout=written,
        stderr=written,
    )
    try:
        wait_until_answered(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        written.close()


def wait_until_answered(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        assert process.poll() is None, "the program stopped"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{address} did not answer in time")
