"""What the API's own document says of refusals: each status that an operation may answer with, in their one form."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from realtime.api.problems import MEDIA_TYPE

_SCHEMA: Final = "Problem"
_REFUSALS: Final[Mapping[int, str]] = {
    400: "A cursor, a header or the body cannot be read.",
    401: "No credentials, or such as open nothing.",
    403: "The role, or the key's scopes, do not hold the permission that is named.",
    404: "There is nothing of that id in the caller's tenant.",
    408: "The body came too slowly.",
    409: "Not as things stand now: the code says why. Or the first request of that Idempotency-Key still runs.",
    410: "It was there once.",
    413: "The body is too large.",
    415: "A body of another type is expected.",
    422: "Some fields are not as they must be: `errors` names each. Or the Idempotency-Key belongs to another request.",
    429: "The tenant's calls of this minute are spent: `Retry-After` says until when.",
    502: "The WhatsApp gateway refused.",
    503: "Something we need is away: try again after `Retry-After` seconds.",
    504: "The WhatsApp gateway did not answer in time.",
}
_EVERYWHERE: Final = (400, 401, 403, 404, 422, 429, 503)
_WITH_A_BODY: Final = (408, 409, 413)


class FieldError(BaseModel):
    """One field, and what is wrong with it: never its value."""

    model_config = ConfigDict(extra="allow")

    where: list[str | int]
    problem: str
    kind: str


class Refusal(BaseModel):
    """An error as RFC 9457 has it; `code` is stable, `detail` is for people."""

    model_config = ConfigDict(extra="allow", title=_SCHEMA)

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[FieldError] | None = None


class Documented(FastAPI):
    """An application whose document holds the form of the refusals."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        form = Refusal.model_json_schema(ref_template="#/components/schemas/{model}")
        inner: dict[str, Any] = form.pop("$defs")
        document.setdefault("components", {}).setdefault("schemas", {}).update({_SCHEMA: form} | inner)
        return document


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Those statuses as the `responses` of a route."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_SCHEMA}"}}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in statuses}


def file(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """A success that is a file of one of these types."""
    return {200: {"content": {key: {"schema": {"type": "string", "format": "binary"}} for key in media_types}}}


def usual(*, has_body: bool, takes_files: bool) -> dict[int | str, dict[str, Any]]:
    """What any route of the tenant API may answer with before its own work begins."""
    return refusals(*_EVERYWHERE, *(_WITH_A_BODY if has_body else ()), *((415,) if takes_files else ()))
