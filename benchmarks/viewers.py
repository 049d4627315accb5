"""People who look at the dashboards all day, as sessions over the websocket that a browser would open.

A click opens another page with another period, and is over when the server has sent the whole page. Two cores carry no
twenty browsers, so what a browser draws is missing here: `benchmarks.dashboards` measures that with Chromium.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# By their addresses; the first page's is empty.
PAGES = ("", "leads", "conversations", "agent", "inbox")
PERIODS = ("28d", "7d", "91d")
# The demo's business with numbers on every page.
WORKSPACE = "Bella Dental Studio"
_SECONDS_FOR_A_PAGE = 120


async def look(address: str, *, viewers: int, seconds: float, think: float) -> list[dict[str, Any]]:
    """One row per click: page, seconds, elements and errors that the page held."""
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession() as client:
        seen = await asyncio.gather(
            *(
                _look(client, address, place=place, viewers=viewers, until=until, think=think)
                for place in range(viewers)
            )
        )
    return [row for rows in seen for row in rows]


async def _look(
    client: aiohttp.ClientSession, address: str, *, place: int, viewers: int, until: float, think: float
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    # They do not click in step.
    await asyncio.sleep(think * place / viewers)
    async with client.ws_connect(
        f"{address.replace('http', 'ws')}/_stcore/stream", protocols=["streamlit"], max_msg_size=0
    ) as page:
        while time.monotonic() < until:
            number = place + len(rows)
            began = time.monotonic()
            rows.append(await _click(page, PAGES[number % len(PAGES)], PERIODS[number % len(PERIODS)]))
            await asyncio.sleep(max(0.0, think - (time.monotonic() - began)))
    return rows


async def _click(socket: aiohttp.ClientWebSocketResponse, page: str, period: str) -> dict[str, Any]:
    asked = BackMsg()
    asked.rerun_script.page_name = page
    asked.rerun_script.query_string = urlencode({"workspace": WORKSPACE, "range": period})
    began, elements, errors = time.monotonic(), 0, 0
    await socket.send_bytes(asked.SerializeToString())
    while True:
        message = await socket.receive(timeout=_SECONDS_FOR_A_PAGE)
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise SystemExit(f"the page {page} ended early: {message.type.name} {message.data}")
        told = ForwardMsg.FromString(message.data)
        match told.WhichOneof("type"):
            case "delta":
                elements += 1
                errors += _is_error(told)
            case "page_not_found":
                errors += 1
            case "script_finished":
                errors += told.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR
                return {"page": page, "seconds": time.monotonic() - began, "elements": elements, "errors": errors}


def _is_error(told: ForwardMsg) -> bool:
    element = told.delta.new_element
    kind = element.WhichOneof("type")
    return kind == "exception" or (kind == "alert" and element.alert.format == Alert.ERROR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--think", type=float, default=15, help="seconds from one click to the next")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = asyncio.run(look(given.url, viewers=given.viewers, seconds=given.seconds, think=given.think))
    given.out.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
