"""Asking the API for what only it can do, such as talking with the WhatsApp gateway, as the person who is looking."""

from datetime import UTC, datetime
from typing import Any, Literal

import httpx
import structlog

from dashboards import viewer, wording
from dashboards.viewer import Viewer
from mychatflow import settings as configuration
from mychatflow.rules import page_pass
from mychatflow.rules.page_pass import PagePass
from mychatflow.rules.role import Role
from mychatflow.settings import Settings

log = structlog.get_logger(__name__)
_PATIENCE_SECONDS = 20.0


class ApiRefused(Exception):
    """The API said no, or does not answer; its words are for the person who asked."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def ask(
    looking: Viewer,
    method: Literal["GET", "POST", "PATCH", "DELETE"],
    path: str,
    body: dict[str, Any] | None = None,
    *,
    patience_seconds: float = _PATIENCE_SECONDS,
) -> Any:
    """The answer's JSON. Raises ApiRefused."""
    return _asked(looking, method, path, timeout=patience_seconds, json=body)


def send_file(looking: Viewer, path: str, data: bytes, *, kind: str, key: str, where: dict[str, str]) -> Any:
    """The answer's JSON; the same key again is the same file, sent once. Raises ApiRefused."""
    headers = {"content-type": kind, "idempotency-key": key}
    return _asked(looking, "POST", path, timeout=_PATIENCE_SECONDS, content=data, params=where, headers=headers)


def _asked(looking: Viewer, method: str, path: str, **request: Any) -> Any:
    settings = configuration.load()
    request["headers"] = request.get("headers", {}) | {"authorization": _authorization(looking, settings)}
    try:
        answer = httpx.request(method, f"{address_of(settings)}/api/v1{path}", trust_env=False, **request)
    except httpx.HTTPError as error:
        log.warning("API not reached", path=path, error=type(error).__name__)
        raise ApiRefused("unreachable", "the API does not answer. Try again in a moment.") from error
    if answer.is_success:
        return answer.json() if answer.content else None
    told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    raise ApiRefused(str(told.get("code", answer.status_code)), _words(told))


def _words(told: dict[str, Any]) -> str:
    """The problem's own sentence; of fields that are wrong, which and how."""
    wrong = [
        f"{wording.words(str(each['where'][-1]))}: {each['problem'].removeprefix('Value error, ')}"
        for each in told.get("errors") or ()
    ]
    return f"{'; '.join(wrong)}." if wrong else str(told.get("detail", "the API refused it."))


def _authorization(looking: Viewer, settings: Settings) -> str:
    """A pass of a moment, for the role that this person holds right now."""
    current = viewer.again(looking)
    if current is None or current.workspace.role not in set(Role):
        raise ApiRefused("forbidden", "your role does not allow this.")
    held = PagePass(
        tenant_id=current.tenant_id, member_id=current.workspace.member_id, role=Role(current.workspace.role)
    )
    key = settings.derived_secret(page_pass.PURPOSE)
    return f"Bearer {page_pass.write(held, key=key, at=datetime.now(UTC))}"


def fetch(looking: Viewer, path: str) -> bytes:
    """What lies behind a signed link of the API. Raises ApiRefused."""
    address = f"{address_of(configuration.load())}{path}"
    try:
        answer = httpx.get(address, timeout=_PATIENCE_SECONDS, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        log.warning("link not opened", tenant_id=str(looking.tenant_id), error=type(error).__name__)
        raise ApiRefused("gone", "this link was used or is too old; ask for another copy.") from error
    return answer.content


def address_of(settings: Settings) -> str:
    """Beside us unless an address is set: never through the public door when there is a nearer one."""
    return (settings.web_url or f"http://{settings.web_host}:{settings.web_port}").rstrip("/")
