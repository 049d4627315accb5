"""What a customer wants, read from patterns with guards in thirteen languages at once: the same answer every time."""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from mychatflow.rules import clauses, lexicon, normalisation
from mychatflow.rules.clauses import Clauses
from mychatflow.rules.lexicon import KINDS, Kind, Lexicon, Request, Rule, Veto
from mychatflow.rules.normalisation import Normalised

EXTRACTOR_VERSION: Final = "intents_v5"
# Nobody states a wish after two thousand characters that the first two thousand do not hold.
LONGEST_READ: Final = 2_000
_NEGATABLE: Final = frozenset({"urgent", "handoff", "scheduling_request"})
_NEGATION_REACH: Final = 3
_NEGATION_REACH_AFTER: Final = 2
_NEGATION_REACH_SPACELESS: Final = 4
_SHORT_TOKENS: Final = 3
_SHORT_CHARACTERS: Final = 6
_ANY_LANGUAGE: Final = "any"
_QUESTION_MARK: Final = "any.question:?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule that fired, and where in the original text."""

    kind: Kind
    language: str
    rule_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """`intents` holds the four that the lead score counts, in the order of their kinds."""

    is_question: bool
    intents: tuple[str, ...]
    is_handoff: bool
    hits: tuple[Hit, ...]
    extractor_version: str = EXTRACTOR_VERSION


class Guard(StrEnum):
    """What takes a rule's words back."""

    NOT_AT_HEAD = "not_at_head"
    VETOED = "vetoed"
    NOT_ASKED = "not_asked"
    NEGATED = "negated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A rule whose words the message holds; `guard` is what took them back, None where they count."""

    hit: Hit
    guard: Guard | None
    guard_words: str = ""


class _Reading(NamedTuple):
    """One message with everything found in it before the guards decide."""

    parts: Clauses
    rules: list[tuple[Rule, int, int]]
    vetoes: list[tuple[Veto, int, int]]
    requests: list[tuple[Request, int, int]]


def extract(text: str) -> Signals:
    """Intents, question and hand-off of one message, each with the rule and place that says so."""
    plain = normalisation.normalise(text[:LONGEST_READ])
    found = list(_hits(plain))
    if plain.is_squeezed:
        # "preciooo" is "precio" drawn out, "hello" is not "helo": both readings count.
        found += _hits(normalisation.normalise(text[:LONGEST_READ], repeats=1))
    hits = _in_order(found)
    kinds = {hit.kind for hit in hits}
    return Signals(
        is_question="question" in kinds,
        intents=tuple(kind for kind in KINDS[:4] if kind in kinds),
        is_handoff="handoff" in kinds,
        hits=hits,
    )


def normalise(text: str) -> str:
    return normalisation.normalise(text).text


def _in_order(found: Iterable[Hit]) -> tuple[Hit, ...]:
    """By kind and place; of those that begin at one place the longest explains best."""
    best: dict[tuple[Kind, int], Hit] = {}
    for hit in sorted(found, key=lambda hit: (hit.end, hit.rule_id)):
        best[hit.kind, hit.start] = hit
    return tuple(sorted(best.values(), key=lambda hit: (KINDS.index(hit.kind), hit.start)))


def explain(text: str) -> tuple[Considered, ...]:
    """Every rule whose words occur, those included that a guard takes back, in the order of the text."""
    plain = normalisation.normalise(text[:LONGEST_READ])
    book = lexicon.load()
    reading = _read(plain.text, book)
    questions = set(_question_sentences(reading, book))
    considered = [Considered(hit=hit, guard=None) for hit in _marks(plain, reading.parts, questions)]
    for rule, start, end in reading.rules:
        guard, words = _guard(rule, start, end, reading=reading, book=book, questions=questions) or (None, "")
        considered.append(Considered(hit=_hit(rule, start, end, plain), guard=guard, guard_words=words))
    return tuple(
        sorted(considered, key=lambda each: (each.hit.start, each.guard is not None, KINDS.index(each.hit.kind)))
    )


def _hits(plain: Normalised) -> Iterator[Hit]:
    book = lexicon.load()
    reading = _read(plain.text, book)
    if not reading.rules and "?" not in plain.text:
        return
    questions = set(_question_sentences(reading, book))
    yield from _marks(plain, reading.parts, questions)
    for rule, start, end in reading.rules:
        if _guard(rule, start, end, reading=reading, book=book, questions=questions) is None:
            yield _hit(rule, start, end, plain)


def _marks(plain: Normalised, parts: Clauses, questions: set[tuple[int, int]]) -> Iterator[Hit]:
    for start, end in sorted(questions):
        mark = parts.text.rfind("?", start, end)
        if mark >= 0:
            first, last = plain.original_span(mark, mark + 1)
            yield Hit(kind="question", language=_ANY_LANGUAGE, rule_id=_QUESTION_MARK, start=first, end=last)


def _hit(rule: Rule, start: int, end: int, plain: Normalised) -> Hit:
    first, last = plain.original_span(start, end)
    return Hit(kind=rule.kind, language=rule.language, rule_id=rule.rule_id, start=first, end=last)


