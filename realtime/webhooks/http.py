"""The few things a plain ASGI door needs: a body read with a limit and a deadline, and an answer."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.types import Message, Receive, Send

LARGEST_BODY: Final = 1 << 20
SLOWEST_BODY_SECONDS: Final = 10.0
SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_TITLES: Final = {
    400: "Malformed",
    401: "Signature rejected",
    405: "Method not allowed",
    408: "Body too slow",
    413: "Body too large",
    415: "Unsupported media type",
    429: "Too many requests",
    503: "Database unavailable",
}


class WebhookRefused(Exception):
    """The request gets that status; `reason` is one of a few fixed words."""

    def __init__(self, status: int, reason: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class ClientLeft(Exception):
    """The connection closed before the body was complete: there is nobody to answer."""


async def read_body(
    receive: Receive,
    *,
    declared: int | None,
    largest: int = LARGEST_BODY,
    seconds: float = SLOWEST_BODY_SECONDS,
) -> bytes:
    """The whole body. Raises WebhookRefused (413, before more than the limit is read; 408) and ClientLeft."""
    if declared is not None and declared > largest:
        raise WebhookRefused(413, "too_large")
    try:
        message = await _next(receive, seconds)
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return _within_limit(body, largest)
        return await asyncio.wait_for(_read_on(receive, body, largest), seconds)
    except TimeoutError as error:
        raise WebhookRefused(408, "too_slow") from error


async def _next(receive: Receive, seconds: float) -> Message:
    # A small body lies there already; the timer is for those who send headers and then nothing.
    async with asyncio.timeout(seconds):
        return _still_there(await receive())


async def _read_on(receive: Receive, first: bytes, largest: int) -> bytes:
    parts, size, more = [first], len(first), True
    while more:
        message = _still_there(await receive())
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > largest:
            raise WebhookRefused(413, "too_large")
        more = message.get("more_body", False)
    return b"".join(parts)


def _still_there(message: Message) -> Message:
    if message["type"] == "http.disconnect":
        raise ClientLeft
    return message


def _within_limit(body: bytes, largest: int) -> bytes:
    if len(body) > largest:
        raise WebhookRefused(413, "too_large")
    return body


class Answer:
    """A whole response, written once and sent many times."""

    def __init__(
        self, status: int, body: bytes, *, content_type: bytes, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        self.status = status
        self._start: Message = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                *SECURITY_HEADERS,
                *headers,
            ],
        }
        self._body: Message = {"type": "http.response.body", "body": body}

    async def send(self, send: Send) -> None:
        await send(self._start)
        await send(self._body)


def taken(outcome: str) -> Answer:
    return Answer(200, msgspec.json.encode({"status": outcome}), content_type=b"application/json")


def refusal(refused: WebhookRefused) -> Answer:
    """As problem+json (RFC 9457). A body we did not read to its end costs the sender its connection."""
    headers: list[tuple[bytes, bytes]] = []
    if refused.retry_after_seconds is not None:
        headers.append((b"retry-after", str(max(1, refused.retry_after_seconds)).encode()))
    if refused.status in {405, 408, 413, 415}:
        headers.append((b"connection", b"close"))
    if refused.status == 405:
        headers.append((b"allow", b"POST"))
    problem = {"type": "about:blank", "title": _TITLES[refused.status], "status": refused.status}
    body = msgspec.json.encode(problem | {"code": refused.reason})
    return Answer(refused.status, body, content_type=b"application/problem+json", headers=headers)
