"""Whoever drips bytes at the door is let go after a while, and meanwhile holds up nobody else."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from realtime.webhooks import connection
from tests.realtime.webhooks.conftest import Door

_SECONDS = 2.0
Slow = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def quick_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOWEST_HEADERS_SECONDS", _SECONDS)


@contextlib.asynccontextmanager
async def dripping(door: Door, count: int, drop: bytes, *, opening: bytes = b"") -> AsyncIterator[list[Slow]]:
    """Connections that send a few bytes ten times a second until they are closed."""
    port = int(door.base_url.rpartition(":")[2])
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]

    async def drip(writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(opening)
            while True:
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(0.1)

    dripping = [asyncio.create_task(drip(writer)) for _, writer in connections]
    try:
        yield connections
    finally:
        for task in dripping:
            task.cancel()
        await asyncio.gather(*dripping, return_exceptions=True)
        for _, writer in connections:
            writer.close()


async def p99_of(door: Door, count: int = 200) -> float:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        assert (await door.say()).status == 200
        times.append(time.perf_counter() - began)
    return sorted(times)[-max(1, count // 100)]


@pytest.mark.parametrize(
    ("opening", "drop"),
    [
        (b"POST /api/webhooks/whatsapp HTTP/1.1\r\nHost: x\r\n", b"X-A: 1\r\n"),
        (b"P", b""),
        (b"", b"\r\n"),
    ],
    ids=["headers for ever", "one byte", "line breaks"],
)
async def test_dripped_headers_end_the_connection(
    door: Door, quick_deadline: None, opening: bytes, drop: bytes
) -> None:
    began = time.monotonic()

    async with dripping(door, 1, drop, opening=opening) as [(reader, _)]:
        answer = await asyncio.wait_for(reader.read(), 30)

    assert b" 408 " in answer.split(b"\r\n")[0]
    assert time.monotonic() - began >= _SECONDS


async def test_line_breaks_between_requests_end_the_connection(door: Door, quick_deadline: None) -> None:
    async with dripping(door, 1, b"\r\n", opening=b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") as [(reader, _)]:
        answers = await asyncio.wait_for(reader.read(), 30)

    assert answers.startswith(b"HTTP/1.1 200")


async def test_a_head_without_end_is_refused(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.base_url.rpartition(":")[2]))
    sent = 0
    with contextlib.suppress(OSError):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        while sent < 10 * 2**20 and not reader.at_eof():
            writer.write(b"X-A: " + b"a" * 8_000 + b"\r\n")
            sent += 8_000
            await writer.drain()
            await asyncio.sleep(0)
    answer = b""
    with contextlib.suppress(OSError):
        answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()

    assert b" 431 " in answer.split(b"\r\n")[0] or not answer
    assert sent < 2 * 2**20


async def test_a_large_head_in_one_piece_is_refused_and_a_large_body_is_not(door: Door) -> None:
    async def heard(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.base_url.rpartition(":")[2]))
        writer.write(request)
        line = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        return line

    # Less than what loopback hands over at once.
    large = b"x" * 40_000
    head = await heard(b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + large + b"\r\n\r\n")
    body = await heard(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + large)

    assert head.startswith(b"HTTP/1.1 431 ")
    assert body.startswith(b"HTTP/1.1 405 ")


async def test_what_is_no_http_is_told_once_a_minute(
    door: Door, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def heard() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.base_url.rpartition(":")[2]))
        writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer

    monkeypatch.setattr(connection.STRANGERS, "filters", [connection.OnceAMinute()])
    answers = [await heard() for _ in range(5)]
    monkeypatch.setattr(connection, "_TOLD_EVERY_SECONDS", 0.0)
    answers.append(await heard())

    assert {answer.splitlines()[0] for answer in answers} == {b"HTTP/1.1 400 Bad Request"}
    told = [record.__dict__ for record in caplog.records if record.name == connection.STRANGERS.name]
    assert [(line["msg"], line["more_since"]) for line in told] == [
        ("Invalid HTTP request received.", 0),
        ("Invalid HTTP request received.", 4),
    ]


async def flood(writer: asyncio.StreamWriter) -> None:
    """A body of chunks, for as long as anybody takes them."""
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def test_a_refused_body_that_goes_on_for_ever_ends_the_connection(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REST_OF_BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.base_url.rpartition(":")[2]))
    writer.write(b"POST /api/webhooks/whatsapp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

    flooding = asyncio.create_task(flood(writer))
    answer = await asyncio.wait_for(reader.readline(), 60)
    done, _ = await asyncio.wait({flooding}, timeout=60)
    flooding.cancel()
    writer.close()

    assert b" 413 " in answer
    assert [type(task.exception()) for task in done] in ([ConnectionResetError], [BrokenPipeError])


async def test_two_hundred_slow_clients_delay_nobody(door: Door) -> None:
    opening = b"POST /api/webhooks/whatsapp HTTP/1.1\r\nHost: x\r\n"
    await p99_of(door)
    alone = await p99_of(door)

    async with dripping(door, 200, b"X-A: 1\r\n", opening=opening):
        beside = await p99_of(door)

    # On a busy machine a few milliseconds are noise.
    assert beside < max(2 * alone, 0.1)


async def test_a_kept_connection_may_rest(door: Door, quick_deadline: None) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.base_url.rpartition(":")[2]))
    for pause in (0.0, _SECONDS * 1.5):
        await asyncio.sleep(pause)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        await reader.readexactly(15)
        assert head.startswith(b"HTTP/1.1 200")
    writer.close()


async def test_who_asks_for_the_head_alone_gets_no_body(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.base_url.rpartition(":")[2]))
    heads = []
    async with asyncio.timeout(60):
        for _ in range(2):
            writer.write(b"HEAD /api/webhooks/whatsapp HTTP/1.1\r\nHost: x\r\n\r\n")
            heads.append(await reader.readuntil(b"\r\n\r\n"))
    writer.close()

    # Whatever came between the two would be taken for the second.
    assert [head.partition(b"\r\n")[0] for head in heads] == [b"HTTP/1.1 405 Method Not Allowed"] * 2
