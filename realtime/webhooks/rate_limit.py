"""How many webhooks one number or one stranger may send: a sliding window in Redis, a local one without Redis."""

import ipaddress
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis.asyncio
import structlog
from redis.exceptions import RedisError
from starlette.types import Scope

from realtime import metrics
from realtime.webhooks.local_window import LocalWindow

_SCRIPT: Final = Path(__file__).with_name("sliding_window.lua").read_text()
_UNIT_MS: Final = {"second": 1_000, "minute": 60_000, "hour": 3_600_000}
# After Redis failed, how long the local window decides before it is asked again.
_REST_SECONDS: Final = 1.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in a window."""

    limit: int
    window_ms: int

    @classmethod
    def parse(cls, written: str) -> "Rate":
        """`100/minute`, as the settings have checked it."""
        count, _, unit = written.partition("/")
        return cls(limit=int(count), window_ms=_UNIT_MS[unit])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many of those asked for are admitted, when one more would be, and how many more would be now."""

    admitted: int
    retry_after_seconds: int
    left: int = 0


class RateLimiter:
    """Asks for many subjects in one round trip. Never opens because Redis is down: then each process counts alone."""

    def __init__(self, client: redis.asyncio.Redis, *, prefix: str = "mychatflow:rate") -> None:
        self._script = client.register_script(_SCRIPT)
        self._local = LocalWindow()
        self._prefix = prefix
        self._resting_until = 0.0

    @property
    def is_local(self) -> bool:
        return time.monotonic() < self._resting_until

    async def admit(self, asked: Mapping[str, int], rate: Rate) -> dict[str, Verdict]:
        """For each subject, how many of its requests may pass."""
        now_ms = time.time_ns() // 1_000_000
        subjects = list(asked)
        if not self.is_local:
            try:
                answer = await self._ask_redis(subjects, asked, rate, now_ms)
            except (RedisError, OSError, TimeoutError) as error:
                self._resting_until = time.monotonic() + _REST_SECONDS
                metrics.rate_limits_are_local.set(1)
                log.warning("rate limits are counted locally", cause=type(error).__name__)
            else:
                metrics.rate_limits_are_local.set(0)
                # Kept here too, so that Redis' next pause does not give everyone a fresh start.
                self._local.note(dict(zip(subjects, answer[::3], strict=True)), rate.window_ms, now_ms)
                return _verdicts(subjects, answer)
        return _verdicts(subjects, self._local.ask(subjects, asked, rate.limit, rate.window_ms, now_ms))

    async def _ask_redis(
        self, subjects: Sequence[str], asked: Mapping[str, int], rate: Rate, now_ms: int
    ) -> Sequence[int]:
        arguments: list[int] = [now_ms]
        for subject in subjects:
            arguments += (rate.window_ms, rate.limit, asked[subject])
        answer: Sequence[int] = await self._script(
            keys=[f"{self._prefix}:{{{subject}}}" for subject in subjects], args=arguments
        )
        return answer


def client_address(peer: str, forwarded_for: Sequence[bytes], *, trusted_proxies: int) -> str:
    """The client's address: the N-th from the right of X-Forwarded-For behind N proxies, else the peer's own.

    What a client wrote into the header itself stands further left and is never looked at.
    """
    if trusted_proxies == 0:
        return peer
    # Split from the right: a header of a thousand hops costs no more than a short one.
    hops = b",".join(forwarded_for).rsplit(b",", trusted_proxies)
    if len(hops) < trusted_proxies:
        return peer
    try:
        address = ipaddress.ip_address(hops[-trusted_proxies].strip().decode())
    except ValueError:
        return peer
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def client_of(scope: Scope, *, trusted_proxies: int) -> str:
    """Whom a request's rate is counted for; a unix socket has no address, so all its clients are one."""
    client = scope.get("client")
    hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return client_address(client[0] if client else "local", hops, trusted_proxies=trusted_proxies)


def _verdicts(subjects: Sequence[str], answer: Sequence[int]) -> dict[str, Verdict]:
    return {
        subject: Verdict(
            admitted=answer[3 * index],
            retry_after_seconds=-(-answer[3 * index + 1] // 1000),
            left=answer[3 * index + 2],
        )
        for index, subject in enumerate(subjects)
    }
