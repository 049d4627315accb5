"""Many customers writing at a fixed rate, whatever the service does: signed webhooks, open loop, in a process alone."""

import argparse
import asyncio
import hashlib
import hmac
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

# Seconds before a message is due that its task begins to wait.
_AHEAD = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    url: str
    session: str
    key: bytes
    chats: int
    rate: float
    seconds: float
    # So many messages of one customer in a row, so far apart.
    burst: int = 1
    gap: float = 0.2

    @property
    def messages(self) -> int:
        return max(1, round(self.rate * self.seconds / self.burst)) * self.burst

    def due(self, number: int) -> float:
        """Seconds after the start."""
        turn, place = divmod(number, self.burst)
        return turn * self.burst / self.rate + place * self.gap


def message_id(chat: str, number: int, sent_ms: int) -> str:
    """As the gateway writes it."""
    return f"false_{chat}_3EB0{sent_ms:013d}{number:07d}"


def webhook_body(load: Load, number: int, sent_ms: int) -> bytes:
    """A 2026 WAHA envelope; chats take turns, so that one chat's messages lie as far apart as possible."""
    chat = f"{34_600_000_000 + number // load.burst % load.chats}@c.us"
    return msgspec.json.encode(
        {
            "id": f"evt_{sent_ms:013d}{number:013d}",
            "timestamp": sent_ms,
            "event": "message",
            "session": load.session,
            "metadata": {},
            "me": {"id": "10000000001@c.us", "pushName": "Shop"},
            "payload": {
                "id": message_id(chat, number, sent_ms),
                "timestamp": sent_ms // 1000,
                "from": chat,
                "fromMe": False,
                "source": "app",
                "to": "10000000001@c.us",
                "participant": None,
                "body": f"Is the room still free next weekend, and what does it cost? #{number}",
                "hasMedia": False,
                "media": None,
                "ack": 1,
                "ackName": "SERVER",
                "replyTo": None,
                "vCards": [],
                "_data": {},
            },
            "environment": {"version": "2026.7.1", "engine": "NOWEB", "tier": "CORE", "browser": None},
            "engine": "NOWEB",
        }
    )


def signed(body: bytes, key: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Webhook-Hmac": hmac.new(key, body, hashlib.sha512).hexdigest(),
        "X-Webhook-Hmac-Algorithm": "sha512",
    }


async def write(load: Load, out: Path) -> None:
    """One line per message: number, the milliseconds it was due, sent and acknowledged, and the status."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256), timeout=timeout) as client:
        start = time.time() + 0.2
        running: list[asyncio.Task[dict[str, float]]] = []
        for number in sorted(range(load.messages), key=load.due):
            # A task for each message of an hour at once would weigh more than what is measured.
            if (early := start + load.due(number) - time.time()) > 2 * _AHEAD:
                await asyncio.sleep(early - _AHEAD)
            running.append(asyncio.create_task(_one(client, load, number, start + load.due(number))))
        rows = await asyncio.gather(*running)
    with out.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


async def _one(client: aiohttp.ClientSession, load: Load, number: int, due: float) -> dict[str, float]:
    await asyncio.sleep(max(0.0, due - time.time()))
    sent_ms = int(time.time() * 1000)
    body = webhook_body(load, number, sent_ms)
    try:
        async with client.post(load.url, data=body, headers=signed(body, load.key)) as answer:
            await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError):
        status = 0
    acknowledged = {"ack_ms": time.time() * 1000, "status": status}
    return {"number": number, "due_ms": due * 1000, "sent_ms": sent_ms} | acknowledged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--session", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--chats", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--burst", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    load = Load(
        url=given.url,
        session=given.session,
        key=given.key.encode(),
        chats=given.chats,
        rate=given.rate,
        seconds=given.seconds,
        burst=given.burst,
    )
    asyncio.run(write(load, given.out))
    sys.stderr.write(f"{load.messages} messages written\n")


if __name__ == "__main__":
    main()
