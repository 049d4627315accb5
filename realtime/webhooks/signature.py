"""Whether a webhook was signed by someone who holds the number's key, and recently."""

import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from realtime.webhooks.envelope import Time
from realtime.webhooks.normalise import seconds_of

WINDOW: Final = timedelta(seconds=300)
# The gateway retries one body for hours when we are down. Its signed time is then old, its header is not: refusing it
# would lose the message, and taking it twice does nothing, since a message id is kept once and for good.
RETRY_HORIZON: Final = timedelta(hours=24)
_DIGITS: Final = re.compile(rb"[0-9]{1,16}(?:\.[0-9]{1,6})?")


class SignatureRejected(Exception):
    """Not signed with a key of ours, or too long ago; `reason` is one of a few fixed words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Signed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The headers a signature may stand in, as they came; a repeated header is listed twice."""

    # X-Webhook-Hmac and X-Webhook-Hmac-Algorithm: hex HMAC-SHA512, as WAHA signs.
    gateway: Sequence[bytes] = ()
    algorithms: Sequence[bytes] = ()
    # X-Webhook-Signature: `sha256=` and hex HMAC-SHA256.
    standard: Sequence[bytes] = ()
    timestamps: Sequence[bytes] = ()

    @property
    def is_unsigned(self) -> bool:
        return not self.gateway and not self.standard


def verify(signed: Signed, raw: bytes, keys: Sequence[bytes]) -> None:
    """Raise SignatureRejected unless every signature sent holds under one of the keys.

    Hexadecimal digits must be lower case, as both schemes write them. Every key is tried whatever the outcome, so
    that the time taken does not tell which of them was nearer.
    """
    if signed.is_unsigned:
        raise SignatureRejected("missing")
    if len(signed.gateway) > 1 or len(signed.standard) > 1 or len(signed.algorithms) > 1:
        raise SignatureRejected("ambiguous")
    if signed.gateway and signed.algorithms not in ((), (b"sha512",)):
        raise SignatureRejected("algorithm")
    holds = False
    for key in keys:
        holds |= _holds(signed, raw, key)
    if not holds:
        raise SignatureRejected("wrong")


def verify_age(signed: Signed, envelope_timestamp: Time, *, at: datetime) -> None:
    """Raise SignatureRejected for a webhook from outside the window.

    The header is sent anew with every retry and must be within it. The envelope's signed time must be too, unless
    the header is there: then it may be as old as the gateway's last retry. Gateways before 2025 send neither, and
    their events rest on the message id alone, which is kept once and for good.
    """
    header = _header_seconds(signed.timestamps)
    now, window = at.timestamp(), WINDOW.total_seconds()
    if header is not None and abs(now - header) > window:
        raise SignatureRejected("stale")
    if envelope_timestamp is None:
        return
    signed_at = seconds_of(envelope_timestamp)
    oldest = RETRY_HORIZON.total_seconds() if header is not None else window
    if signed_at is None or not -window <= now - signed_at <= oldest:
        raise SignatureRejected("stale")


def _holds(signed: Signed, raw: bytes, key: bytes) -> bool:
    good = True
    if signed.gateway:
        good &= hmac.compare_digest(hmac.digest(key, raw, "sha512").hex().encode(), signed.gateway[0])
    if signed.standard:
        expected = b"sha256=" + hmac.digest(key, raw, "sha256").hex().encode()
        good &= hmac.compare_digest(expected, signed.standard[0])
    return good


def _header_seconds(timestamps: Sequence[bytes]) -> float | None:
    if not timestamps:
        return None
    if len(timestamps) > 1 or not _DIGITS.fullmatch(timestamps[0]):
        raise SignatureRejected("timestamp")
    seconds = seconds_of(timestamps[0].decode())
    if seconds is None:
        raise SignatureRejected("timestamp")
    return seconds
