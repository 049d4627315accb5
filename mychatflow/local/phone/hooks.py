"""Telling a business's webhook what happened, signed and retried the way WAHA does it."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgspec

from mychatflow.local.phone import ids
from mychatflow.local.phone.records import Handover, HandoverState, Retries, Webhook

Sign = Callable[[bytes, str], dict[str, str]]
OnHandover = Callable[[Handover], None]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
# Exponential delays are capped so that a business that comes back is heard within minutes.
_LONGEST_DELAY: Final = 300.0


def sign_as_waha(body: bytes, key: str) -> dict[str, str]:
    """HMAC-SHA512 of the raw body; the timestamp header is not signed."""
    if not key:
        return {}
    digest = hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
    return {"X-Webhook-Hmac": digest, "X-Webhook-Hmac-Algorithm": "sha512"}


def delay_before(attempt: int, retries: Retries) -> float:
    """Seconds to wait before that retry (1 is the first)."""
    match retries.policy:
        case "constant":
            delay = retries.delay_seconds
        case "linear":
            delay = retries.delay_seconds * attempt
        case "exponential":
            delay = retries.delay_seconds * 2.0 ** min(attempt - 1, 16)
    return min(delay, _LONGEST_DELAY)


class Hooks:
    """Fires each event by itself and at once: like the real gateway it keeps no queue and promises no order."""

    def __init__(self, *, sign: Sign = sign_as_waha, connections: int = 64) -> None:
        self.sign = sign
        self._connections = connections
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def fire(self, webhook: Webhook, envelope: dict[str, Any], *, on_handover: OnHandover | None = None) -> None:
        """Start telling that webhook; `on_handover` hears of success and of giving up."""
        body = msgspec.json.encode(envelope)
        task = asyncio.get_running_loop().create_task(self._deliver(webhook, body, on_handover))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def pending(self) -> int:
        """Deliveries under way or waiting for a retry."""
        return len(self._tasks)

    async def post(self, webhook: Webhook, body: bytes) -> int | None:
        """One try: the status of the answer, or nothing when there was none."""
        at_ms = time.time_ns() // 1_000_000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "WAHA/2026.7.1",
            "X-Webhook-Request-Id": ids.ulid(at_ms),
            "X-Webhook-Timestamp": str(at_ms),
            **self.sign(body, webhook.hmac_key),
            **dict(webhook.headers),
        }
        try:
            async with self._session().post(webhook.url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def close(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _deliver(self, webhook: Webhook, body: bytes, on_handover: OnHandover | None) -> None:
        started = time.monotonic()
        for attempt in range(1, webhook.retries.attempts + 2):
            status = await self.post(webhook, body)
            is_taken = status is not None and 200 <= status < 300
            is_last = attempt > webhook.retries.attempts
            if on_handover is not None:
                state: HandoverState = "delivered" if is_taken else "failed" if is_last else "pending"
                took_ms = round((time.monotonic() - started) * 1000)
                on_handover(Handover(state=state, attempts=attempt, status=status, took_ms=took_ms))
            if is_taken or is_last:
                return
            await asyncio.sleep(delay_before(attempt, webhook.retries))

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=4)
            self._http = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, trust_env=False)
        return self._http
