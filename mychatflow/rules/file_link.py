"""The address of one file of a chat, for the browser of whoever reads that chat: signed, for some minutes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import jwt

from mychatflow.rules import signed_claims

# What the key is derived for.
PURPOSE: Final = "file link"
# A link stays the same for so long, so that a chat that is looked at anew is the same page; it lives twice as long.
_SLOT: Final = timedelta(minutes=10)
_FOR: Final = "mychatflow file"


class LinkRefused(Exception):
    """Not signed by us, not for a file, or too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLink:
    """Which message's file."""

    tenant_id: UUID
    contact_id: UUID
    message_id: UUID


def write(found: FileLink, *, key: str, at: datetime) -> str:
    slots = int(at.timestamp() // _SLOT.total_seconds())
    claims = {
        "exp": int((slots + 2) * _SLOT.total_seconds()),
        "tenant": str(found.tenant_id),
        "contact": str(found.contact_id),
        "message": str(found.message_id),
    }
    return signed_claims.write(claims, use=_FOR, key=key)


def read(written: str, *, key: str, at: datetime) -> FileLink:
    """Raises LinkRefused."""
    try:
        claims = signed_claims.read(written, use=_FOR, key=key, require=["exp"])
        if at.timestamp() >= claims["exp"]:
            raise LinkRefused
        return FileLink(
            tenant_id=UUID(claims["tenant"]),
            contact_id=UUID(claims["contact"]),
            message_id=UUID(claims["message"]),
        )
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
        raise LinkRefused from error
