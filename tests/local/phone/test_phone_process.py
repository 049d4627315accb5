"""The phone as a program: it starts from its data directory, speaks JSON lines, and ends while a page is open."""

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx

from mychatflow.settings import Settings
from tests import ports

PERSONA = {"session": "shop", "phone": "12025550143", "name": "Ann Lee", "text": "Hello"}


async def started(directory: Path, port: int) -> asyncio.subprocess.Process:
    environment = os.environ | {"MYCHATFLOW_DATA_DIR": str(directory), "PHONE_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mychatflow.local.phone", env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20), httpx.AsyncClient() as client:
        while True:
            try:
                assert (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            else:
                return process


async def test_a_restarted_phone_remembers_its_chats(tmp_path: Path) -> None:
    port = ports.free()
    key = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path).gateway_key
    first = await started(tmp_path, port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        created = await client.post("/api/sessions", json={"name": "shop"}, headers={"X-Api-Key": key})
        await until_working(client)
        written = await client.post("/phone/api/messages", json=PERSONA)
        async with client.stream("GET", "/phone/api/news"):
            first.terminate()
            async with asyncio.timeout(5):
                _, log = await first.communicate()

    second = await started(tmp_path, port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        chat = await client.get("/phone/api/chat", params={"session": "shop", "chat_id": "12025550143@c.us"})
    second.terminate()
    await second.communicate()

    assert (created.status_code, written.status_code) == (201, 201)
    assert [message["text"] for message in chat.json()["messages"]] == ["Hello"]
    assert all(json.loads(line)["level"] == "info" for line in log.splitlines())
    assert b"Hello" not in log


async def until_working(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while (await client.get("/phone/api/state")).json()["sessions"][0]["status"] != "WORKING":  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.02)
