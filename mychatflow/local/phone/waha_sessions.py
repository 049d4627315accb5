"""WAHA's API for sessions: make, change, start, stop, pair and forget a business's number."""

import base64
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mychatflow.local.phone import payloads
from mychatflow.local.phone.gateway import Gateway
from mychatflow.local.phone.http_body import json_answer, read_json, refusal, text_of
from mychatflow.local.phone.records import Session, SessionStatus

# What the picture says to whoever scans it: pairing happens with a button of the phone page.
PAIRING_TEXT: Final = "MyChatFlow sandbox: press Pair on the phone page"
_PAIRING_PICTURE: Final = Path(__file__).parent / "static" / "pairing.png"


class SessionsApi:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lifecycle = gateway.lifecycle

    def routes(self) -> list[Route]:
        return [
            Route("/api/sessions", self._all),
            Route("/api/sessions", self._create, methods=["POST"]),
            Route("/api/sessions/{session}", self._one),
            Route("/api/sessions/{session}", self._update, methods=["PUT"]),
            Route("/api/sessions/{session}", self._delete, methods=["DELETE"]),
            Route("/api/sessions/{session}/me", self._me),
            Route("/api/sessions/{session}/{action:str}", self._act, methods=["POST"]),
            Route("/api/{session}/auth/qr", self._qr),
            Route("/api/server/version", self._version),
            Route("/api/version", self._version),
        ]

    async def _all(self, request: Request) -> Response:
        is_all = request.query_params.get("all") == "true"
        sessions = self._gateway.sessions.all()
        return json_answer([_info(known) for known in sessions if is_all or known.status is not SessionStatus.STOPPED])

    async def _create(self, request: Request) -> Response:
        body = await read_json(request)
        session = self._lifecycle.create(
            text_of(body, "name"), _config(body), is_started=body.get("start", True) is not False
        )
        return json_answer(_state(session), status=201)

    async def _one(self, request: Request) -> Response:
        return json_answer(_info(self._gateway.sessions.get(request.path_params["session"])))

    async def _update(self, request: Request) -> Response:
        body = await read_json(request)
        return json_answer(_state(self._lifecycle.update(request.path_params["session"], _config(body))))

    async def _delete(self, request: Request) -> Response:
        self._lifecycle.delete(request.path_params["session"])
        return Response(status_code=200)

    async def _me(self, request: Request) -> Response:
        session = self._gateway.sessions.get(request.path_params["session"])
        account = payloads.account(session)
        return Response(status_code=200) if account is None else json_answer(account)

    async def _act(self, request: Request) -> Response:
        name = request.path_params["session"]
        match request.path_params["action"]:
            case "start":
                session = self._start(name)
            case "stop":
                session = self._lifecycle.stop(name)
            case "restart":
                session = self._lifecycle.start(name)
            case "logout":
                session = self._lifecycle.unpair(name)
            case unknown:
                raise refusal(404, f"Cannot POST /api/sessions/{name}/{unknown}")
        return json_answer(_state(session), status=201)

    def _start(self, name: str) -> Session:
        """Starting what is up changes nothing, as in the real gateway's new session API."""
        session = self._gateway.sessions.get(name)
        is_down = session.status in {SessionStatus.STOPPED, SessionStatus.FAILED}
        return self._lifecycle.start(name) if is_down else session

    async def _qr(self, request: Request) -> Response:
        self._gateway.sessions.working(request.path_params["session"], expected=SessionStatus.SCAN_QR_CODE)
        if request.query_params.get("format") == "raw":
            return json_answer({"value": PAIRING_TEXT})
        picture = _PAIRING_PICTURE.read_bytes()
        if "application/json" in request.headers.get("accept", ""):
            return json_answer({"mimetype": "image/png", "data": base64.b64encode(picture).decode()})
        return Response(picture, media_type="image/png")

    async def _version(self, _request: Request) -> Response:
        return json_answer(payloads.environment(self._gateway.exchange.engine))


def _config(body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("config") or {}
    if not isinstance(config, dict):
        raise refusal(400, "config must be an object")
    return config


def _state(session: Session) -> dict[str, Any]:
    return {"name": session.name, "status": session.status.value, "config": session.config}


def _info(session: Session) -> dict[str, Any]:
    return {
        **_state(session),
        "me": payloads.account(session),
        "presence": None,
        "timestamps": {"activity": session.statuses[-1][1] if session.statuses else None},
    }
