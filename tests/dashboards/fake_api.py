"""The API as pages meet it: answers as it does, by method and path, and keeps what it was asked."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.dashboards.conftest import Town, forget

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_USUAL: dict[str, Any] = {
    "GET": {"mimetype": "image/png", "data": base64.b64encode(PIXEL).decode()},
    "POST": {"session": "s", "session_status": "SCAN_QR_CODE"},
}


class Api(ThreadingHTTPServer):
    """`says` holds what it answers to a method and path; anything else gets the usual answer of pairing a number."""

    asked: list[tuple[str, str, str, Any]]
    says: dict[tuple[str, str], Any]
    code: int = 200
    refusals: dict[tuple[str, str], str]

    def refuses(self, method: str, path: str, code: str) -> None:
        """That question alone, by that code of the API's."""
        self.refusals[method, path] = code


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        return

    def _answer(self) -> None:
        assert isinstance(self.server, Api)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        bearer = str(self.headers["authorization"]).removeprefix("Bearer ")
        self.server.asked.append((self.command, self.path, bearer, json.loads(body) if body else None))
        shown = self.server.says.get((self.command, self.path), _USUAL.get(self.command))
        if self.server.code != 200:
            shown = {"code": "session_taken", "detail": "A number with a session of that name exists."}
        refusal = self.server.refusals.get((self.command, self.path))
        if refusal:
            shown = {"code": refusal, "detail": "Not as things stand now."}
        self.send_response(409 if refusal else self.server.code)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(shown).encode())


@pytest.fixture
def api(pages: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    assert pages.settings.data_dir.exists()
    server = Api(("127.0.0.1", 0), _Answers)
    server.asked, server.says, server.refusals = [], {}, {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WEB_URL", f"http://127.0.0.1:{server.server_port}")
    forget()
    yield server
    server.shutdown()
    server.server_close()
