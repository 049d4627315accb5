"""What a customer wants, read from patterns with guards in thirteen languages at once: the same answer every time."""

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mychatflow.rules import clauses, keywords, lexicon, normalisation
from mychatflow.rules.clauses import Clauses
from mychatflow.rules.lexicon import KINDS, Kind, Lexicon, Request, Rule, Veto
from mychatflow.rules.normalisation import Normalised

EXTRACTOR_VERSION: Final = "intents_v3"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One message with everything found in it before the guards decide."""

    parts: Clauses
    rules: tuple[tuple[Rule, int, int], ...]
    vetoes: tuple[tuple[Veto, int, int], ...]
    requests: tuple[tuple[Request, int, int], ...]


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


def match_keywords(text: str, wanted: Iterable[str]) -> str | None:
    """The first of a tenant's keywords that the message holds; literals, never patterns."""
    return keywords.match(text, wanted)


def _in_order(found: Iterable[Hit]) -> tuple[Hit, ...]:
    """By kind and place; of those that begin at one place the longest explains best."""
    best: dict[tuple[Kind, int], Hit] = {}
    for hit in sorted(found, key=lambda hit: (hit.end, hit.rule_id)):
        best[hit.kind, hit.start] = hit
    return tuple(sorted(best.values(), key=lambda hit: (KINDS.index(hit.kind), hit.start)))


def _hits(plain: Normalised) -> Iterator[Hit]:
    book = lexicon.load()
    reading = _read(plain.text, book)
    questions = set(_question_sentences(reading, book))
    for start, end in sorted(questions):
        mark = reading.parts.text.rfind("?", start, end)
        if mark >= 0:
            first, last = plain.original_span(mark, mark + 1)
            yield Hit(kind="question", language=_ANY_LANGUAGE, rule_id=_QUESTION_MARK, start=first, end=last)
    for rule, start, end in reading.rules:
        if _stands(rule, start, end, reading=reading, book=book, questions=questions):
            first, last = plain.original_span(start, end)
            yield Hit(kind=rule.kind, language=rule.language, rule_id=rule.rule_id, start=first, end=last)


def _read(text: str, book: Lexicon) -> _Reading:
    parts = clauses.split(text, contrasts=_contrast_pattern())
    rules: list[tuple[Rule, int, int]] = []
    vetoes: list[tuple[Veto, int, int]] = []
    requests: list[tuple[Request, int, int]] = []
    for index in book.entries_in(parts.text):
        entry = book.entries[index]
        for match in entry.phrase.pattern.finditer(parts.text):
            if isinstance(entry, Rule):
                rules.append((entry, *match.span()))
            elif isinstance(entry, Veto):
                vetoes.append((entry, *match.span()))
            else:
                requests.append((entry, *match.span()))
    return _Reading(parts=parts, rules=tuple(rules), vetoes=tuple(vetoes), requests=tuple(requests))


def _question_sentences(reading: _Reading, book: Lexicon) -> Iterator[tuple[int, int]]:
    parts = reading.parts
    for start in parts.sentence_starts:
        sentence = parts.sentence(start)
        if "?" in parts.text[slice(*sentence)] and not _is_vetoed("question", sentence, reading):
            yield sentence
    for rule, start, _ in reading.rules:
        sentence = parts.sentence(start)
        is_placed = rule.kind == "question" and _is_placed(rule, start, parts, book)
        if is_placed and not _is_vetoed("question", sentence, reading, by_tags=False):
            yield sentence


def _stands(
    rule: Rule, start: int, end: int, *, reading: _Reading, book: Lexicon, questions: set[tuple[int, int]]
) -> bool:
    parts = reading.parts
    clause, sentence = parts.clause(start), parts.sentence(start)
    if rule.kind == "question":
        return sentence in questions and _is_placed(rule, start, parts, book)
    if not _is_placed(rule, start, parts, book) or _is_vetoed(rule.kind, clause, reading):
        return False
    if rule.strength == "weak" and not (
        sentence in questions or _is_requested(sentence, reading) or _is_short(rule, sentence, parts, book)
    ):
        return False
    is_negatable = rule.kind in _NEGATABLE or rule.strength == "weak"
    return not (is_negatable and _is_negated(rule, start, end, parts=parts, book=book))


def _is_placed(rule: Rule, start: int, parts: Clauses, book: Lexicon) -> bool:
    """A start rule counts only at the head of its clause, after greetings and fillers at most."""
    if rule.strength != "start":
        return True
    before = clauses.tokens(parts.text, parts.clause(start)[0], start)
    fillers = book.guards[rule.language].fillers
    return all(word in fillers for word in before)


def _is_vetoed(kind: Kind, segment: tuple[int, int], reading: _Reading, *, by_tags: bool = True) -> bool:
    return any(
        veto.kind == kind and segment[0] <= start < segment[1] and (by_tags or not veto.is_tag)
        for veto, start, _ in reading.vetoes
    )


def _is_requested(sentence: tuple[int, int], reading: _Reading) -> bool:
    return any(sentence[0] <= start < sentence[1] for _, start, _ in reading.requests)


def _is_short(rule: Rule, sentence: tuple[int, int], parts: Clauses, book: Lexicon) -> bool:
    if book.guards[rule.language].is_spaced:
        return len(clauses.tokens(parts.text, *sentence)) <= _SHORT_TOKENS
    return sentence[1] - sentence[0] <= _SHORT_CHARACTERS


def _is_negated(rule: Rule, start: int, end: int, *, parts: Clauses, book: Lexicon) -> bool:
    guards = book.guards[rule.language]
    first, last = parts.clause(start)
    if not guards.is_spaced:
        before = parts.text[max(first, start - _NEGATION_REACH_SPACELESS) : start]
        after = parts.text[end : min(last, end + _NEGATION_REACH_SPACELESS)]
        return any(word in before for word in guards.negations) or any(word in after for word in guards.negations_after)
    words_before = clauses.tokens(parts.text, first, start)[-_NEGATION_REACH:]
    words_after = clauses.tokens(parts.text, end, last)[:_NEGATION_REACH_AFTER]
    return any(word in guards.negations for word in words_before) or any(
        word in guards.negations_after for word in words_after
    )


@functools.lru_cache(maxsize=1)
def _contrast_pattern() -> re.Pattern[str]:
    words = lexicon.load().contrasts
    spaced = "|".join(re.escape(word) for word in words if word.isascii() or not _is_han(word))
    spaceless = "|".join(re.escape(word) for word in words if _is_han(word))
    return re.compile(rf"\b(?:{spaced})\b|{spaceless}")


def _is_han(word: str) -> bool:
    return any("\u3040" <= character <= "\u9fff" for character in word)
