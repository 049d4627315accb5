"""Faults that a test switches on in the fake gateway, call by call or as a share of all answers."""

import asyncio
import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultKind = Literal[
    "500_before",
    "500_after",
    "503_before",
    "401",
    "404",
    "422",
    "429",
    "463",
    "475",
    "463_as_status",
    "hang_before",
    "hang_after",
    "reset_before",
    "reset_after",
    "html_201",
    "empty_201",
    "broken_201",
    "truncated_201",
    "huge_201",
    "late",
    "redirect",
]
KINDS: Final = frozenset(get_args(FaultKind))
SEND_TEXT: Final = "/api/sendText"

_NOT_WORKING: Final = {
    "error": "Session status is not as expected. Try again later or restart the session",
    "session": "default",
    "status": "STARTING",
    "expected": ["WORKING"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    kind: FaultKind
    seconds: float = 1.0


class Faults:
    """What goes wrong next, per path. `fired` proves afterwards that it did."""

    def __init__(self, *, seed: int = 7) -> None:
        self.fired: Counter[str] = Counter()
        self._planned: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._shares: dict[str, tuple[Fault, float]] = {}
        self._standing: dict[str, Fault] = {}
        self._chance = random.Random(seed)

    def plan(self, kind: FaultKind, *, times: int = 1, path: str = SEND_TEXT, seconds: float = 1.0) -> None:
        """The next `times` calls of that path go wrong."""
        self._planned[path].extend([Fault(kind=kind, seconds=seconds)] * times)

    def always(self, kind: FaultKind, *, path: str = SEND_TEXT, seconds: float = 1.0) -> None:
        """Every call of that path goes wrong until `clear`."""
        self._standing[path] = Fault(kind=kind, seconds=seconds)

    def share(self, kind: FaultKind, share: float, *, path: str = SEND_TEXT, seconds: float = 1.0) -> None:
        """That share of the calls goes wrong, by chance."""
        self._shares[path] = (Fault(kind=kind, seconds=seconds), share)

    def clear(self) -> None:
        self._planned.clear()
        self._shares.clear()
        self._standing.clear()

    def take(self, path: str) -> Fault | None:
        fault = self._next(path)
        if fault is not None:
            self.fired[fault.kind] += 1
        return fault

    def _next(self, path: str) -> Fault | None:
        if self._planned.get(path):
            return self._planned[path].popleft()
        if path in self._standing:
            return self._standing[path]
        fault, share = self._shares.get(path, (None, 0.0))
        return fault if fault is not None and self._chance.random() < share else None


class Faulty:
    """The gateway's application with the planned faults in front of it."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._faults.take(scope["path"]) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        await self._go_wrong(fault, scope, receive, send)

    async def _go_wrong(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        does_the_work = fault.kind.endswith(("_after", "_201")) or fault.kind == "late"
        answer = await self._work(scope, receive) if does_the_work else []
        match fault.kind:
            case "hang_before" | "hang_after":
                await _until_disconnected(receive)
            case "reset_before" | "reset_after":
                _reset(receive)
            case "late":
                await asyncio.sleep(fault.seconds)
                for message in answer:
                    await send(message)
            case "huge_201":
                await _answer_endlessly(send)
            case "truncated_201":
                await _truncate(send)
            case _:
                status, body, kind = _ANSWERS[fault.kind]
                await _answer(send, status, body, kind)

    async def _work(self, scope: Scope, receive: Receive) -> list[Message]:
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        await self._app(scope, receive, keep)
        return kept


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _json(document: object) -> bytes:
    return msgspec.json.encode(document)


def _restricted(code: int) -> bytes:
    return _json({"statusCode": 500, "exception": {"message": f"2 UNKNOWN: server returned error {code}"}})


_INTERNAL: Final = _json({"statusCode": 500, "timestamp": "…", "exception": {"stack": "TypeError: …"}})
_ANSWERS: Final[dict[str, tuple[int, bytes, str]]] = {
    "500_before": (500, _INTERNAL, "application/json"),
    "500_after": (500, _INTERNAL, "application/json"),
    "503_before": (503, b"upstream is away", "text/plain"),
    "401": (401, _json({"message": "Unauthorized", "statusCode": 401}), "application/json"),
    "404": (404, _json({"statusCode": 404, "message": "Session not found", "error": "Not Found"}), "application/json"),
    "422": (422, _json(_NOT_WORKING), "application/json"),
    "429": (429, _json({"statusCode": 429, "message": "Too many requests"}), "application/json"),
    # Engines put WhatsApp's code into the text of a 500.
    "463": (500, _restricted(463), "application/json"),
    "475": (500, _restricted(475), "application/json"),
    "463_as_status": (463, b"", "application/json"),
    "html_201": (201, b"<!doctype html><title>It works</title>", "text/html"),
    "empty_201": (201, b"", "application/json"),
    "broken_201": (201, b'{"key": {"id": "3EB0', "application/json"),
    "redirect": (302, b"", "text/plain"),
}


async def _answer(send: Send, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if status == 302:
        headers.append((b"location", b"/health"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer_endlessly(send: Send) -> None:
    """Two hundred megabytes."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(200 << 20).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    chunk = b" " * (1 << 20)
    for left in range(199, -1, -1):
        await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})


async def _truncate(send: Send) -> None:
    """Half an answer: the server closes the connection when the application ends early."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"400")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"key": {"id":', "more_body": True})


def _reset(receive: Receive) -> None:
    """Cut the connection without an answer; only the server's own request object knows its transport."""
    receive.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's bound method
