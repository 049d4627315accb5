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
# About what `is_small` means in bytes, for whoever counts without reading.
WHOLE_BYTES: Final = _WHOLE_TOKENS * 4
# The usual constant of reciprocal rank fusion: how little the very first place counts above the second.
_RANK_DAMPING: Final = 60


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


def for_question(tenant: Tenant, question: str, *, before: str = "", near: tuple[str, ...] = ()) -> Knowledge:
    """`before` is what the customer said last: "and on Sundays?" is found with it alone.

    `near` are the passages that lie nearest by meaning, best first: they are fused with those found by their letters.
    """
    if is_small(tenant):
        return Knowledge(stable=tenant.knowledge, found=())
    found = _found(tenant, question) or (_found(tenant, f"{before}\n{question}") if before and not near else ())
    return Knowledge(stable=(), found=_fused(tenant, found, near) if near else found)


def is_small(tenant: Tenant) -> bool:
    """Whether all of it stands in every prompt."""
    return _size(tenant.knowledge) <= _WHOLE_TOKENS


def _fused(tenant: Tenant, found: tuple[Passage, ...], near: tuple[str, ...]) -> tuple[Passage, ...]:
    """By reciprocal rank: what both searches find goes before what one finds first."""
    known = {passage.id: passage for passage in tenant.knowledge}
    scores: dict[str, float] = {}
    for ranking in ([passage.id for passage in found], [each for each in near if each in known]):
        for place, passage_id in enumerate(ranking, start=1):
            scores[passage_id] = scores.get(passage_id, 0.0) + 1 / (_RANK_DAMPING + place)
    best = sorted(scores, key=lambda passage_id: -scores[passage_id])
    return tuple(known[passage_id] for passage_id in best[:_MOST_PASSAGES])


def _found(tenant: Tenant, question: str) -> tuple[Passage, ...]:
    hits = tenant.index.search(question, limit=_MOST_PASSAGES)
    return tuple(hit.passage for hit in hits if hit.coverage >= _LEAST_COVERAGE)


def _size(passages: tuple[Passage, ...]) -> int:
    return sum(accounting.tokens_in(passage.title) + accounting.tokens_in(passage.body) for passage in passages)
