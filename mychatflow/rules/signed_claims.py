"""Claims that we sign for ourselves and read again, each signature for one use: a page's pass, a file's address."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt

_ALGORITHM: Final = "HS256"


def write(claims: Mapping[str, Any], *, use: str, key: str) -> str:
    return jwt.encode({"aud": use, **claims}, key, algorithm=_ALGORITHM)


def read(written: str, *, use: str, key: str, require: Sequence[str]) -> dict[str, Any]:
    """What was signed for that use; whether it is in time is the caller's to say. Raises jwt.InvalidTokenError."""
    claims: dict[str, Any] = jwt.decode(
        written,
        key,
        algorithms=[_ALGORITHM],
        audience=use,
        # By the caller's clock, as everything here.
        options={"require": [*require, "aud"], "verify_exp": False, "verify_iat": False},
    )
    return claims
