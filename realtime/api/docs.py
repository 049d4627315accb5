"""The API's reference as one page of our own: no script, nothing from another host."""

from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_TEMPLATE: Final = Environment(
    loader=PackageLoader("realtime.api", "static"), autoescape=select_autoescape(default=True), trim_blocks=True
).get_template("docs.html.jinja")


def router_for(app: FastAPI) -> APIRouter:
    """`GET /api/docs`, written from the app's own OpenAPI document at the first request."""
    router = APIRouter()
    pages: list[str] = []

    @router.get("/api/docs", include_in_schema=False, response_class=HTMLResponse)
    async def docs() -> HTMLResponse:
        if not pages:
            pages.append(page(app.openapi()))
        # Styles stand in the page itself; scripts and other hosts stay forbidden.
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse(pages[0], headers={"content-security-policy": policy})

    @router.get("/", include_in_schema=False)
    async def front_door() -> RedirectResponse:
        """Somebody who opens the service's address in a browser wants to know what it can do."""
        return RedirectResponse("/api/docs")

    return router


def page(document: dict[str, Any]) -> str:
    sections: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document.get("paths", {}).items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                tag = (operation.get("tags") or ["service"])[0]
                sections.setdefault(tag, []).append({"method": method.upper(), "path": path, **operation})
    return _TEMPLATE.render(info=document["info"], sections=sections)
