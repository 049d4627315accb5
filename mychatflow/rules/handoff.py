"""Whether this message takes the conversation to a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mychatflow.rules import keywords as tenant_keywords
from mychatflow.rules.intents import Signals


class HandoffReason(StrEnum):
    KEYWORD = "keyword"
    ASKED_FOR_HUMAN = "asked_for_human"


class Cause(StrEnum):
    """Why the agent itself hands a conversation over, as it is stored, counted and shown."""

    KEYWORD = "keyword"
    CUSTOMER_REQUEST = "customer_request"
    MISSING_KNOWLEDGE = "missing_knowledge"
    UNSUPPORTED_REQUEST = "unsupported_request"


class ByHand(StrEnum):
    """Why a colleague, or another system, hands a conversation off."""

    MANUAL = "manual"
    CUSTOMER_REQUEST = "customer_request"
    COMPLAINT = "complaint"
    MISSING_KNOWLEDGE = "missing_knowledge"
    SALE = "sale"


def counted(words: str) -> ByHand:
    """As which reason a hand-off counts whose reason is given in these words."""
    return ByHand(words) if words in set(ByHand) else ByHand.MANUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffDecision:
    """`matched` is the tenant's keyword, or the built-in rule and the customer's own words."""

    reason: HandoffReason
    matched: str

    @property
    def cause(self) -> Cause:
        return Cause.KEYWORD if self.reason is HandoffReason.KEYWORD else Cause.CUSTOMER_REQUEST


def decide(signals: Signals, text: str, *, keywords: Iterable[str], is_enabled: bool) -> HandoffDecision | None:
    """The tenant's own keywords first, since they are literal; then the built-in request for a person."""
    if not is_enabled:
        return None
    keyword = tenant_keywords.match(text, keywords)
    if keyword is not None:
        return HandoffDecision(reason=HandoffReason.KEYWORD, matched=keyword)
    for hit in signals.hits:
        if hit.kind == "handoff":
            return HandoffDecision(
                reason=HandoffReason.ASKED_FOR_HUMAN, matched=f"{hit.rule_id}: {text[hit.start : hit.end]}"
            )
    return None
