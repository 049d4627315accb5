"""Ahead of all the API does: a caller with too many calls hears so before any route is looked for."""

import functools
from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from realtime import metrics
from realtime.api import problems
from realtime.api.allowance import Left
from realtime.api.crowds import Crowds
from realtime.api.problems import Problem
from realtime.api.security_headers import request_id
from realtime.webhooks.http import SECURITY_HEADERS, Answer

_API: Final = "/api/v1/"


class Gate:
    """A plain ASGI application around the API; `crowds` gives nothing while the process is starting."""

    def __init__(self, app: ASGIApp, crowds: Callable[[], Crowds | None]) -> None:
        self._app = app
        self._crowds = crowds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._refused(scope) if scope["type"] == "http" and scope["path"].startswith(_API) else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        await answer.send_whole(scope, send, further=(b"x-request-id", request_id(scope).encode()))
        metrics.requested(scope["method"], None, answer.status)

    def _refused(self, scope: Scope) -> Answer | None:
        crowds = self._crowds()
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        token = bearer(shown.decode("latin-1"))
        if crowds is None or token is None:
            return None
        if left := crowds.spent(token):
            return _of_spent(left)
        return _of_crowded() if crowds.is_full(token) else None


def bearer(authorization: str) -> str | None:
    """The credentials in that header; None without any of the one kind we take."""
    scheme, _, token = authorization.partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def spent(left: Left) -> Problem:
    wait = {"retry-after": str(left.reset_seconds)}
    return Problem(429, "too_many_requests", "The tenant's calls of this minute are spent.", headers=wait)


def crowded() -> Problem:
    told = "Forty of your calls are under way here already: ask for fewer at once."
    return Problem(429, "too_many_at_once", told, headers={"retry-after": "1"})


# As many as a minute has seconds.
@functools.lru_cache(maxsize=128)
def _of_spent(left: Left) -> Answer:
    return _written(spent(left), left.headers())


@functools.cache
def _of_crowded() -> Answer:
    return _written(crowded(), {})


def _written(problem: Problem, further: Mapping[str, str]) -> Answer:
    written = problems.answer(problem.status, problem.code, problem.detail)
    headers = [(name.encode(), value.encode()) for name, value in {**further, **problem.headers}.items()]
    return Answer(
        problem.status,
        bytes(written.body),
        content_type=problems.MEDIA_TYPE.encode(),
        headers=[*SECURITY_HEADERS, *headers],
    )
