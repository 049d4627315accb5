"""Sends signed webhooks over kept-alive connections, as fast as answers come or at a fixed rate; prints one JSON line.

A tiny client of its own: a full HTTP library would use more of the two cores than the door it measures.
"""

import argparse
import asyncio
import json
import random
import re
import time
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

from benchmarks.customers import Load, signed, webhook_body
from benchmarks.report import percentile

_DUPLICATE_EVERY = 100
_LENGTH = re.compile(rb"(?i)content-length: *([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    ok: int
    failed: int
    duplicates: int
    seconds: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True, kw_only=True)
class Tally:
    latencies: list[float] = field(default_factory=list)
    failed: int = 0


def requests_of(load: Load, count: int, run: str) -> tuple[list[bytes], int]:
    """Whole HTTP requests, made before the clock starts; every hundredth repeats an earlier one."""
    sent_ms = int(time.time() * 1000)
    made: list[bytes] = []
    duplicates = 0
    for number in range(count):
        if number % _DUPLICATE_EVERY == _DUPLICATE_EVERY - 1:
            made.append(random.choice(made))
            duplicates += 1
            continue
        body = webhook_body(load, number, sent_ms).replace(b"_3EB0", f"_3EB0{run}".encode())
        headers = signed(body, load.key) | {"Host": "127.0.0.1", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        made.append(f"POST /api/webhooks/whatsapp HTTP/1.1\r\n{head}\r\n".encode() + body)
    return made, duplicates


class Sender(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[None] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from the class whose methods they have.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        if not separator or len(body) < (int(found[1]) if found else 0):
            # Head and body of an answer may come apart.
            return
        self._received = b""
        if not head.startswith(b"HTTP/1.1 200"):
            self._tally.failed += 1
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError())

    async def send(self, request: bytes, due: float) -> None:
        if self._transport is None:
            raise ConnectionResetError
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answered
        self._tally.latencies.append(time.perf_counter() - due)


async def run(port: int, requests: list[bytes], *, connections: int, rate: float) -> tuple[Tally, float]:
    """With a rate, latency counts from the moment a request was due, whether or not a connection was free."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    senders = [(await loop.create_connection(lambda: Sender(tally), "127.0.0.1", port))[1] for _ in range(connections)]
    waiting = enumerate(requests)
    began = time.perf_counter()

    async def work(sender: Sender) -> None:
        for number, request in waiting:
            due = began + number / rate if rate else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            await sender.send(request, due)

    await asyncio.gather(*map(work, senders))
    return tally, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--session", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--run", required=True)
    given = parser.parse_args()
    load = Load(url="", session=given.session, key=given.key.encode(), chats=20_000, rate=1.0, seconds=1.0)
    requests, duplicates = requests_of(load, given.requests, given.run)
    tally, seconds = uvloop.run(run(given.port, requests, connections=given.connections, rate=given.rate))
    result = Result(
        ok=len(tally.latencies) - tally.failed,
        failed=tally.failed,
        duplicates=duplicates,
        seconds=seconds,
        p50_ms=percentile(tally.latencies, 0.5) * 1000,
        p99_ms=percentile(tally.latencies, 0.99) * 1000,
    )
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
