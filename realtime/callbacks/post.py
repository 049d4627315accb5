"""One signed call to a tenant's own address: never inside our network, never where it redirects, never for long."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import aiohttp

from mychatflow.settings import Settings
from realtime.channels import public_web
from realtime.channels.public_web import Address, AddressRefused, CheckedResolver
from realtime.webhooks import standard

_PATIENCE: Final = aiohttp.ClientTimeout(total=10)
_CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: a status, or in one word why there was none."""

    status: int | None
    error: str | None
    duration_ms: int


class Post:
    """The door out. Never raises for what the other side does."""

    def __init__(self, settings: Settings) -> None:
        self._is_at_home = settings.env == "development"
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A name is looked up once for each connection, and the connection goes to the address that was checked.
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._allows), use_dns_cache=False, limit=_CONNECTIONS
        )
        self._http = aiohttp.ClientSession(
            connector=connector, timeout=_PATIENCE, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def send(self, url: str, body: bytes, *, event_id: UUID, keys: Sequence[bytes], at: datetime) -> Answer:
        began = time.monotonic()
        status, error = await self._send(url, body, _headers(body, event_id=event_id, keys=keys, at=at))
        return Answer(status=status, error=error, duration_ms=round((time.monotonic() - began) * 1000))

    async def _send(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str | None]:
        if self._http is None:
            raise RuntimeError("used outside of its block")
        try:
            check(url, is_at_home=self._is_at_home)
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                # What they say beside the status is nobody's business here, and may be endless.
                response.close()
                return response.status, _refusal(response.status)
        except AddressRefused:
            return None, "address_refused"
        except TimeoutError:
            return None, "timeout"
        except aiohttp.ClientConnectorDNSError:
            return None, "unknown_host"
        except aiohttp.ClientSSLError:
            return None, "tls"
        except (aiohttp.ClientError, OSError):
            return None, "connection_failed"

    def _allows(self, address: Address) -> bool:
        return _is_ours_to_call(address, is_at_home=self._is_at_home)


def check(url: str, *, is_at_home: bool) -> None:
    """Raises AddressRefused. A developer's own machine may be called in development alone, and unencrypted."""
    public_web.check(url, allows=lambda address: _is_ours_to_call(address, is_at_home=is_at_home), ports=None)
    if not is_at_home and not url.lower().startswith("https://"):
        raise AddressRefused("the address must begin with https://")


def _is_ours_to_call(address: Address, *, is_at_home: bool) -> bool:
    return public_web.is_public(address) or (is_at_home and address.is_loopback)


def _refusal(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return "redirected" if 300 <= status < 400 else "refused"


def _headers(body: bytes, *, event_id: UUID, keys: Sequence[bytes], at: datetime) -> dict[str, str]:
    """Of the Standard Webhooks scheme; with two secrets, two signatures."""
    sent = int(at.timestamp())
    signatures = (standard.sign(key, message_id=str(event_id), timestamp=sent, body=body) for key in keys)
    return {
        "content-type": "application/json",
        "user-agent": "MyChatFlow",
        "webhook-id": str(event_id),
        "webhook-timestamp": str(sent),
        "webhook-signature": " ".join(signatures),
    }
