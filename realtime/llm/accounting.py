"""What each call to a model cost, in whole millionths of a dollar, by a dated price table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mychatflow.rules import model_prices
from realtime.llm.contract import SANDBOX, ReplyRequest, Turn
from realtime.llm.faults import Usage

_BYTES_PER_TOKEN = 4
_TOKENS_AROUND = 4
# What Anthropic keeps in its cache for five minutes costs a quarter more than what it merely reads.
_WRITING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call cost; estimated where the price list does not know the model."""

    micro_usd: int
    price_version: str
    is_estimated: bool = False


def cost_of(usage: Usage, *, provider: str, model: str, at: datetime) -> Cost:
    """The cost of those tokens in a call that began then."""
    prices = model_prices.in_force(model_prices.lists(), at)
    if provider == SANDBOX:
        return Cost(micro_usd=0, price_version=prices.version)
    known = prices.models.get((provider, model))
    price = known or prices.models[provider, "otherwise"]
    fresh = max(0, usage.input_tokens - usage.cached_tokens)
    surcharge = usage.written_tokens * price.fresh // _WRITING
    nano = fresh * price.fresh + surcharge + usage.cached_tokens * price.cached + usage.output_tokens * price.output
    is_guess = known is None and nano > 0
    return Cost(micro_usd=(nano + 500) // 1000, price_version=prices.version, is_estimated=is_guess)


def tokens_in(text: str) -> int:
    """About how many tokens a text has; four bytes each is the vendors' own rule of thumb."""
    return -(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN)


def prompt_tokens(request: ReplyRequest) -> int:
    """About how many tokens a request has, the few around each message included."""
    spoken = sum(_tokens_of(message) + _TOKENS_AROUND for message in request.messages)
    offered = sum(tokens_in(tool.name + tool.description) for tool in request.tools)
    return spoken + offered + tokens_in(request.system) + _TOKENS_AROUND


def _tokens_of(message: Turn) -> int:
    asked = "".join(call.arguments for call in message.calls)
    return tokens_in(message.text + asked + "".join(told.content for told in message.results))


def estimated_of(texts: Sequence[str]) -> Usage:
    """What it costs to have these read."""
    return Usage(input_tokens=sum(map(tokens_in, texts)), is_estimated=True)


def estimated(request: ReplyRequest, *, output_tokens: int) -> Usage:
    """What a call cost that we have no answer of."""
    return Usage(input_tokens=prompt_tokens(request), output_tokens=output_tokens, is_estimated=True)