def _read(text: str, book: Lexicon) -> _Reading:
    parts = clauses.split(text, contrasts=_contrast_pattern())
    reading = _Reading(parts=parts, rules=[], vetoes=[], requests=[])
    lists: dict[type, list[tuple[Any, int, int]]] = {
        Rule: reading.rules,
        Veto: reading.vetoes,
        Request: reading.requests,
    }
    for index in book.entries_in(parts.text):
        entry = book.entries[index]
        for match in entry.phrase.pattern.finditer(parts.text):
            lists[type(entry)].append((entry, *match.span()))
    return reading


def _question_sentences(reading: _Reading, book: Lexicon) -> Iterator[tuple[int, int]]:
    parts = reading.parts
    if "?" in parts.text:
        for start in parts.sentence_starts:
            sentence = parts.sentence(start)
            if "?" in parts.text[slice(*sentence)] and _veto("question", sentence, reading) is None:
                yield sentence
    for rule, start, _ in reading.rules:
        if rule.kind == "question" and _is_placed(rule, start, parts, book):
            sentence = parts.sentence(start)
            if _veto("question", sentence, reading, by_tags=False) is None:
                yield sentence


def _guard(
    rule: Rule, start: int, end: int, *, reading: _Reading, book: Lexicon, questions: set[tuple[int, int]]
) -> tuple[Guard, str] | None:
    """What takes the rule's words back here, and by which words of the message; None where they count."""
    parts = reading.parts
    sentence = parts.sentence(start)
    if not _is_placed(rule, start, parts, book):
        return Guard.NOT_AT_HEAD, parts.text[parts.clause(start)[0] : start].strip()
    if rule.kind == "question":
        if sentence in questions:
            return None
        return Guard.VETOED, _veto("question", sentence, reading) or ""
    veto = _veto(rule.kind, parts.clause(start), reading)
    if veto is not None:
        return Guard.VETOED, veto
    if rule.strength == "weak" and not (
        sentence in questions or _is_requested(sentence, reading) or _is_short(rule, sentence, parts, book)
    ):
        return Guard.NOT_ASKED, ""
    if rule.kind in _NEGATABLE or rule.strength == "weak":
        negation = _negation(rule, start, end, parts=parts, book=book)
        return None if negation is None else (Guard.NEGATED, negation)
    return None


def _is_placed(rule: Rule, start: int, parts: Clauses, book: Lexicon) -> bool:
    """A start rule counts only at the head of its clause, after greetings and fillers at most."""
    if rule.strength != "start":
        return True
    before = clauses.tokens(parts.text, parts.clause(start)[0], start)
    return book.guards[rule.language].fillers.issuperset(before)


def _veto(kind: Kind, segment: tuple[int, int], reading: _Reading, *, by_tags: bool = True) -> str | None:
    """The words that forbid this kind in the segment, if there are any."""
    first, last = segment
    for veto, start, end in reading.vetoes:
        if veto.kind == kind and first <= start < last and (by_tags or not veto.is_tag):
            return reading.parts.text[start:end]
    return None


def _is_requested(sentence: tuple[int, int], reading: _Reading) -> bool:
    return any(sentence[0] <= start < sentence[1] for _, start, _ in reading.requests)


def _is_short(rule: Rule, sentence: tuple[int, int], parts: Clauses, book: Lexicon) -> bool:
    if book.guards[rule.language].is_spaced:
        return len(clauses.tokens(parts.text, *sentence)) <= _SHORT_TOKENS
    return sentence[1] - sentence[0] <= _SHORT_CHARACTERS


def _negation(rule: Rule, start: int, end: int, *, parts: Clauses, book: Lexicon) -> str | None:
    guards = book.guards[rule.language]
    first, last = parts.clause(start)
    if not guards.is_spaced:
        before = parts.text[max(first, start - _NEGATION_REACH_SPACELESS) : start]
        after = parts.text[end : min(last, end + _NEGATION_REACH_SPACELESS)]
        return next(
            itertools.chain(
                (word for word in guards.negations if word in before),
                (word for word in guards.negations_after if word in after),
            ),
            None,
        )
    words_before = clauses.tokens(parts.text, first, start)[-_NEGATION_REACH:]
    words_after = clauses.tokens(parts.text, end, last)[:_NEGATION_REACH_AFTER]
    return next(
        itertools.chain(
            (word for word in words_before if word in guards.negations),
            (word for word in words_after if word in guards.negations_after),
        ),
        None,
    )


@functools.lru_cache(maxsize=1)
def _contrast_pattern() -> re.Pattern[str]:
    words = lexicon.load().contrasts
    spaced = "|".join(re.escape(word) for word in words if word.isascii() or not _is_han(word))
    spaceless = "|".join(re.escape(word) for word in words if _is_han(word))
    return re.compile(rf"\b(?:{spaced})\b|{spaceless}")


def _is_han(word: str) -> bool:
    return any("\u3040" <= character <= "\u9fff" for character in word)
