"""Security headers and a request id on every answer, as plain ASGI."""

import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime.webhooks.http import SECURITY_HEADERS

_LONGEST_ID: Final = 100


class SecurityHeaders:
    """Adds what the answer does not set itself; keeps a caller's X-Request-ID when it is harmless."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = request_id(scope)
        scope.setdefault("state", {})["request_id"] = given

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                present = {name for name, _ in headers}
                headers += [pair for pair in SECURITY_HEADERS if pair[0] not in present]
                headers.append((b"x-request-id", given.encode()))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def request_id(scope: Scope) -> str:
    """The caller's own when it is harmless, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            if given.isascii() and given.replace("-", "").isalnum() and len(given) <= _LONGEST_ID:
                return given
    return uuid.uuid4().hex
