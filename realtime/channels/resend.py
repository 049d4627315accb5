"""The door out for e-mail: Resend where a key is set, else a folder on this machine."""

import asyncio
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from mychatflow.settings import Settings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_KEY: Final = 256
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class EmailOutcome(StrEnum):
    """What became of an e-mail: `retry` may be sent again with the same key, `refused` never will be taken."""

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """`key` names the e-mail: sent twice with the same key within a day, it arrives once."""

    key: str
    to: tuple[str, ...]
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)


class Resend:
    """Sends e-mails. Never raises for what the other side does."""

    def __init__(self, settings: Settings) -> None:
        key = settings.resend_api_key
        self._api_key = key.get_secret_value() if key else None
        self._url = f"{settings.resend_api_url.rstrip('/')}/emails"
        self._sender = settings.email_from
        self._folder = settings.data_dir / "outbox"
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def send(self, email: Email) -> EmailOutcome:
        if self._api_key is None:
            await asyncio.to_thread(self._keep, email)
            return EmailOutcome.SENT
        body: dict[str, Any] = {
            "from": self._sender,
            "to": list(email.to),
            "subject": _one_line(email.subject),
            "text": email.text,
        }
        if email.html is not None:
            body["html"] = email.html
        headers = {"Authorization": f"Bearer {self._api_key}", "Idempotency-Key": email.key[:_LONGEST_KEY]}
        try:
            async with self._session().post(self._url, json=body, headers=headers, timeout=_TIMEOUT) as answer:
                await answer.content.read(_LONGEST_ANSWER)
                return _outcome(answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return EmailOutcome.RETRY

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        return self._http

    def _keep(self, email: Email) -> Path:
        """One whole file for each e-mail; the same key is the same file."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{_UNSAFE.sub('_', email.key)[:150]}.json"
        kept = asdict(email) | {"from": self._sender, "kept_at": datetime.now(UTC).isoformat()}
        # Whoever looks into the folder finds whole e-mails only.
        part = path.with_suffix(".part")
        part.write_text(json.dumps(kept, ensure_ascii=False, indent=2))
        return part.replace(path)


def _outcome(status: int) -> EmailOutcome:
    if 200 <= status < 300:
        return EmailOutcome.SENT
    # A key in use by another call of ours is that same e-mail on its way.
    if status in {409, 425, 429} or status >= 500:
        return EmailOutcome.RETRY
    return EmailOutcome.REFUSED


def _one_line(text: str) -> str:
    return " ".join(text.split())
