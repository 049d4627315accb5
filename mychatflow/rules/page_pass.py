"""The pass by which a page asks the API on behalf of the person looking: signed, for half a minute, for one tenant."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import jwt

from mychatflow.rules import signed_claims
from mychatflow.rules.role import Role

# What the key is derived for.
PURPOSE: Final = "page pass"
PREFIX: Final = "mcp_"
_LASTS: Final = timedelta(seconds=30)
_FOR: Final = "mychatflow api"


class PassRefused(Exception):
    """Not signed by us, not for the API, or too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePass:
    """Whom a page acts for; a local owner is no member."""

    tenant_id: UUID
    member_id: UUID | None
    role: Role


def write(found: PagePass, *, key: str, at: datetime) -> str:
    """Whoever holds the installation's key can; it is made for one request and never given to a browser."""
    claims = {
        "iat": at,
        "exp": at + _LASTS,
        "tenant": str(found.tenant_id),
        "member": str(found.member_id) if found.member_id else None,
        "role": found.role.value,
    }
    return PREFIX + signed_claims.write(claims, use=_FOR, key=key)


def read(written: str, *, key: str, at: datetime) -> PagePass:
    """Raises PassRefused."""
    try:
        claims = signed_claims.read(written.removeprefix(PREFIX), use=_FOR, key=key, require=["exp", "iat"])
        if not claims["iat"] - _LASTS.total_seconds() <= at.timestamp() < claims["exp"]:
            raise PassRefused
        return PagePass(
            tenant_id=UUID(claims["tenant"]),
            member_id=UUID(claims["member"]) if claims["member"] else None,
            role=Role(claims["role"]),
        )
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
        raise PassRefused from error
