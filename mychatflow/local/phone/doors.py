"""Who may come in: programs with the gateway's key, and this machine's own phone page."""

import hashlib
import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mychatflow.local.phone.http_body import json_answer

_OWN_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Doors:
    """Guards `/api` by X-Api-Key and everything else by the Host and Origin of a page of this machine."""

    def __init__(self, app: ASGIApp, *, api_key: str) -> None:
        self._app = app
        self._key_digest = _digest(api_key.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["path"].startswith("/api/"):
            if self._has_key(headers):
                await self._app(scope, receive, send)
            else:
                await json_answer({"message": "Unauthorized", "statusCode": 401}, status=401)(scope, receive, send)
            return
        if not _is_own_page(scope["method"], headers):
            answer = json_answer({"message": "Open the phone on this machine", "statusCode": 403}, status=403)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, _with_page_headers(send))

    def _has_key(self, headers: Headers) -> bool:
        return hmac.compare_digest(_digest(headers.get("x-api-key", "").encode()), self._key_digest)


def _is_own_page(method: str, headers: Headers) -> bool:
    """Another site's page can reach a port of this machine: it is stopped by its Host (rebinding) or its Origin."""
    host = headers.get("host", "")
    if host.rpartition(":")[0] not in _OWN_HOSTS and host not in _OWN_HOSTS:
        return False
    if method in {"GET", "HEAD"}:
        # A link from the dashboards may open the page; only the page itself may read the chats behind it.
        is_opened = headers.get("sec-fetch-mode") == "navigate"
        return is_opened or headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    origin = headers.get("origin")
    is_same = origin is None or urlsplit(origin).netloc == host
    return is_same and headers.get("content-type", "").startswith("application/json")


def _with_page_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_PAGE_HEADERS)
        await send(message)

    return sending


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
