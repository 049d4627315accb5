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
    def passages(self) -> tuple[Passage, ...]:
        return self.stable + self.found


def for_question(tenant: Tenant, question: str) -> Knowledge:
    if _size(tenant.knowledge) <= _WHOLE_TOKENS:
        return Knowledge(stable=tenant.knowledge, found=())
    hits = tenant.index.search(question, limit=_MOST_PASSAGES)
    return Knowledge(stable=(), found=tuple(hit.passage for hit in hits if hit.coverage >= _LEAST_COVERAGE))


def _size(passages: tuple[Passage, ...]) -> int:
    return sum(accounting.tokens_in(passage.title) + accounting.tokens_in(passage.body) for passage in passages)
