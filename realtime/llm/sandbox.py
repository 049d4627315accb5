"""Answers from the tenant's own quick replies when no model's key is set; never shown as a real model."""

import asyncio
import functools
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from realtime.llm.contract import Action, Passage, ReplyRequest, Target
from realtime.llm.faults import Usage
from realtime.llm.provider import Completion
from realtime.llm.retrieval import Hit, Index

_FILE = Path(__file__).with_name("sandbox_phrases.yaml")
_FALLBACK = "en"
# Below this share of the question a passage only shares common words with it.
_LEAST_COVERAGE = 0.18
# Of passages that fit about as well, the one in the customer's language is taken.
_NEARLY = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A provider without a model; `latency` makes a demonstration feel like one."""

    latency: float = 0.0

    async def complete(self, request: ReplyRequest, target: Target) -> Completion:  # noqa: ARG002  (it has one model)
        await asyncio.sleep(self.latency)
        return Completion(text=answer(request), usage=Usage())

    async def close(self) -> None:
        """Nothing is held open."""


def answer(request: ReplyRequest) -> str:
    """The reply in the form that the models are asked for."""
    question = next((turn.text for turn in reversed(request.messages) if turn.role == "user" and not turn.results), "")
    hit = _best(_index(request.knowledge).search(question), request.language)
    if hit is not None and hit.coverage >= _LEAST_COVERAGE:
        return _written(hit.passage.body, request, action=Action.ANSWER, sources=[hit.passage.id])
    is_first = all(turn.role == "user" for turn in request.messages)
    phrases = _phrases(request.language)
    if is_first:
        return _written(phrases["greeting"], request, action=Action.ANSWER, sources=[])
    return _written(phrases["clarify"], request, action=Action.CLARIFY, sources=[])


def _best(hits: list[Hit], language: str) -> Hit | None:
    near = [hit for hit in hits if hit.score >= hits[0].score * _NEARLY]
    return next((hit for hit in near if hit.passage.language == language), near[0] if near else None)


def _written(reply: str, request: ReplyRequest, *, action: Action, sources: list[str]) -> str:
    fields = {
        "reply": reply,
        "language": request.language,
        "action": action.value,
        "sources": sources,
        "confidence_note": "sandbox",
    }
    return msgspec.json.encode(fields).decode()


@functools.lru_cache(maxsize=64)
def _index(knowledge: tuple[Passage, ...]) -> Index:
    return Index(knowledge)


def _phrases(language: str) -> dict[str, str]:
    known = _all_phrases()
    return known.get(language.partition("-")[0].lower(), known[_FALLBACK])


@functools.cache
def _all_phrases() -> dict[str, dict[str, str]]:
    document: dict[str, dict[str, str]] = yaml.safe_load(_FILE.read_text())
    return document
