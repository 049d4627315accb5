"""Ahead of the API's routes: a caller whose minute is spent hears so before any of them is looked for."""

import functools
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.api import problems
from realtime.api.allowance import Left
from realtime.api.crowds import Crowds
from realtime.api.problems import Problem
from realtime.webhooks.http import Answer

_API: Final = "/api/v1/"


class Gate:
    """A plain ASGI application around the API; `crowds` gives nothing while the process is starting."""

    def __init__(self, app: ASGIApp, crowds: Callable[[], Crowds | None]) -> None:
        self._app = app
        self._crowds = crowds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = self._spent(scope) if scope["type"] == "http" and scope["path"].startswith(_API) else None
        if left is None:
            await self._app(scope, receive, send)
        else:
            await _refusal(left).send(send)

    def _spent(self, scope: Scope) -> Left | None:
        crowds = self._crowds()
        if crowds is None:
            return None
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        token = bearer(shown.decode("latin-1"))
        return crowds.spent(token) if token else None


def bearer(authorization: str) -> str | None:
    """The credentials in that header; None without any of the one kind we take."""
    scheme, _, token = authorization.partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def spent(left: Left) -> Problem:
    wait = {"retry-after": str(left.reset_seconds)}
    return Problem(429, "too_many_requests", "The tenant's calls of this minute are spent.", headers=wait)


# As many as a minute has seconds.
@functools.lru_cache(maxsize=128)
def _refusal(left: Left) -> Answer:
    problem = spent(left)
    written = problems.answer(problem.status, problem.code, problem.detail)
    headers = [(name.encode(), value.encode()) for name, value in {**left.headers(), **problem.headers}.items()]
    return Answer(problem.status, bytes(written.body), content_type=problems.MEDIA_TYPE.encode(), headers=headers)
