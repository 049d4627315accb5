"""Hides what a log or an error report must not hold: secrets, addresses and numbers of people, control characters."""

import re
from collections.abc import Mapping
from typing import Any, Final

_HIDDEN: Final = "[redacted]"
_SECRET_KEYS: Final = re.compile(
    r"(?i)(?:^|_)(?:password|passwd|secret|token|api_?key|authorization|cookie|signature|hmac|body|text|content|"
    r"message_text|phone|phone_number|wa_id|chat_id|email|name|push_name|key)$"
)
_PATTERNS: Final = re.compile(
    r"""
    eyJ[\w-]{8,}\.[\w-]+\.[\w-]*            # a JWT
    | \b(?:sk|pk|rk|whsec|mcf|re)[-_][\w-]{8,}  # keys of vendors and ours
    | \bAIza[\w-]{20,}
    | Bearer\s+[\w.~+/-]+=*
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)       # user and password in an address
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+          # e-mail addresses, chat ids with a dot
    | \b\d{5,20}@lid\b
    | (?<![\w.-])\+?\d{10,15}(?![\w.-])     # phone numbers
    | \+\d[\d\ ().-]{7,17}\d               # and as people write them
    """,
    re.VERBOSE,
)
# Postgres repeats the row that it refuses, or the value: a person's name in it has no shape to know it by.
_REFUSED: Final = re.compile(
    r"""
    (?:(?<=\bDETAIL:)|(?<=\bCONTEXT:)|(?<=\binvalid\ input\ ))
    .*?
    (?=\n(?:HINT:|\[SQL|\(Background\ on|[\s|]*\+-|\n(?:The\ above\ exc|During\ handling))|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def clean(value: Any, *, key: str = "") -> Any:
    """The same value with everything secret in it hidden, however deep."""
    if _SECRET_KEYS.search(key):
        return None if value is None else _HIDDEN
    if isinstance(value, str):
        return _PATTERNS.sub(_HIDDEN, _REFUSED.sub(f" {_HIDDEN}", _CONTROL.sub("\ufffd", value)))
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {clean(str(name)): clean(inner, key=str(name)) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value if not isinstance(value, int) or abs(value) < 10**9 else clean(str(value))
    return clean(str(value), key=key)
