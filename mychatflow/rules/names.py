"""What a name, an address or a session must look like, by whichever door it comes in."""

import re
from typing import Final
from urllib.parse import urlsplit

LONGEST_LINE: Final = 200
LONGEST_ADDRESS: Final = 254
ADDRESS: Final = r"^[^@\s<>,;]+@[^@\s<>,;]+$"
_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{1,54}")
# Of the key that signs one number's webhooks.
SHORTEST_SECRET: Final = 16
LONGEST_SECRET: Final = 200


def is_line(value: str) -> bool:
    """Whether that can stand in one line of a page, a letter or a log."""
    return 0 < len(value) <= LONGEST_LINE and value.isprintable()


def is_address(value: str) -> bool:
    return len(value) <= LONGEST_ADDRESS and re.fullmatch(ADDRESS, value) is not None


def is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and value.isprintable() and " " not in value


def is_session_name(value: str) -> bool:
    """What a gateway takes as the name of a session."""
    return _SESSION.fullmatch(value) is not None
