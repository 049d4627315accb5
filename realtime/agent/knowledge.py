"""Which parts of a business's knowledge a reply may lean on: all of it when it is small, else what fits."""

from dataclasses import dataclass
from typing import Final

from realtime.agent.tenants import Tenant
from realtime.llm import accounting
from realtime.llm.contract import Passage

# A small business fits into the prompt whole: no search, so nothing is missed.
_WHOLE_TOKENS: Final = 3_000
_MOST_PASSAGES: Final = 5
_LEAST_COVERAGE: Final = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """`stable` stands in the part of the prompt that never changes, `found` beside the question."""

    stable: tuple[Passage, ...]
    found: tuple[Passage, ...]

    @property
    def is_empty(self) -> bool:
        """Nothing of it reaches the threshold: what would be answered would be made up."""
        return not self.stable and not self.found

    @property
    def passages(self) -> tuple[Passage, ...]:
        return self.stable + self.found


def for_question(tenant: Tenant, question: str, *, before: str = "") -> Knowledge:
    """`before` is what the customer said last: "and on Sundays?" is found with it alone."""
    if _size(tenant.knowledge) <= _WHOLE_TOKENS:
        return Knowledge(stable=tenant.knowledge, found=())
    found = _found(tenant, question) or (_found(tenant, f"{before}\n{question}") if before else ())
    return Knowledge(stable=(), found=found)


def _found(tenant: Tenant, question: str) -> tuple[Passage, ...]:
    hits = tenant.index.search(question, limit=_MOST_PASSAGES)
    return tuple(hit.passage for hit in hits if hit.coverage >= _LEAST_COVERAGE)


def _size(passages: tuple[Passage, ...]) -> int:
    return sum(accounting.tokens_in(passage.title) + accounting.tokens_in(passage.body) for passage in passages)
