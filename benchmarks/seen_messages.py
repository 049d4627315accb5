"""How long until a customer's message stands in the chat that a colleague has open, as Chromium shows it.

From the webhook's 200 to the text in the page, at moments that fall anywhere between two looks of the inbox. Run beside
a running installation: `mychatflow up --demo`, then `python -m benchmarks.seen_messages --data-dir DIR`.
"""

import argparse
import json
import random
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks import dashboards, report
from benchmarks.customers import Load, signed, webhook_body
from mychatflow.settings import Settings

# The moment at which each numbered message first stands in the open chat, by the browser's clock, which is ours.
_WATCH = """() => {
    window.seen = {};
    const look = () => document.querySelectorAll('.mcf-bubble.in').forEach(bubble => {
        const number = /#(\\d+)/.exec(bubble.firstChild?.textContent)?.[1];
        if (number !== undefined) window.seen[number] ??= Date.now();
    });
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
    look();
}"""
_PATIENCE_MS = 60_000


def stored(load: Load, number: int) -> float:
    """The customer writes; the instant of the 200, in seconds."""
    body = webhook_body(load, number, int(time.time() * 1000))
    asked = urllib.request.Request(load.url, data=body, headers=signed(body, load.key))
    with urllib.request.urlopen(asked, timeout=30):
        return time.time()


def waits(page: Page, load: Load, *, first: int) -> list[float]:
    """Milliseconds of each message, one after another."""
    page.evaluate(_WATCH)
    took = []
    for number in range(first, first + load.messages):
        page.wait_for_timeout(random.uniform(500, 2500))
        began = stored(load, number)
        page.wait_for_function(f"'{number}' in window.seen", timeout=_PATIENCE_MS, polling=50)
        took.append(page.evaluate(f"window.seen['{number}']") - began * 1000)
    return took


@contextmanager
def inbox(address: str) -> Iterator[Page]:
    """The newest chat, open."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=dashboards.ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/inbox")
        page.locator(".mcf-bubble").first.wait_for(timeout=_PATIENCE_MS)
        yield page
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=dashboards.CHECKOUT / ".mychatflow")
    parser.add_argument("--session", default="bella-dental", help="of the workspace that the dashboards show first")
    parser.add_argument("--count", type=int, default=60)
    given = parser.parse_args()
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=given.data_dir.resolve())
    addresses = json.loads((settings.run_dir / "addresses.json").read_text(encoding="utf-8"))
    load = Load(
        url=addresses["webhook"],
        session=given.session,
        key=settings.webhook_secrets[0],
        chats=1,
        rate=1,
        seconds=given.count,
    )
    # Numbers of their own, so that the messages of an earlier run are not taken for these.
    first = int(time.time()) % 10_000_000 * 100
    stored(load, first)
    with inbox(addresses["dashboards"]) as page:
        page.locator(".mcf-bubble.in", has_text=f"#{first}").wait_for(timeout=_PATIENCE_MS)
        took = waits(page, load, first=first + 1)
    report.show(
        "seen_messages",
        [
            {"what": f"{len(took)} messages: p50", "measured": report.percentile(took, 0.5), "unit": "ms"},
            {"what": "p95", "measured": report.percentile(took, 0.95), "unit": "ms", "goal_at_most": 2000},
            {"what": "longest", "measured": max(took), "unit": "ms"},
        ],
    )


if __name__ == "__main__":
    main()
