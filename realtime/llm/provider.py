"""What every model provider has in common: one call in, one answer out, or a named failure."""

from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

import msgspec

from realtime.llm import accounting
from realtime.llm.contract import ReplyRequest, Target, Turn
from realtime.llm.faults import ErrorClass, ProviderFailed, Usage
from realtime.llm.toolkit import ToolCall

_Shape = TypeVar("_Shape")
# More than any model reads or writes in one call: whoever counts so many has not counted.
_MOST_TOKENS: Final = 100_000_000
_OPENING = Turn(role="user", text="(The business wrote first.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer, or the tools that it wants to be run first."""

    text: str
    usage: Usage
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a voice note says; `usage` is None where the provider did not say."""

    text: str
    usage: Usage | None = None


class Provider(Protocol):
    """A vendor's API. `complete` raises ProviderFailed and nothing else; the caller limits its time."""

    async def complete(self, request: ReplyRequest, target: Target) -> Completion: ...

    async def close(self) -> None: ...


def decoded(decoder: msgspec.json.Decoder[_Shape], body: bytes) -> _Shape:
    """Raises ProviderFailed for HTML, broken JSON, an empty body, or JSON of another shape."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProviderFailed(ErrorClass.MALFORMED if body.strip() else ErrorClass.EMPTY) from None


def count(usage: object, name: str) -> int | None:
    """The tokens that a provider counts under that name; None where it says nothing, or nothing that can be true."""
    return counted(usage.get(name)) if isinstance(usage, dict) else None


def counted(said: object) -> int | None:
    """A number of tokens as a provider said it, if it is one."""
    return said if type(said) is int and 0 <= said <= _MOST_TOKENS else None


def finished(request: ReplyRequest, *, text: str, usage: Usage | None, calls: tuple[ToolCall, ...] = ()) -> Completion:
    """The answer with its usage, estimated where the provider did not say."""
    if usage is None:
        written = text + "".join(call.arguments for call in calls)
        usage = accounting.estimated(request, output_tokens=accounting.tokens_in(written))
    known = {tool.name for tool in request.tools}
    if not text.strip() and not calls:
        raise ProviderFailed(ErrorClass.EMPTY, usage=usage)
    if any(call.name not in known for call in calls):
        raise ProviderFailed(ErrorClass.MALFORMED, usage=usage)
    return Completion(text=text, usage=usage, calls=calls)


def opened_by_customer(messages: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Two vendors refuse a conversation that the assistant begins, as a campaign's does."""
    return messages if messages and messages[0].role == "user" else (_OPENING, *messages)


def trimmed(request: ReplyRequest) -> ReplyRequest:
    """The request with the older half of what was said before left out; the question itself stays whole."""
    kept = request.past // 2
    return replace(request, messages=request.messages[request.past - kept :], past=kept)
