"""What every model provider has in common: one call in, one answer out, or a named failure."""

from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import httpx2
import msgspec
import openai

from realtime.llm import accounting
from realtime.llm.contract import ReplyRequest, Target, Turn
from realtime.llm.faults import ErrorClass, ProviderFailed, Usage

# The connector needs numbers: without them the transport stops near 100 connections.
_LIMITS = httpx2.Limits(max_connections=20_000, max_keepalive_connections=2_000, keepalive_expiry=15.0)
# Only connecting has a limit of its own; the whole call has asyncio.timeout, which a slow drip cannot outlive.
PATIENCE = httpx2.Timeout(None, connect=3.0)
_Shape = TypeVar("_Shape")
_OPENING = Turn(role="user", text="(The business wrote first.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer."""

    text: str
    usage: Usage


class Provider(Protocol):
    """A vendor's API. `complete` raises ProviderFailed and nothing else; the caller limits its time."""

    async def complete(self, request: ReplyRequest, target: Target) -> Completion: ...

    async def close(self) -> None: ...


def http_client() -> httpx2.AsyncClient:
    """The aiohttp transport under a vendor's client: at 1,000 connections a tenth of the default's CPU."""
    return openai.DefaultAioHttpClient(limits=_LIMITS, timeout=PATIENCE, follow_redirects=False)


def decoded(decoder: msgspec.json.Decoder[_Shape], body: bytes) -> _Shape:
    """Raises ProviderFailed for HTML, broken JSON, an empty body, or JSON of another shape."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProviderFailed(ErrorClass.MALFORMED if body.strip() else ErrorClass.EMPTY) from None


def finished(request: ReplyRequest, *, text: str, usage: Usage | None) -> Completion:
    """The answer with its usage, estimated where the provider did not say."""
    if usage is None:
        usage = accounting.estimated(request, output_tokens=accounting.tokens_in(text))
    if not text.strip():
        raise ProviderFailed(ErrorClass.EMPTY, usage=usage)
    return Completion(text=text, usage=usage)


def opened_by_customer(messages: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Two vendors refuse a conversation that the assistant begins, as a campaign's does."""
    return messages if messages and messages[0].role == "user" else (_OPENING, *messages)


def trimmed(request: ReplyRequest) -> ReplyRequest:
    """The request with the older half of the conversation left out."""
    return replace(request, messages=request.messages[len(request.messages) // 2 :])
