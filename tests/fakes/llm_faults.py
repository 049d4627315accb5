"""Every fault that our fake model server can be switched to, and how each looks on the wire."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

from tests.fakes import llm_wire
from tests.fakes.llm_wire import Call, Said

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

TRANSPORT = "fake.transport"


class Fault(StrEnum):
    """What can be switched on, per provider."""

    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    OVERLOADED = "529"
    RATE_LIMITED = "429"
    NO_MONEY = "quota"
    UNAUTHORISED = "401"
    FORBIDDEN = "403"
    BAD_REQUEST = "400"
    TOO_LONG = "overflow"
    MODEL_GONE = "404"
    WRONG_ADDRESS = "404_html"
    HANG = "hang"
    RESET = "reset"
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    EMPTY = "empty"
    HTML = "html"
    NO_CHOICE = "no_choice"
    DRIP = "drip"
    REFUSAL = "refusal"
    LENGTH = "length"
    NO_USAGE = "no_usage"
    LOST_ANSWER = "lost_answer"


STATUS: dict[str, tuple[int, str]] = {
    Fault.SERVER_ERROR: (500, "server_error"),
    Fault.UNAVAILABLE: (503, "unavailable"),
    Fault.OVERLOADED: (529, "overloaded"),
    Fault.RATE_LIMITED: (429, "rate_limit_exceeded"),
    Fault.NO_MONEY: (429, "insufficient_quota"),
    Fault.UNAUTHORISED: (401, "invalid_api_key"),
    Fault.FORBIDDEN: (403, "permission_denied"),
    Fault.BAD_REQUEST: (400, "invalid_value"),
    Fault.TOO_LONG: (400, "context_length_exceeded"),
    Fault.MODEL_GONE: (404, "model_not_found"),
}


async def respond(
    send: Send, body: bytes, *, status: int = 200, kind: bytes = b"application/json", retry_after: str | None = None
) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if retry_after:
        headers.append((b"retry-after", retry_after.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(call: Call, retry_after: str | None, send: Send) -> None:
    if call.fault == Fault.WRONG_ADDRESS:
        await respond(send, b"<html>no such page</html>", status=404, kind=b"text/html")
        return
    status, code = STATUS[str(call.fault)]

    await respond(send, llm_wire.error(call.provider, status, code), status=status, retry_after=retry_after)


async def send_work(call: Call, text: Said, scope: Scope, send: Send) -> None:
    whole = llm_wire.success(call, text)
    match call.fault:
        case Fault.TRUNCATED:
            await _start(send, len(whole))
            await send({"type": "http.response.body", "body": whole[: len(whole) // 2], "more_body": True})
            scope[TRANSPORT].close()
        case Fault.LOST_ANSWER:
            await cut(scope)
        case Fault.DRIP:
            await _drip(send, whole)
        case Fault.GARBAGE:
            await respond(send, whole[:-9])
        case Fault.EMPTY:
            await respond(send, b"")
        case Fault.HTML:
            await respond(send, b"<html><body>Bad gateway</body></html>", kind=b"text/html")
        case Fault.NO_CHOICE:
            await respond(send, llm_wire.no_choice(call))
        case Fault.REFUSAL:
            await respond(send, llm_wire.success(call, text, refusal=True))
        case Fault.LENGTH:
            await respond(send, llm_wire.success(call, text, finish="length"))
        case Fault.NO_USAGE:
            await respond(send, llm_wire.success(call, text, with_usage=False))
        case _:
            await respond(send, whole)


async def _start(send: Send, length: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _drip(send: Send, whole: bytes) -> None:
    """Eight bytes each tenth of a second: longer than any patience, though no single wait is long."""
    await _start(send, len(whole))
    for start in range(0, len(whole), 8):
        await send({"type": "http.response.body", "body": whole[start : start + 8], "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b""})


async def gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def cut(scope: Scope) -> None:
    scope[TRANSPORT].abort()
