"""What inboxes cost that stand open while nobody writes: each asks again and again whether something changed.

Run beside a running installation: `mychatflow up --demo`, then `python -m benchmarks.open_inboxes --data-dir DIR`. The
sessions are websockets that ask again when a browser would.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks import dashboards, report

_MB = 1_000_000


@dataclass(slots=True)
class Inbox:
    """One open page: which of its parts look again how often, and how many looks were answered."""

    socket: aiohttp.ClientWebSocketResponse
    page: str = ""
    every: dict[str, float] = field(default_factory=dict)
    looks: int = 0
    # Held, because a task that nobody holds may be collected.
    listening: asyncio.Task[None] | None = None
    is_drawn: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for message in self.socket:
            told = ForwardMsg.FromString(message.data)
            match told.WhichOneof("type"):
                case "new_session":
                    self.page = told.new_session.page_script_hash
                case "auto_rerun":
                    self.every[told.auto_rerun.fragment_id] = told.auto_rerun.interval
                case "script_finished":
                    self.looks += self.is_drawn.is_set()
                    self.is_drawn.set()

    async def ask(self, *, fragment: str = "") -> None:
        asked = BackMsg()
        asked.rerun_script.page_name = "inbox"
        asked.rerun_script.page_script_hash = self.page
        asked.rerun_script.fragment_id = fragment
        asked.rerun_script.is_auto_rerun = bool(fragment)
        await self.socket.send_bytes(asked.SerializeToString())

    async def look(self, fragment: str) -> None:
        """As a browser does: by its clock, whether the last look was answered or not."""
        while True:
            await asyncio.sleep(self.every[fragment])
            await self.ask(fragment=fragment)


async def standing(address: str, process: psutil.Process, *, count: int, seconds: float) -> dict[str, float]:
    """Looks a second, CPU of the process as a share of one core, and the megabytes it grew by."""
    async with aiohttp.ClientSession() as client:
        first = await _opened(client, address)
        memory = process.memory_info().rss
        inboxes = [first, *[await _opened(client, address) for _ in range(count - 1)]]
        looking = [asyncio.create_task(each.look(part)) for each in inboxes for part in each.every]
        # Those that were opened first are in their stride.
        await asyncio.sleep(3)
        cpu, looks, began = _cpu(process), sum(each.looks for each in inboxes), time.monotonic()
        await asyncio.sleep(seconds)
        spent, took = _cpu(process) - cpu, time.monotonic() - began
        answered = sum(each.looks for each in inboxes) - looks
        grown = (process.memory_info().rss - memory) / _MB
        for task in looking:
            task.cancel()
        for each in inboxes:
            await each.socket.close()
    return {"looks": answered / took, "cores": spent / took, "cpu_ms": spent / max(answered, 1) * 1000, "grown": grown}


async def _opened(client: aiohttp.ClientSession, address: str) -> Inbox:
    url = f"{address.replace('http', 'ws')}/_stcore/stream"
    inbox = Inbox(await client.ws_connect(url, protocols=["streamlit"], max_msg_size=0))
    inbox.listening = asyncio.create_task(inbox.listen())
    await inbox.ask()
    await asyncio.wait_for(inbox.is_drawn.wait(), timeout=60)
    return inbox


def _cpu(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=dashboards.CHECKOUT / ".mychatflow")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with dashboards.serving(given.data_dir.resolve()) as (address, process):
        found = asyncio.run(standing(address, process, count=given.count, seconds=given.seconds))
    what = f"{given.count} open inboxes"
    report.show(
        "open_inboxes",
        [
            {"what": f"{what}: looks answered", "measured": found["looks"], "unit": "a second"},
            {"what": f"{what}: CPU of the dashboards", "measured": found["cores"], "unit": "cores"},
            {"what": "CPU of one look", "measured": found["cpu_ms"], "unit": "ms"},
            {"what": "CPU of one inbox", "measured": found["cores"] / given.count * 1000, "unit": "ms a second"},
            {"what": f"{what}: memory", "measured": found["grown"], "unit": "MB"},
        ],
    )


if __name__ == "__main__":
    main()
