"""Reading requests and writing answers of the phone's two doors, with bounds."""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mychatflow.local.phone.records import GatewayRefusal

# A picture of 10 MB as base64, and some room.
LARGEST_BODY: Final = 14 << 20


async def read_json(request: Request) -> dict[str, Any]:
    """The request's JSON object."""
    body = await _read_bounded(request)
    if not body:
        return {}
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise refusal(400, "The body is not JSON") from error
    if not isinstance(document, dict):
        raise refusal(400, "The body is not a JSON object")
    return document


def text_of(document: dict[str, Any], field: str, *, longest: int = 1 << 20) -> str:
    """A required text field."""
    value = document.get(field)
    if not isinstance(value, str) or not value or len(value) > longest:
        raise refusal(400, f"{field} must be a text of 1 to {longest} characters")
    return value


def optional_text(document: dict[str, Any], field: str) -> str | None:
    return None if document.get(field) is None else text_of(document, field, longest=512)


def json_answer(document: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status_code=status, media_type="application/json")


def refusal(status: int, message: str) -> GatewayRefusal:
    error = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 413: "Payload Too Large"}
    document = {"statusCode": status, "message": message, "error": error.get(status, "Unprocessable Entity")}
    return GatewayRefusal(status, document)


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """Starlette's handler for GatewayRefusal."""
    if not isinstance(error, GatewayRefusal):
        raise error
    return json_answer(error.body, status=error.status)


async def _read_bounded(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            raise refusal(413, "The body is too large")
    return b"".join(chunks)
