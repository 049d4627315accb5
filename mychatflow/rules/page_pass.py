"""The pass by which a page asks the API on behalf of the person looking: signed, for half a minute, for one tenant."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt

from mychatflow.rules.role import Role

# What the key is derived for.
PURPOSE: Final = "page pass"
PREFIX: Final = "mcp_"
_LASTS: Final = timedelta(seconds=30)
_ALGORITHM: Final = "HS256"
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
        "aud": _FOR,
        "iat": at,
        "exp": at + _LASTS,
        "tenant": str(found.tenant_id),
        "member": str(found.member_id) if found.member_id else None,
        "role": found.role.value,
    }
    return PREFIX + jwt.encode(claims, key, algorithm=_ALGORITHM)


def read(written: str, *, key: str, at: datetime) -> PagePass:
    """Raises PassRefused."""
    try:
        claims: dict[str, Any] = jwt.decode(
            written.removeprefix(PREFIX),
            key,
            algorithms=[_ALGORITHM],
            audience=_FOR,
            # By the caller's clock, as everything here.
            options={"require": ["exp", "iat", "aud"], "verify_exp": False, "verify_iat": False},
        )
        if not claims["iat"] - _LASTS.total_seconds() <= at.timestamp() < claims["exp"]:
            raise PassRefused
        return PagePass(
            tenant_id=UUID(claims["tenant"]),
            member_id=UUID(claims["member"]) if claims["member"] else None,
            role=Role(claims["role"]),
        )
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
        raise PassRefused from error
