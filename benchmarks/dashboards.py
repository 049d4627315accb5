"""How fast the dashboards show numbers, what a page run and a session cost, and what the first visit weighs.

Run beside a running installation: `mychatflow up --demo`, then `python -m benchmarks.dashboards --data-dir DIR`. A
dashboards process of its own serves, Chromium looks; sessions without a browser are counted over their websockets.
"""

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks import report

CHECKOUT = Path(__file__).parents[1]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PATIENCE = 60_000
SESSIONS = 50
_MB = 1_000_000
# A tile's number stands in the page: what the goals call numbers on screen.
_NUMBERS = "document.querySelectorAll('[data-testid=stMetricValue]').length >= 5"
_FIRST = "document.querySelector('[data-testid=stMetricValue]').innerText"


@contextmanager
def serving(data_dir: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A fresh process after its warm-up."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = os.environ | {"MYCHATFLOW_DATA_DIR": str(data_dir), "DASHBOARDS_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboards.app"], cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/health")
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"{address} did not answer in a minute")


def first_visit(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds until the numbers stand, and megabytes over the wire until the charts do; nothing is cached."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    weights: list[float] = []
    session.on("Network.loadingFinished", lambda done: weights.append(done["encodedDataLength"]))
    session.send("Network.enable")
    seconds = numbers(page, address)
    page.locator(".js-plotly-plot").nth(3).wait_for(timeout=PATIENCE)
    context.close()
    return seconds, sum(weights) / _MB


def numbers(page: Page, address: str) -> float:
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(_NUMBERS, timeout=PATIENCE, polling=20)
    return time.perf_counter() - started


def switches(page: Page, *, rounds: int) -> list[float]:
    """Seconds from a click on another period until the first number is another one."""
    page.locator(".js-plotly-plot").nth(3).wait_for(timeout=PATIENCE)
    taken = []
    for label in ["7d", "91d", "28d"] * rounds:
        before = page.evaluate(_FIRST)
        started = time.perf_counter()
        page.get_by_role("radio", name=label).or_(page.get_by_role("button", name=label)).first.click()
        page.wait_for_function(f"{_FIRST} !== {before!r}", timeout=PATIENCE, polling=10)
        taken.append(time.perf_counter() - started)
        page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')", timeout=PATIENCE)
    return taken


async def sessions(address: str, process: psutil.Process) -> tuple[float, float]:
    """CPU milliseconds of one page run, and megabytes that so many open pages add to a warm process."""
    async with aiohttp.ClientSession() as client:
        # The first pages fill the caches that all sessions share.
        opened = [await _page(client, address) for _ in range(5)]
        memory, cpu = process.memory_info().rss, sum(process.cpu_times()[:2])
        opened += [await _page(client, address) for _ in range(SESSIONS)]
        spent = sum(process.cpu_times()[:2]) - cpu
        await asyncio.sleep(2)
        grown = (process.memory_info().rss - memory) / _MB
        for socket_ in opened:
            await socket_.close()
    return spent / SESSIONS * 1000, grown


async def _page(client: aiohttp.ClientSession, address: str) -> aiohttp.ClientWebSocketResponse:
    """A page as a browser would ask for it, until its script has finished."""
    opened = await client.ws_connect(
        f"{address.replace('http', 'ws')}/_stcore/stream", protocols=["streamlit"], max_msg_size=0
    )
    asked = BackMsg()
    asked.rerun_script.query_string = ""
    await opened.send_bytes(asked.SerializeToString())
    while True:
        message = await opened.receive(timeout=60)
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise SystemExit(f"the page ended early: {message.type.name} {message.data}")
        if ForwardMsg.FromString(message.data).WhichOneof("type") == "script_finished":
            return opened


def looked(address: str, *, rounds: int) -> tuple[float, float, float, list[float]]:
    """What Chromium saw: the fresh visit with its weight, the usual warm one, and every change of the period."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        fresh, weight = first_visit(browser, address)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        numbers(page, address)
        warm = statistics.median(numbers(page, address) for _ in range(rounds))
        taken = switches(page, rounds=rounds)
        browser.close()
    return fresh, weight, warm, taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=CHECKOUT / ".mychatflow")
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    with serving(given.data_dir.resolve()) as (address, process):
        fresh, weight, warm, taken = looked(address, rounds=given.rounds)
        cpu, grown = asyncio.run(sessions(address, process))
    goals = [
        ("numbers on screen, fresh process", fresh, "s", 2.5),
        ("numbers on screen, warm", warm, "s", 1.0),
        ("another period, median", statistics.median(taken), "s", 0.4),
        ("CPU of a page run", cpu, "ms", 150.0),
        ("first visit over the wire", weight, "MB", 2.0),
        (f"{SESSIONS} idle sessions", grown, "MB", 50.0),
    ]
    report.show(
        "dashboards",
        [
            {"what": what, "measured": value, "goal": goal, "unit": unit, "is_met": value < goal}
            for what, value, unit, goal in goals
        ],
    )


if __name__ == "__main__":
    main()
