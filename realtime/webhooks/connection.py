"""One connection to the web process: uvicorn's, with the limits on request headers that it lacks."""

import asyncio
import logging
import time
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from realtime.webhooks.http import WHOLE_ANSWER

SLOWEST_HEADERS_SECONDS: Final = 10.0
LARGEST_HEADERS: Final = 32 * 1024
# Closing at once on a body that is still coming would cost its sender our answer; reading on for ever would cost us.
REST_OF_BODY_SECONDS: Final = 2.0
_TOLD_EVERY_SECONDS: Final = 60.0
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class OnceAMinute(logging.Filter):
    """Strangers choose how often they send what is no HTTP: the same warning is written once a minute, and counted."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at: dict[str, float] = {}
        self._unwritten: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING or record.args:
            return True
        now, told = time.monotonic(), record.getMessage()
        if now - self._told_at.get(told, -_TOLD_EVERY_SECONDS) < _TOLD_EVERY_SECONDS:
            self._unwritten[told] = self._unwritten.get(told, 0) + 1
            return False
        self._told_at[told] = now
        record.__dict__["more_since"] = self._unwritten.pop(told, 0)
        return True


STRANGERS: Final = logging.getLogger(__name__)
STRANGERS.addFilter(OnceAMinute())


class HeadTooLarge(Exception):
    """Ends the parser's work on a head that came in one piece."""


class Connection(HttpToolsProtocol):
    """A head must be whole within some seconds and bytes; without that, whoever drips it holds us as long as they like.

    A head that comes in one piece, as nearly all do, costs two comparisons and no timer.
    """

    _is_head_open = True
    # Between requests. Line breaks ahead of a request begin none, and yet end uvicorn's wait for one.
    _is_resting = False
    # Answered early, a request may still send the rest of its body: that is no head.
    _is_body_open = False
    _head_size = 0
    # A whole head may hide in a piece that is larger than a head may be.
    _is_piece_large = False
    _head_deadline: asyncio.TimerHandle | None = None
    _body_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.logger = STRANGERS
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._forget_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._is_piece_large = len(data) > LARGEST_HEADERS
        # The rest of a body may end in this piece, and the next head begin in it: none of it counts as that head.
        is_rest_of_body = self._is_body_open
        super().data_received(data)
        is_head = self._is_head_open or (self._is_resting and not self._is_body_open)
        if not is_head or self.transport.is_closing():
            return
        self._head_size += 0 if is_rest_of_body else len(data)
        if self._head_size > LARGEST_HEADERS:
            self._refuse(_TOO_LARGE)
        elif self._head_deadline is None:
            self._await_head()

    def on_message_begin(self) -> None:
        self._is_head_open = True
        self._is_resting = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._is_piece_large and len(self.url) + sum(len(n) + len(v) for n, v in self.headers) > LARGEST_HEADERS:
            self._refuse(_TOO_LARGE)
            raise HeadTooLarge
        self.scope["extensions"] = {WHOLE_ANSWER: {"write": self._answer_whole}}
        self._is_head_open = False
        self._is_body_open = True
        self._head_size = 0
        if self._head_deadline is not None:
            self._forget_deadline()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        # What the parser makes of an error in the midst of a request; ours has its answer already.
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def on_message_complete(self) -> None:
        self._forget_body()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._is_resting = True
        if self._is_body_open and self._body_deadline is None:
            self._body_deadline = self.loop.call_later(REST_OF_BODY_SECONDS, self.transport.close)
        super().on_response_complete()

    def _answer_whole(self, head: bytes, body: bytes) -> bool:
        """Write a whole answer to the request under way; False where uvicorn must do it, who looks at every header."""
        cycle = self.cycle
        if self.pipeline or cycle.response_started or not cycle.keep_alive or self.flow.write_paused:
            return False
        if not cycle.disconnected:
            cycle.response_started = cycle.response_complete = True
            defaults = b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)
            self.transport.write(head + defaults + b"\r\n" + body)
            cycle.message_event.set()
            self.on_response_complete()
        return True

    def _await_head(self) -> None:
        self._head_deadline = self.loop.call_later(SLOWEST_HEADERS_SECONDS, self._refuse, _TOO_SLOW)

    def _forget_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _forget_body(self) -> None:
        self._is_body_open = False
        if self._body_deadline is not None:
            self._body_deadline.cancel()
            self._body_deadline = None

    def _refuse(self, answer: bytes) -> None:
        self._forget_deadline()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
