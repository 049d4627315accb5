"""The Standard Webhooks scheme (Svix's): what Clerk signs with, and what our own outgoing webhooks carry."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from realtime.webhooks.signature import SignatureRejected

TOLERANCE: Final = timedelta(seconds=300)
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - says what follows, is none
_LONGEST_HEADER: Final = 4_096


def key_of(secret: str) -> bytes:
    """The key in `whsec_…`. Raises ValueError for one that is none, or is empty."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("must be whsec_ and base64") from error
    if not key:
        raise ValueError("is empty")
    return key


def sign(key: bytes, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The header's value: version and base64 digest of id, timestamp and body."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(headers: Mapping[bytes, Sequence[bytes]], body: bytes, keys: Sequence[bytes], *, at: datetime) -> str:
    """The message's id; raises SignatureRejected unless one of its signatures holds under one of the keys."""
    message_id, sent, signatures = (_one(headers, name) for name in ("id", "timestamp", "signature"))
    if not sent.isdigit() or len(sent) > 12:
        raise SignatureRejected("timestamp")
    if abs(at.timestamp() - int(sent)) > TOLERANCE.total_seconds():
        raise SignatureRejected("stale")
    signed = message_id + b"." + sent + b"." + body
    holds = False
    for key in keys:
        expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        for given in signatures.split():
            holds |= hmac.compare_digest(expected, given)
    if not holds:
        raise SignatureRejected("wrong")
    return message_id.decode("latin-1")


def _one(headers: Mapping[bytes, Sequence[bytes]], name: str) -> bytes:
    found = headers.get(f"svix-{name}".encode()) or headers.get(f"webhook-{name}".encode()) or ()
    if not found:
        raise SignatureRejected("missing")
    if len(found) > 1 or not found[0] or len(found[0]) > _LONGEST_HEADER:
        raise SignatureRejected("ambiguous")
    return found[0]
