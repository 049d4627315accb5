"""The gateway for chaos runs and benchmarks works as a process of its own, by remote control."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from realtime.channels.gateway_types import SendKind
from realtime.channels.waha import WahaClient, make_message_id
from tests.fakes.waha import API_KEY
from tests.local.phone.conftest import Business

CHAT = "22222222222@c.us"


@pytest.fixture
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.fakes.waha", "--no-receipts"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        # A suite that runs in the background of a shell hands on that polite signals are ignored.
        process.kill()


async def test_faults_and_records_work_by_remote_control(address: str, business: Business) -> None:
    async with httpx.AsyncClient(base_url=address) as control, WahaClient(address, API_KEY) as client:
        await control.post("/__control/sessions", json={"name": "default", "webhook_url": business.url})
        await control.post("/__control/faults", json={"kind": "reset_after", "times": 1})
        message_id = make_message_id()

        outcomes = [await client.send_text("default", CHAT, "Hello", message_id=message_id) for _ in range(2)]
        await control.post("/__control/send", json={"messages": [{"chat_id": CHAT, "text": f"{n}"} for n in range(3)]})
        told = await business.until("message", 3)
        fired = (await control.get("/__control/faults")).json()["fired"]
        records = (await control.get("/__control/deliveries")).json()

    assert [outcome.kind for outcome in outcomes] == [SendKind.AMBIGUOUS, SendKind.SENT]
    assert fired == {"reset_after": 1}
    assert records["attempts"] == 2
    assert [row["message_id"] for row in records["sessions"]["default"][CHAT]] == [message_id]
    assert {entry.document["payload"]["body"] for entry in told} == {"0", "1", "2"}


async def test_many_senders_at_once_lose_nothing(address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as control, WahaClient(address, API_KEY) as client:
        await control.post("/__control/sessions", json={"name": "default"})
        chats = [f"{10_000_000 + number}@c.us" for number in range(50)]

        outcomes = await asyncio.gather(
            *(
                client.send_text("default", chat, f"{n}", message_id=make_message_id())
                for chat in chats
                for n in range(4)
            )
        )
        records = (await control.get("/__control/deliveries")).json()

    assert all(outcome.is_sent for outcome in outcomes)
    assert [len(records["sessions"]["default"][chat]) for chat in chats] == [4] * 50
