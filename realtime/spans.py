"""What a trace is made of: things that took time for one message."""

from collections.abc import Mapping
from dataclasses import dataclass

Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took time for a message; the webhook itself is the root of all others."""

    name: str
    began: float
    ended: float
    attributes: Attributes
    is_root: bool = False
    is_failed: bool = False
