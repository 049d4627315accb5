"""What every answer of the dashboards tells a browser: show it nowhere else, guess no type, send its cookies safely."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A development machine's owner is signed in without a cookie, so that any page could frame theirs and have them click.
_TOLD: Final = {
    "content-security-policy": "frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


class Guarded:
    """Adds what an answer does not say itself; a file says more."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._is_https = is_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _TOLD.items():
                    headers.setdefault(name, value)
                if self._is_https:
                    _secure(message)
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


def _secure(message: Message) -> None:
    """Streamlit's cookies would go over plain http, too, which anybody on the way can ask a browser for."""
    message["headers"] = [
        (name, value + b"; Secure" if name.lower() == b"set-cookie" and b"; secure" not in value.lower() else value)
        for name, value in message["headers"]
    ]
