"""The businesses' sessions: made, started, paired and stopped as WAHA's session API does it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from mychatflow.local.phone.records import GatewayRefusal, Retries, RetryPolicy, Session, SessionStatus, Webhook

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,54}")
_STATUSES_KEPT: Final = 5


class SessionBook:
    """All sessions by name. `on_change` hears of every new state of one."""

    def __init__(self, *, clock_ms: Callable[[], int], on_change: Callable[[Session], None]) -> None:
        self._sessions: dict[str, Session] = {}
        self._webhooks: dict[str, tuple[Webhook, ...]] = {}
        self._clock_ms = clock_ms
        self._on_change = on_change

    def restore(self, sessions: tuple[Session, ...]) -> None:
        for session in sessions:
            self._keep(session)

    def all(self) -> tuple[Session, ...]:
        return tuple(self._sessions.values())

    def webhooks(self, name: str) -> tuple[Webhook, ...]:
        return self._webhooks.get(name, ())

    def get(self, name: str) -> Session:
        session = self._sessions.get(name)
        if session is None:
            raise GatewayRefusal(404, _refusal(404, f'Session "{name}" does not exist', "Not Found"))
        return session

    def working(self, name: str, *, expected: SessionStatus = SessionStatus.WORKING) -> Session:
        """The session, refused as WAHA refuses when it is in another state."""
        session = self.get(name)
        if session.status is not expected:
            body = {
                "error": "Session status is not as expected. Try again later or restart the session",
                "session": name,
                "status": session.status.value,
                "expected": [expected.value],
            }
            raise GatewayRefusal(422, body)
        return session

    def create(self, name: str, config: dict[str, Any]) -> Session:
        if not _NAME.fullmatch(name):
            raise GatewayRefusal(400, _refusal(400, "Session name may hold letters, digits, - and _", "Bad Request"))
        if name in self._sessions:
            message = f"Session '{name}' already exists. Use PUT to update it."
            raise GatewayRefusal(422, _refusal(422, message, "Unprocessable Entity"))
        return self._keep(Session(name=name, config=config))

    def update(self, name: str, config: dict[str, Any]) -> Session:
        return self._keep(replace(self.get(name), config=config))

    def delete(self, name: str) -> Session:
        session = self.get(name)
        del self._sessions[name]
        del self._webhooks[name]
        return session

    def set_status(self, name: str, status: SessionStatus) -> Session:
        session = self.get(name)
        statuses = (*session.statuses, (status.value, self._clock_ms()))[-_STATUSES_KEPT:]
        return self._changed(replace(session, status=status, statuses=statuses))

    def set_paired(self, name: str, *, is_paired: bool) -> Session:
        return self._keep(replace(self.get(name), is_paired=is_paired))

    def _keep(self, session: Session) -> Session:
        self._webhooks[session.name] = read_webhooks(session.config)
        self._sessions[session.name] = session
        return session

    def _changed(self, session: Session) -> Session:
        self._keep(session)
        self._on_change(session)
        return session


def read_webhooks(config: dict[str, Any]) -> tuple[Webhook, ...]:
    """The webhooks of a session's configuration; refused when one cannot be understood."""
    try:
        return tuple(_read_webhook(entry) for entry in config.get("webhooks") or ())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GatewayRefusal(400, _refusal(400, f"config.webhooks: {error!r}", "Bad Request")) from error


def _read_webhook(entry: dict[str, Any]) -> Webhook:
    url = entry["url"]
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ValueError("url must be http or https")
    given = entry.get("retries") or {}
    retries = Retries(
        policy=_policy(given.get("policy") or "constant"),
        delay_seconds=float(given.get("delaySeconds", 2)),
        attempts=min(int(given.get("attempts", 15)), 100),
    )
    return Webhook(
        url=url,
        events=tuple(str(event) for event in entry["events"]),
        hmac_key=str((entry.get("hmac") or {}).get("key") or ""),
        retries=retries,
        headers=tuple((str(pair["name"]), str(pair["value"])) for pair in entry.get("customHeaders") or ()),
    )


def _policy(given: object) -> RetryPolicy:
    match given:
        case "constant" | "linear" | "exponential":
            return given
        case _:
            raise ValueError("retries.policy must be constant, linear or exponential")


def _refusal(status: int, message: str, error: str) -> dict[str, Any]:
    return {"statusCode": status, "message": message, "error": error}
