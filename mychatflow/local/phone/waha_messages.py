"""WAHA's API for messages: sending, receipts, typing, reactions, history."""

import base64
import binascii
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mychatflow.local.phone import ids, payloads
from mychatflow.local.phone.exchange import now_ms
from mychatflow.local.phone.files import mimetype_of
from mychatflow.local.phone.gateway import Gateway
from mychatflow.local.phone.http_body import json_answer, optional_text, read_json, refusal, text_of
from mychatflow.local.phone.records import Draft, Media, Message

_MOST_MESSAGES: Final = 1000
_Row = TypeVar("_Row")


class MessagesApi:
    def __init__(self, gateway: Gateway, *, history_lag_ms: int = 0) -> None:
        self._gateway = gateway
        # Until then a message cannot be found in the history: a real engine takes a moment.
        self._history_lag_ms = history_lag_ms

    def routes(self) -> list[Route]:
        return [
            Route("/api/sendText", self._send_text, methods=["POST"]),
            Route("/api/sendSeen", self._send_seen, methods=["POST"]),
            Route("/api/startTyping", self._start_typing, methods=["POST"]),
            Route("/api/stopTyping", self._stop_typing, methods=["POST"]),
            Route("/api/sendImage", self._send_media, methods=["POST"]),
            Route("/api/sendFile", self._send_media, methods=["POST"]),
            Route("/api/sendVoice", self._send_media, methods=["POST"]),
            Route("/api/reaction", self._react, methods=["PUT"]),
            Route("/api/files/{session}/{name}", self._file),
            Route("/api/{session}/new-message-id", self._new_message_id),
            Route("/api/{session}/chats/overview", self._overview),
            Route("/api/{session}/chats/{chat_id}/messages", self._history),
            Route("/api/{session}/lids", self._lids),
        ]

    async def _send_text(self, request: Request) -> Response:
        body = await read_json(request)
        draft = Draft(text=text_of(body, "text"), reply_to=optional_text(body, "reply_to"))
        return self._send(body, draft, message_id=optional_text(body, "id"))

    async def _send_media(self, request: Request) -> Response:
        body = await read_json(request)
        media = self._read_media(body.get("file"))
        draft = Draft(text=str(body.get("caption") or ""), media=media, reply_to=optional_text(body, "reply_to"))
        return self._send(body, draft, message_id=None)

    def _send(self, body: dict[str, Any], draft: Draft, *, message_id: str | None) -> Response:
        sent = self._gateway.business.send(
            text_of(body, "session"), text_of(body, "chatId"), draft, message_id=message_id
        )
        return json_answer(payloads.sent_answer(sent, engine=self._gateway.exchange.engine), status=201)

    async def _send_seen(self, request: Request) -> Response:
        body = await read_json(request)
        self._gateway.business.seen(text_of(body, "session"), text_of(body, "chatId"))
        return json_answer({}, status=201)

    async def _start_typing(self, request: Request) -> Response:
        return await self._typing(request, is_typing=True)

    async def _stop_typing(self, request: Request) -> Response:
        return await self._typing(request, is_typing=False)

    async def _typing(self, request: Request, *, is_typing: bool) -> Response:
        body = await read_json(request)
        self._gateway.business.typing(text_of(body, "session"), text_of(body, "chatId"), is_typing=is_typing)
        return json_answer({"result": True}, status=201)

    async def _react(self, request: Request) -> Response:
        body = await read_json(request)
        emoji = body.get("reaction")
        if not isinstance(emoji, str) or len(emoji) > 32:
            raise refusal(400, "reaction must be an emoji or empty")
        target = self._gateway.business.react(text_of(body, "session"), text_of(body, "messageId"), emoji)
        return json_answer({"id": f"true_{target.chat_id}_{ids.web_message_id()}", "_data": {}})

    async def _new_message_id(self, request: Request) -> Response:
        self._gateway.sessions.working(request.path_params["session"])
        if self._gateway.exchange.engine == "WEBJS":
            raise refusal(501, "The engine 'WEBJS' takes no message ids")
        return json_answer({"id": ids.web_message_id()})

    async def _history(self, request: Request) -> Response:
        name, chat_id = request.path_params["session"], request.path_params["chat_id"]
        session = self._gateway.sessions.working(name)
        since_ms = int(_number(request, "filter.timestamp.gte", 0) * 1000)
        newest_ms = now_ms() - self._history_lag_ms
        found = [
            message
            for message in self._gateway.chats.messages(name, chat_id)
            if message.sent_ms // 1000 * 1000 >= since_ms and (not self._history_lag_ms or message.sent_ms <= newest_ms)
        ]
        is_descending = request.query_params.get("sortOrder", "desc") != "asc"
        found.sort(key=lambda message: message.sent_ms, reverse=is_descending)
        base_url = self._gateway.exchange.base_url
        page = _page(request, found, default=10)
        return json_answer([payloads.message(message, session, base_url=base_url) for message in page])

    async def _overview(self, request: Request) -> Response:
        name = request.path_params["session"]
        session = self._gateway.sessions.working(name)
        page = _page(request, self._gateway.chats.chats_of(name), default=20)
        return json_answer([self._summary(session.name, chat_id, last) for chat_id, last in page])

    def _summary(self, session: str, chat_id: str, last: Message) -> dict[str, Any]:
        customer = self._gateway.chats.customer_of(chat_id)
        shown = payloads.message(last, self._gateway.sessions.get(session), base_url=self._gateway.exchange.base_url)
        name = customer.name if customer else last.author
        return {"id": chat_id, "name": name, "picture": None, "lastMessage": shown, "_chat": {}}

    async def _lids(self, request: Request) -> Response:
        self._gateway.sessions.working(request.path_params["session"])
        known = [
            {"lid": ids.hidden_id(customer.phone), "pn": f"{customer.phone}@c.us"}
            for customer in self._gateway.chats.customers()
        ]
        return json_answer(_page(request, known, default=100))

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        data = self._gateway.exchange.files.load(name)
        if data is None:
            raise refusal(404, "File not found")
        return Response(data, media_type=mimetype_of(name), headers={"X-Content-Type-Options": "nosniff"})

    def _read_media(self, given: object) -> Media:
        if not isinstance(given, dict):
            raise refusal(400, "file must be an object")
        mimetype = str(given.get("mimetype") or "application/octet-stream")
        filename = str(given["filename"]) if given.get("filename") else None
        data, url = given.get("data"), given.get("url")
        if isinstance(data, str):
            stored = self._gateway.exchange.files.save(decode_base64(data), mimetype=mimetype)
            return Media(mimetype=mimetype, filename=filename, file=stored)
        if isinstance(url, str):
            # The sandbox fetches nothing from elsewhere: the page shows the address.
            return Media(mimetype=mimetype, filename=filename, url=url)
        raise refusal(400, "file needs data or url")


def decode_base64(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(400, "data is not base64") from error


def _page(request: Request, rows: list[_Row], *, default: int) -> list[_Row]:
    limit = min(int(_number(request, "limit", default)), _MOST_MESSAGES)
    offset = int(_number(request, "offset", 0))
    return rows[offset : offset + limit]


def _number(request: Request, name: str, default: float) -> float:
    try:
        value = float(request.query_params.get(name, default))
    except ValueError as error:
        raise refusal(400, f"{name} must be a number") from error
    if not 0 <= value <= 1e12:
        raise refusal(400, f"{name} is out of range")
    return value
