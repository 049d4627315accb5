"""Tools that a model may ask for while it answers, and what it was told of them; the caller runs them."""

from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`parameters` is a JSON schema in which every property is required and no other allowed."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """`arguments` is JSON as the model wrote it; `signature` is a vendor's own mark that goes back with the call."""

    id: str
    name: str
    arguments: str
    signature: str | None = None

    def read(self) -> dict[str, Any]:
        """The arguments; empty when they are no JSON object."""
        try:
            found = msgspec.json.decode(self.arguments)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What the model is told."""

    call: ToolCall
    content: str
