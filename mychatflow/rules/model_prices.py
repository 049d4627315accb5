"""Which models of which providers we know, and what each charges from when on."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Final

import yaml

_FILE: Final = Path(__file__).with_name("model_prices.yaml")
# They hear or compare, and write no answer.
_WORDLESS: Final = re.compile("embedding|transcribe")


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


def in_force(lists: Sequence[PriceList], at: datetime) -> PriceList:
    """The newest list that holds at that instant; the oldest for what was before all of them."""
    return next((prices for prices in reversed(lists) if prices.since <= at), lists[0])


def names(provider: str) -> tuple[str, ...]:
    """The models of that provider which may answer a customer: those with a price of their own."""
    priced = [model for name, model in lists()[-1].models if name == provider]
    return tuple(sorted(model for model in priced if model != "otherwise" and not _WORDLESS.search(model)))


@functools.cache
def lists() -> tuple[PriceList, ...]:
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
