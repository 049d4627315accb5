"""The fake gateway's remote control, for chaos runs and benchmarks in other processes."""

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mychatflow.local.phone.http_body import json_answer, read_json
from mychatflow.local.phone.records import Ack, GatewayRefusal, SessionStatus
from tests.fakes.waha_faults import KINDS, SEND_TEXT

if TYPE_CHECKING:
    from tests.fakes.waha import FakeWaha

PREFIX = "/__control/"


class Controlled:
    """Answers `/__control/…` itself and hands on everything else."""

    def __init__(self, inner: ASGIApp, fake: "FakeWaha") -> None:
        self._inner = inner
        self._fake = fake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._inner(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except GatewayRefusal as refusal:
            answer = json_answer(refusal.body, status=refusal.status)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        body = await read_json(request) if request.method == "POST" else {}
        match request.method, request.url.path.removeprefix(PREFIX):
            case "POST", "faults":
                return self._plan(body)
            case "DELETE", "faults":
                self._fake.faults.clear()
                return json_answer({})
            case "GET", "faults":
                return json_answer({"fired": dict(self._fake.faults.fired)})
            case "POST", "sessions":
                session = await self._fake.a_session(body.pop("name", "default"), **_events_as_tuple(body))
                return json_answer({"name": session.name, "status": session.status})
            case "POST", "status":
                self._fake.set_status(SessionStatus(body["status"]), session=body.get("session", "default"))
                return json_answer({})
            case "POST", "send":
                return json_answer({"sent": [self._send(row) for row in body.get("messages", [body])]})
            case "POST", "ack":
                level = Ack[body["level"]]
                self._fake.acknowledge(
                    body["chat_id"], body["message_id"], level, session=body.get("session", "default")
                )
                return json_answer({})
            case "GET", "deliveries":
                return json_answer(self._deliveries())
            case "GET", "sends":
                # Cheap enough to be asked again and again beside a load.
                return json_answer({"attempts": len(self._fake.attempts)})
            case "GET", "attempts":
                return json_answer(self._fake.attempts)
            case "GET", "hooks":
                return json_answer({"pending": self._fake.gateway.exchange.hooks.pending})
            case _:
                return json_answer({"message": "no such control"}, status=404)

    def _plan(self, body: dict[str, Any]) -> Response:
        """{kind, times | share | always, path, seconds}"""
        kind, path, seconds = body["kind"], body.get("path", SEND_TEXT), body.get("seconds", 1.0)
        if kind not in KINDS:
            return json_answer({"message": f"kind must be one of {sorted(KINDS)}"}, status=400)
        if "share" in body:
            self._fake.faults.share(kind, body["share"], path=path, seconds=seconds)
        elif body.get("always"):
            self._fake.faults.always(kind, path=path, seconds=seconds)
        else:
            self._fake.faults.plan(kind, times=body.get("times", 1), path=path, seconds=seconds)
        return json_answer({})

    def _send(self, row: dict[str, Any]) -> str:
        sent_at = datetime.fromisoformat(row["sent_at"]) if row.get("sent_at") else None
        sent = self._fake.send_from(
            row["chat_id"],
            row["text"],
            session=row.get("session", "default"),
            message_id=row.get("message_id"),
            sent_at=sent_at,
            author=row.get("author"),
        )
        return sent.full_id

    def _deliveries(self) -> dict[str, Any]:
        """Per session and chat what the customer sees, and how many sends WhatsApp got for it."""
        seen: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(dict)
        for session in self._fake.gateway.sessions.all():
            for chat_id, _last in self._fake.gateway.chats.chats_of(session.name):
                rows = self._fake.deliveries(chat_id, session=session.name)
                seen[session.name][chat_id] = [msgspec.to_builtins(row) for row in rows]
        return {"attempts": len(self._fake.attempts), "sessions": seen}


def _events_as_tuple(body: dict[str, Any]) -> dict[str, Any]:
    return body | ({"events": tuple(body["events"])} if "events" in body else {})
