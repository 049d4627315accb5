"""What the phone page may do: be a customer. Reachable from this machine's own pages only."""

from collections.abc import AsyncIterator
from typing import Any, Final

import phonenumbers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mychatflow.local.phone import views
from mychatflow.local.phone.addresses import Links
from mychatflow.local.phone.files import PLAYED_INLINE, SHOWN_INLINE, mimetype_of
from mychatflow.local.phone.gateway import Gateway
from mychatflow.local.phone.http_body import json_answer, optional_text, read_json, refusal, text_of
from mychatflow.local.phone.records import Customer, Draft, Media
from mychatflow.local.phone.waha_messages import decode_base64

SUGGESTIONS: Final = (
    "How much is a cleaning?",
    "Are you open on Saturday?",
    "Can I book for tomorrow at 3 pm?",
    "¿Cuánto cuesta una limpieza?",
    "Can I talk to a person?",
    "STOP",
)
# Shown until somebody adds a customer: numbers of the ranges that belong to nobody.
_PERSONAS: Final = (
    Customer(phone="12025550143", name="Ann Lee"),
    Customer(phone="447700900123", name="Tom Baker"),
    Customer(phone="13055550176", name="Lucía Gómez"),
)
_MOST_STRANGERS: Final = 30
_HEARTBEAT: Final = 15.0
_LONGEST_TEXT: Final = 65_536
# Ten megabytes, as base64.
_LONGEST_PICTURE: Final = (10 << 20) // 3 * 4


class PageApi:
    def __init__(self, gateway: Gateway, links: Links) -> None:
        self._gateway = gateway
        self._links = links

    def routes(self) -> list[Route]:
        return [
            Route("/phone/api/state", self._state),
            Route("/phone/api/chat", self._chat),
            Route("/phone/api/news", self._news),
            Route("/phone/api/messages", self._write, methods=["POST"]),
            Route("/phone/api/customers", self._add_customer, methods=["POST"]),
            Route("/phone/api/reactions", self._react, methods=["POST"]),
            Route("/phone/api/read", self._read, methods=["POST"]),
            Route("/phone/api/clear", self._clear, methods=["POST"]),
            Route("/phone/api/pair", self._pair, methods=["POST"]),
            Route("/phone/files/{name}", self._file),
        ]

    async def _state(self, _request: Request) -> Response:
        """Everything the page needs to begin: businesses, customers, their chats, suggestions, links."""
        sessions = self._gateway.sessions.all()
        return json_answer(
            {
                "sessions": [views.session(session) for session in sessions],
                "customers": [views.customer(customer) for customer in self._customers()],
                "chats": {session.name: self._chats_of(session.name) for session in sessions},
                "suggestions": SUGGESTIONS,
                "links": self._links.read(),
            }
        )

    def _customers(self) -> list[Customer]:
        """The personas, those who wrote, and those who were lately written to (a campaign, a follow-up)."""
        chats = self._gateway.chats
        lasts = [pair for session in self._gateway.sessions.all() for pair in chats.chats_of(session.name)]
        lasts.sort(key=lambda pair: pair[1].sent_ms, reverse=True)
        phones = [
            chat_id.removesuffix("@c.us") for chat_id, _last in lasts[:_MOST_STRANGERS] if chat_id.endswith("@c.us")
        ]
        strangers = [Customer(phone=phone, name=views.readable_number(phone)) for phone in phones]
        known = {customer.phone: customer for customer in (*_PERSONAS, *strangers)}
        return list((known | {customer.phone: customer for customer in chats.customers()}).values())

    def _chats_of(self, session: str) -> list[dict[str, Any]]:
        chats = self._gateway.chats
        shown = []
        for chat_id, last in chats.chats_of(session)[:200]:
            customer = chats.customer_of(chat_id)
            unread = sum(1 for _ in chats.unread(session, chat_id, from_me=True))
            shown.append(views.chat(chat_id, last, name=customer.name if customer else last.author, unread=unread))
        return shown

    async def _chat(self, request: Request) -> Response:
        session, chat_id = request.query_params.get("session", ""), request.query_params.get("chat_id", "")
        messages = self._gateway.chats.messages(session, chat_id)[-500:]
        return json_answer({"messages": [views.message(message) for message in messages]})

    async def _news(self, _request: Request) -> Response:
        return StreamingResponse(self._events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _events(self) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        async for news in self._gateway.exchange.feed.listen(heartbeat=_HEARTBEAT):
            yield b"data: " + news + b"\n\n" if news else b": still here\n\n"

    async def _write(self, request: Request) -> Response:
        body = await read_json(request)
        media = self._read_picture(body.get("media"))
        text = str(body.get("text") or "") if media else text_of(body, "text", longest=_LONGEST_TEXT)
        draft = Draft(text=text, media=media, reply_to=optional_text(body, "reply_to"))
        written = self._gateway.customers.write(text_of(body, "session"), _customer(body), draft)
        return json_answer({"message": views.message(written)}, status=201)

    async def _add_customer(self, request: Request) -> Response:
        customer = _customer(await read_json(request))
        self._gateway.exchange.keep_customer(customer)
        return json_answer(views.customer(customer), status=201)

    async def _react(self, request: Request) -> Response:
        body = await read_json(request)
        emoji = str(body.get("emoji") or "")
        if len(emoji) > 32:
            raise refusal(400, "emoji is too long")
        changed = self._gateway.customers.react(text_of(body, "session"), text_of(body, "message_id"), emoji)
        return json_answer({"message": views.message(changed)})

    async def _read(self, request: Request) -> Response:
        body = await read_json(request)
        self._gateway.customers.read(text_of(body, "session"), text_of(body, "chat_id"))
        return json_answer({})

    async def _clear(self, request: Request) -> Response:
        body = await read_json(request)
        self._gateway.customers.forget_chat(text_of(body, "session"), text_of(body, "chat_id"))
        return json_answer({})

    async def _pair(self, request: Request) -> Response:
        body = await read_json(request)
        return json_answer(views.session(self._gateway.lifecycle.pair(text_of(body, "session"))))

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        data = self._gateway.exchange.files.load(name)
        if data is None:
            raise refusal(404, "File not found")
        kind = mimetype_of(name)
        disposition = "inline" if kind in SHOWN_INLINE | PLAYED_INLINE else "attachment"
        return Response(data, media_type=kind, headers={"Content-Disposition": disposition})

    def _read_picture(self, given: object) -> Media | None:
        if given is None:
            return None
        if not isinstance(given, dict) or given.get("mimetype") not in SHOWN_INLINE:
            raise refusal(400, "Only JPEG, PNG, WebP and GIF pictures can be sent")
        data = decode_base64(text_of(given, "data", longest=_LONGEST_PICTURE))
        stored = self._gateway.exchange.files.save(data, mimetype=given["mimetype"])
        return Media(mimetype=given["mimetype"], filename=str(given.get("filename") or "picture")[:120], file=stored)


def _customer(body: dict[str, Any]) -> Customer:
    """The persona that writes: a number in international form, and a name."""
    try:
        number = phonenumbers.parse("+" + text_of(body, "phone", longest=32).lstrip("+"))
    except phonenumbers.NumberParseException as error:
        raise refusal(400, "Give the number with its country code, like +1 202 555 0199") from error
    if not phonenumbers.is_possible_number(number):
        raise refusal(400, "Give the number with its country code, like +1 202 555 0199")
    name = " ".join(text_of(body, "name", longest=80).split())
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    return Customer(phone=digits, name=name or digits)
