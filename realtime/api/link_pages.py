"""Pages for a person who opens a link of ours in a browser, also when it is refused; programs get the problem."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from mychatflow.store.session import AWAY
from realtime.api import document, routes
from realtime.api.problems import Problem

_MEDIA_TYPE: Final = "text/html"
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
_SHELL: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>MyChatFlow</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
  body {{ max-width: 30rem; margin: 15vh auto; padding: 0 1rem }}
  h1 {{ font-size: 1.5rem }}
  button {{
    font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: .5rem; color: #fff; background: #0b7a5f;
    cursor: pointer
  }}
</style>
<h1>{title}</h1><p>{text}</p>{form}"""


class Words(NamedTuple):
    """What a page says, in HTML of ours: nothing that somebody typed."""

    title: str
    text: str


_AWAY: Final = Words("Not right now", "Nothing has changed. Please open the link again in a minute.")


def page(words: Words, *, form: str = "", status: int = 200) -> HTMLResponse:
    """`form` is HTML of ours too."""
    content = _SHELL.format(title=words.title, text=words.text, form=form)
    return HTMLResponse(content, status_code=status, headers=_HEADERS)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the API's document tells of them: as a problem, and as a page."""
    return {
        status: told | {"content": told["content"] | {_MEDIA_TYPE: {"schema": {"type": "string"}}}}
        for status, told in document.refusals(*statuses).items()
    }


def route(*, broken: Words, gone: Words | None = None) -> type[APIRoute]:
    """A route that tells a browser in these words that the link is broken, or that its time is over."""
    told: Mapping[int, Words] = {503: _AWAY, 410: gone or broken}

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    return await handle(request)
                except (Problem, RequestValidationError, *AWAY) as error:
                    refused = routes.refusal(request, error)
                    if _MEDIA_TYPE not in request.headers.get("accept", ""):
                        return refused
                    return page(told.get(refused.status_code, broken), status=refused.status_code)

            return handler

    return PageRoute
