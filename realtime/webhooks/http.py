"""The few things a plain ASGI door needs: a body read with a limit and a deadline, and an answer."""

import asyncio
import functools
import types
from collections.abc import Awaitable, Coroutine, Generator, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from starlette.types import Message, Receive, Scope, Send

# The name of an ASGI extension of ours: the same bytes every time need not be put together every time.
WHOLE_ANSWER: Final = "mychatflow.whole_answer"
LARGEST_BODY: Final = 1 << 20
SLOWEST_BODY_SECONDS: Final = 10.0
# A gateway's message is a few kilobytes; so much of any body is read whatever others hold.
_SMALL_BODY: Final = 64 << 10
_LARGE_BODIES: Final = 8 << 20
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


class Room:
    """What the large bodies of strangers may hold in this process, all together, while they arrive."""

    def __init__(self, size: int = _LARGE_BODIES) -> None:
        self._left = size

    def hold(self, size: int) -> None:
        """Raises WebhookRefused (429): whoever comes again in a second finds the slow ones gone."""
        if size > self._left:
            raise WebhookRefused(429, "crowded", retry_after_seconds=1)
        self._left -= size

    def leave(self, size: int) -> None:
        self._left += size


async def read_body(
    receive: Receive,
    *,
    declared: int | None,
    largest: int = LARGEST_BODY,
    seconds: float = SLOWEST_BODY_SECONDS,
    room: Room | None = None,
) -> bytes:
    """The whole body. Raises WebhookRefused (413, before more than the limit is read; 408; 429) and ClientLeft."""
    if declared is not None and declared > largest:
        raise WebhookRefused(413, "too_large")
    first = cast("Coroutine[Any, Any, Message]", receive())
    try:
        # A small body lies there already: a step tells, without the timer that costs as much as the rest of this.
        yielded = first.send(None)
    except StopIteration as arrived:
        message = _still_there(arrived.value)
        if not message.get("more_body", False):
            return _within_limit(message.get("body", b""), largest)
        reading = _read_on(receive, message.get("body", b""), largest, room)
    else:
        reading = _read_from(_resumed(first, yielded), receive, largest, room)
    try:
        # Not `wait_for`: its task and an error of the body hold each other, and with them a megabyte, for long.
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError as error:
        raise WebhookRefused(408, "too_slow") from error


@types.coroutine
def _resumed(started: Coroutine[Any, Any, Message], yielded: Any) -> Generator[Any, Any, Message]:
    """What is left of a coroutine that has taken its first step already."""
    try:
        yield yielded
        return (yield from started.__await__())
    finally:
        started.close()


async def _read_from(first: Awaitable[Message], receive: Receive, largest: int, room: Room | None) -> bytes:
    message = _still_there(await first)
    body: bytes = message.get("body", b"")
    more = message.get("more_body", False)
    return await _read_on(receive, body, largest, room) if more else _within_limit(body, largest)


async def _read_on(receive: Receive, first: bytes, largest: int, room: Room | None) -> bytes:
    parts, size, more, held = [first], len(first), True, 0
    try:
        while more:
            message = _still_there(await receive())
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > largest:
                raise WebhookRefused(413, "too_large")
            if room is not None and size > _SMALL_BODY:
                room.hold(size - _SMALL_BODY - held)
                held = size - _SMALL_BODY
            more = message.get("more_body", False)
        return b"".join(parts)
    finally:
        if room is not None:
            room.leave(held)


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
        self, status: int, body: bytes, *, content_type: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        self.status = status
        self._start: Message = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
        self._body: Message = {"type": "http.response.body", "body": body}
        lines = b"".join(b"%s: %s\r\n" % header for header in self._start["headers"])
        self._head, self._raw = b"HTTP/1.1 %d %s\r\n%s" % (status, HTTPStatus(status).phrase.encode(), lines), body

    async def send(self, send: Send) -> None:
        await send(self._start)
        await send(self._body)

    async def send_whole(self, scope: Scope, send: Send, *, further: tuple[bytes, bytes] | None = None) -> None:
        """The same in one piece, where the connection can; `further` is one header of this answer alone."""
        whole = scope.get("extensions", {}).get(WHOLE_ANSWER)
        head = self._head if further is None else self._head + b"%s: %s\r\n" % further
        # Who asks for the head alone would take the body for the next answer.
        if whole is not None and scope["method"] != "HEAD" and whole["write"](head, self._raw):
            return
        start = self._start
        await send(start if further is None else {**start, "headers": [*start["headers"], further]})
        await send(self._body)


def taken(outcome: str) -> Answer:
    # Only who holds a key ever hears it, and the server checks each header of each answer anew.
    return Answer(
        200, msgspec.json.encode({"status": outcome}), content_type=b"application/json", headers=SECURITY_HEADERS[:1]
    )


def refusal(refused: WebhookRefused) -> Answer:
    """As problem+json (RFC 9457). Closing on a body that is still coming would cost its sender these words."""
    return _refusal(refused.status, refused.reason, refused.retry_after_seconds)


# A flood hears the same few words again and again.
@functools.lru_cache(maxsize=256)
def _refusal(status: int, reason: str, retry_after_seconds: int | None) -> Answer:
    headers = list(SECURITY_HEADERS)
    if retry_after_seconds is not None:
        headers.append((b"retry-after", str(max(1, retry_after_seconds)).encode()))
    if status == 408:
        headers.append((b"connection", b"close"))
    if status == 405:
        headers.append((b"allow", b"POST"))
    problem = {"type": "about:blank", "title": _TITLES[status], "status": status, "code": reason}
    return Answer(status, msgspec.json.encode(problem), content_type=b"application/problem+json", headers=headers)
