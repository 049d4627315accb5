"""Every request we send is one that the vendor's own OpenAPI file describes."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from realtime.channels.gateway_types import GatewayFailed, MediaFile, WebhookTarget
from realtime.channels.waha import WahaClient, make_message_id

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parent / "waha_openapi_slice.json").read_text())
# The vendor's generator calls event names objects; all of its own examples are strings.
CONTRACT["components"]["schemas"]["WebhookConfig"]["properties"]["events"]["items"] = {"type": "string"}
for _name in ("mimetype", "filename"):
    CONTRACT["components"]["schemas"]["VoiceBinaryFile"]["properties"][_name]["type"] = "string"
CHAT = "22222222222@c.us"
WEBHOOK = WebhookTarget(
    url="https://mychatflow.example/api/webhooks/whatsapp", hmac_key="secret", headers=(("a", "b"),)
)
PICTURE = MediaFile(mimetype="image/png", filename="a.png", data=b"\x89PNG")
DOCUMENT = MediaFile(mimetype="application/pdf", filename="a.pdf", data=b"%PDF-")
VOICE = MediaFile(mimetype="audio/mpeg", filename="a.mp3", data=b"ID3")
CALLS = {
    "send_text": lambda client: client.send_text("shop", CHAT, "Hello", message_id=make_message_id(), reply_to="x"),
    "send_media: a picture": lambda client: client.send_media("shop", CHAT, PICTURE, shape="image", caption="Look"),
    "send_media: a document": lambda client: client.send_media("shop", CHAT, DOCUMENT, shape="file", caption="Look"),
    "send_media: a voice note": lambda client: client.send_media("shop", CHAT, VOICE, shape="voice"),
    "seen": lambda client: client.seen("shop", CHAT, message_ids=(f"false_{CHAT}_3EB0",)),
    "start_typing": lambda client: client.start_typing("shop", CHAT),
    "history": lambda client: client.history("shop", CHAT),
    "chats": lambda client: client.chats("shop"),
    "lids": lambda client: client.lids("shop"),
    "create_session": lambda client: client.create_session("shop", WEBHOOK, metadata={"tenant.id": "t1"}),
    "update_session": lambda client: client.update_session("shop", WEBHOOK),
    "session": lambda client: client.session("shop"),
    "start_session": lambda client: client.start_session("shop"),
    "stop_session": lambda client: client.stop_session("shop"),
    "logout": lambda client: client.logout("shop"),
    "account": lambda client: client.account("shop"),
    "qr_code": lambda client: client.qr_code("shop"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    method: str
    path: str
    query: dict[str, str]
    body: Any


@pytest.mark.parametrize("name", CALLS)
async def test_a_request_fits_the_vendors_schema(name: str) -> None:
    async with _recorder() as (base_url, seen), WahaClient(base_url, "key") as client:
        try:
            await CALLS[name](client)
        except GatewayFailed:
            assert seen, "the answer is not the point: the request is"

    assert len(seen) == 1
    _check(seen[0])


def test_every_call_of_the_client_is_checked() -> None:
    public = {name for name in vars(WahaClient) if not name.startswith("_")}

    # Files are served beside the API that the vendor describes.
    assert public - {"close", "media"} == {name.partition(":")[0] for name in CALLS}


def _check(request: Seen) -> None:
    operation = _operation(request)
    body = operation.get("requestBody")
    if body is not None:
        schema = body["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": CONTRACT["components"]}).validate(request.body)
        _no_unknown_fields(request.body, schema)
    query = {parameter["name"]: parameter for parameter in operation["parameters"] if parameter["in"] == "query"}
    assert set(request.query) <= set(query), "a query parameter that the vendor does not know"
    assert {name for name, given in query.items() if given["required"]} <= set(request.query)


def _operation(request: Seen) -> dict[str, Any]:
    """The contract's operation; a path without parameters wins over one that matches by chance."""
    for template in sorted(CONTRACT["paths"], key=lambda path: path.count("{")):
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, request.path) and request.method.lower() in CONTRACT["paths"][template]:
            operation: dict[str, Any] = CONTRACT["paths"][template][request.method.lower()]
            return operation
    pytest.fail(f"{request.method} {request.path} is not in the contract")


def _no_unknown_fields(value: Any, schema: dict[str, Any]) -> None:
    """The schemas allow any field, but the vendor drops what it does not know: a misspelt one must fail here."""
    if "$ref" in schema:
        schema = CONTRACT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in schema.get("allOf", ()):
        _no_unknown_fields(value, part)
    if isinstance(value, list) and "items" in schema:
        for item in value:
            _no_unknown_fields(item, schema["items"])
    if isinstance(value, dict) and "properties" in schema:
        assert set(value) <= set(schema["properties"])
        for name, inner in value.items():
            _no_unknown_fields(inner, schema["properties"][name])


@asynccontextmanager
async def _recorder() -> AsyncIterator[tuple[str, list[Seen]]]:
    """A server that writes down what it is asked."""
    seen: list[Seen] = []

    async def note(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        path, query = unquote(request.rel_url.raw_path), dict(request.query)
        assert request.headers["X-Api-Key"] == "key"
        seen.append(Seen(method=request.method, path=path, query=query, body=body))
        return web.json_response({})

    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", note)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()
