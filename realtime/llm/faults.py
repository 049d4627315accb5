"""Every way in which a model's answer can go wrong, as one closed list, and what the breaker makes of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import assert_never

import aiohttp


class ErrorClass(StrEnum):
    """What went wrong with one call."""

    CONNECT = "connect"
    RESET = "reset"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota_exhausted"
    CONFIG = "config"
    MODEL_GONE = "model_gone"
    BAD_REQUEST = "bad_request"
    CONTEXT_OVERFLOW = "context_overflow"
    MALFORMED = "malformed"
    EMPTY = "empty"
    CUT_SHORT = "cut_short"
    REFUSED = "refused"
    SLOW = "slow"


class Verdict(StrEnum):
    """What a call's end says about its target."""

    SUCCESS = "success"
    FAILURE = "failure"
    LIMITED = "limited"
    QUOTA = "quota"
    CONFIG = "config"
    GONE = "gone"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; input includes the cached ones. Estimated where the provider did not say.

    Written are those of the input that a vendor took a surcharge for, to keep them in its cache.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    written_tokens: int = 0
    output_tokens: int = 0
    is_estimated: bool = False


class ProviderFailed(Exception):
    """A model gave no usable answer; `usage` is what it says it cost all the same."""

    def __init__(
        self, error_class: ErrorClass, *, retry_after: float | None = None, usage: Usage | None = None
    ) -> None:
        super().__init__(error_class.value)
        self.error_class = error_class
        self.retry_after = retry_after
        self.usage = usage


def verdict_of(error_class: ErrorClass) -> Verdict:
    """Whose fault it was: the target's (it counts), the caller's or nobody's (it does not)."""
    match error_class:
        case (
            ErrorClass.CONNECT
            | ErrorClass.RESET
            | ErrorClass.TIMEOUT
            | ErrorClass.SERVER_ERROR
            | ErrorClass.UNAVAILABLE
            | ErrorClass.OVERLOADED
            | ErrorClass.MALFORMED
            | ErrorClass.EMPTY
            | ErrorClass.SLOW
        ):
            return Verdict.FAILURE
        case ErrorClass.RATE_LIMITED:
            return Verdict.LIMITED
        case ErrorClass.QUOTA:
            return Verdict.QUOTA
        case ErrorClass.CONFIG:
            return Verdict.CONFIG
        case ErrorClass.MODEL_GONE:
            return Verdict.GONE
        case (
            ErrorClass.BAD_REQUEST
            | ErrorClass.CONTEXT_OVERFLOW
            | ErrorClass.CUT_SHORT
            | ErrorClass.REFUSED
            | ErrorClass.DEADLINE
        ):
            return Verdict.NEUTRAL
        case _:
            assert_never(error_class)


# The request may have reached the provider, which then bills it although we have no answer to show.
MAY_BE_BILLED = frozenset(
    {ErrorClass.RESET, ErrorClass.TIMEOUT, ErrorClass.DEADLINE, ErrorClass.MALFORMED, ErrorClass.EMPTY, ErrorClass.SLOW}
)
_OVERFLOW = (
    "context_length",
    "context window",
    "context limit",
    "prompt is too long",
    "input token count",
    "maximum context",
)
_BAD_KEY = ("api_key_invalid", "api key not valid", "invalid_api_key", "permission_denied")
_NO_MONEY = ("insufficient_quota", "credit balance", "billing_hard_limit", "billing_not_active", "perday")


def of_status(status: int, headers: Mapping[str, str], body: bytes, *, at: datetime) -> ProviderFailed:
    """The failure that an HTTP status and its body speak of; `at` is needed for a Retry-After that names a date."""
    said = body[:8192].decode(errors="replace").lower()
    error_class = _class_of(status, said)
    wait = _retry_after(headers, said, at=at) if error_class is ErrorClass.RATE_LIMITED else None
    return ProviderFailed(error_class, retry_after=wait)


def of_network(error: BaseException) -> ProviderFailed:
    """The failure behind a transport error. The SDKs' transport calls a reset a timeout, so the cause decides."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return ProviderFailed(ErrorClass.CONNECT)
        if isinstance(cause, TimeoutError):
            return ProviderFailed(ErrorClass.TIMEOUT)
        cause = cause.__cause__
    return ProviderFailed(ErrorClass.RESET)


def _class_of(status: int, said: str) -> ErrorClass:
    if any(sign in said for sign in _NO_MONEY) and status in {400, 403, 429}:
        return ErrorClass.QUOTA
    if "model_not_found" in said and 400 <= status < 500:
        # Also said with a 403: a project may not use a model that others may.
        return ErrorClass.MODEL_GONE
    match status:
        case 402:
            return ErrorClass.QUOTA
        case 429:
            return ErrorClass.RATE_LIMITED
        case 401 | 403:
            return ErrorClass.CONFIG
        case 404:
            # A vendor answers in JSON; any other 404 is a wrong address, which must not hide the model for a day.
            return ErrorClass.MODEL_GONE if said.lstrip().startswith(("{", "[")) else ErrorClass.CONFIG
        case 503:
            return ErrorClass.UNAVAILABLE
        case 529:
            return ErrorClass.OVERLOADED
        case _ if status >= 500 or status == 408:
            return ErrorClass.SERVER_ERROR
        case _ if status >= 400:
            return _caller_fault(status, said)
        case _:
            return ErrorClass.MALFORMED


def _caller_fault(status: int, said: str) -> ErrorClass:
    if status == 413 or any(sign in said for sign in _OVERFLOW):
        return ErrorClass.CONTEXT_OVERFLOW
    if any(sign in said for sign in _BAD_KEY):
        return ErrorClass.CONFIG
    return ErrorClass.BAD_REQUEST


def _retry_after(headers: Mapping[str, str], said: str, *, at: datetime) -> float | None:
    """Seconds to wait, as a header in seconds, milliseconds or a date, or as Gemini's RetryInfo says it."""
    if millis := _number(headers.get("retry-after-ms")):
        return millis / 1000
    value = headers.get("retry-after")
    if value is None:
        return _retry_info(said)
    seconds = _number(value)
    return seconds if seconds is not None else _until(value, at=at)


def _until(value: str, *, at: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment - at).total_seconds()) if moment.tzinfo else None


def _retry_info(said: str) -> float | None:
    try:
        details = json.loads(said)["error"]["details"]
        delays = [detail["retrydelay"] for detail in details if "retrydelay" in detail]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _number(str(delays[0]).removesuffix("s")) if delays else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else -1.0
    except ValueError:
        return None
    # NaN compares false, so it is refused as a negative number is.
    return number if 0 <= number < float("inf") else None
