"""What each call to a model cost, in whole millionths of a dollar, by a dated price table."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import yaml

from realtime.llm.contract import SANDBOX, ReplyRequest, Turn
from realtime.llm.faults import Usage

_FILE = Path(__file__).with_name("prices.yaml")
_BYTES_PER_TOKEN = 4
_TOKENS_AROUND = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Billionths of a dollar per token."""

    fresh: int
    cached: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """The prices that hold from an instant on."""

    version: str
    since: datetime
    models: dict[tuple[str, str], Price]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call cost; estimated where the price list does not know the model."""

    micro_usd: int
    price_version: str
    is_estimated: bool = False


def cost_of(usage: Usage, *, provider: str, model: str, at: datetime) -> Cost:
    """The cost of those tokens in a call that began then."""
    prices = in_force(_lists(), at)
    if provider == SANDBOX:
        return Cost(micro_usd=0, price_version=prices.version)
    known = prices.models.get((provider, model))
    price = known or prices.models[provider, "otherwise"]
    fresh = max(0, usage.input_tokens - usage.cached_tokens)
    nano = fresh * price.fresh + usage.cached_tokens * price.cached + usage.output_tokens * price.output
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


def estimated(request: ReplyRequest, *, output_tokens: int) -> Usage:
    """What a call cost that we have no answer of."""
    return Usage(input_tokens=prompt_tokens(request), output_tokens=output_tokens, is_estimated=True)


def in_force(lists: Sequence[PriceList], at: datetime) -> PriceList:
    """The newest list that holds at that instant; the oldest for what was before all of them."""
    return next((prices for prices in reversed(lists) if prices.since <= at), lists[0])


@functools.cache
def _lists() -> tuple[PriceList, ...]:
    lists = (
        PriceList(
            version=entry["version"],
            since=_instant(entry["from"]),
            models={
                (provider, model): _price(row)
                for provider, models in entry["models"].items()
                for model, row in models.items()
            },
        )
        for entry in yaml.safe_load(_FILE.read_text())
    )
    return tuple(sorted(lists, key=lambda prices: prices.since))


def _instant(since: date | datetime) -> datetime:
    """A price may change within a day; a date alone is its midnight, UTC."""
    if isinstance(since, datetime):
        return since if since.tzinfo else since.replace(tzinfo=UTC)
    return datetime.combine(since, time(), tzinfo=UTC)


def _price(row: list[str]) -> Price:
    # A dollar per million tokens is a thousand billionths per token.
    fresh, cached, output = (int(Decimal(usd) * 1000) for usd in row)
    return Price(fresh=fresh, cached=cached, output=output)
