"""The intent files of all languages, read once and made ready to run on every message."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

import ahocorasick
import yaml

from mychatflow.rules import normalisation, phrases
from mychatflow.rules.phrases import Phrase, Stem

Kind = Literal["price_inquiry", "availability_check", "scheduling_request", "urgent", "question", "handoff"]
Strength = Literal["strong", "weak", "start"]
KINDS: Final[tuple[Kind, ...]] = (
    "price_inquiry",
    "availability_check",
    "scheduling_request",
    "urgent",
    "question",
    "handoff",
)
LANGUAGES: Final = ("en", "es", "pt", "fr", "de", "it", "ar", "hi", "id", "tr", "ru", "zh", "ja")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A strong rule stands alone, a weak one needs a question or a request, a start rule the head of a clause."""

    kind: Kind
    language: str
    strength: Strength
    phrase: Phrase

    @property
    def rule_id(self) -> str:
        return f"{self.language}.{self.kind}:{self.phrase.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What one language says around a trigger to take it back."""

    is_spaced: bool
    negations: frozenset[str]
    negations_after: frozenset[str]
    fillers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Veto:
    """What takes a trigger back; a tag ("right?") only robs the question mark behind it of its meaning."""

    kind: Kind
    language: str
    phrase: Phrase

    @property
    def is_tag(self) -> bool:
        return self.phrase.source.endswith("$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A cue like "send me" that makes a bare topic a request."""

    language: str
    phrase: Phrase


Entry = Rule | Veto | Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """The stems of a choice form a group; an entry is looked for where all its groups occur.

    `words` holds the groups of whole words, the automaton those of all other stems;
    `announced[group]` holds the entries whose rarest group it is, `required[entry]` all the groups of an entry.
    """

    entries: tuple[Entry, ...]
    guards: Mapping[str, Guards]
    contrasts: tuple[str, ...]
    words: Mapping[str, tuple[int, ...]]
    automaton: Any
    announced: Mapping[int, tuple[int, ...]]
    required: tuple[frozenset[int], ...]

    def entries_in(self, text: str) -> list[int]:
        """The entries that may occur in the text, in their order."""
        groups: set[int] = set()
        for word in _WORD.findall(text):
            groups.update(self.words.get(word, ()))
        last = len(text) - 1
        for end, (length, inside, start, whole) in self.automaton.iter(text):
            if inside:
                groups.update(inside)
            if (start or whole) and (end < length or not _is_letter(text[end - length])):
                groups.update(start)
                if whole and (end == last or not _is_letter(text[end + 1])):
                    groups.update(whole)
        announced, required = self.announced, self.required
        return sorted(
            index for group in groups if group in announced for index in announced[group] if required[index] <= groups
        )


# A word as `_is_letter` bounds it: two thirds of the stems are such words, and to look one up is cheap.
_WORD: Final = re.compile(rf"(?:[^\W_]|[{normalisation.INDIC_SIGNS}])+")
_INDIC: Final = frozenset(filter(re.compile(f"[{normalisation.INDIC_SIGNS}]").match, map(chr, range(0x900, 0x980))))
# The C parser reads the files ten times as fast; both are safe loaders.
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.lru_cache(maxsize=1)
def load() -> Lexicon:
    """All languages at once, since customers mix them; built at the first message."""
    folder = resources.files("mychatflow.rules").joinpath("intents")
    files = {
        language: yaml.load(folder.joinpath(f"{language}.yaml").read_bytes(), _Loader)  # noqa: S506 - a safe loader
        for language in LANGUAGES
    }
    entries = tuple(entry for language, file in files.items() for entry in _entries(language, file))
    return Lexicon(
        entries=entries,
        guards={language: _guards(file, shared=_words(files["en"], "negations")) for language, file in files.items()},
        contrasts=tuple(normalisation.fold(word) for file in files.values() for word in file.get("contrasts", ())),
        **_index(entries),
    )


def _entries(language: str, file: Mapping[str, Any]) -> list[Entry]:
    compiled = functools.partial(phrases.compile_phrase, is_spaced=file["is_spaced"], words=file.get("words", {}))
    entries: list[Entry] = [Request(language=language, phrase=compiled(source)) for source in file.get("requests", ())]
    strengths: tuple[Strength, ...] = ("strong", "weak", "start")
    for kind in KINDS:
        lists = file.get(kind, {})
        entries += [
            Rule(kind=kind, language=language, strength=strength, phrase=compiled(source))
            for strength in strengths
            for source in lists.get(strength, ())
        ]
        entries += [Veto(kind=kind, language=language, phrase=compiled(source)) for source in lists.get("unless", ())]
    return entries


def _guards(file: Mapping[str, Any], *, shared: frozenset[str]) -> Guards:
    # English words like "urgent" live in every language, and so do the English ways to deny them.
    return Guards(
        is_spaced=file["is_spaced"],
        negations=_words(file, "negations") | (shared if file["is_spaced"] else frozenset()),
        negations_after=_words(file, "negations_after"),
        fillers=_words(file, "fillers"),
    )


def _words(file: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(normalisation.fold(str(word)) for word in file.get(key, ()))


def _index(entries: tuple[Entry, ...]) -> dict[str, Any]:
    numbers: dict[frozenset[Stem], int] = {}
    required = [[numbers.setdefault(stems, len(numbers)) for stems in entry.phrase.required] for entry in entries]
    announced: dict[int, list[int]] = {}
    for index, groups in enumerate(required):
        announced.setdefault(groups[0], []).append(index)
    words, automaton = _looked_up(numbers)
    return {
        "words": words,
        "automaton": automaton,
        "announced": {group: tuple(indexes) for group, indexes in announced.items()},
        "required": tuple(map(frozenset, required)),
    }


def _looked_up(numbers: Mapping[frozenset[Stem], int]) -> tuple[dict[str, tuple[int, ...]], Any]:
    by_text: dict[str, dict[str, list[int]]] = {}
    for stems, number in numbers.items():
        for stem in stems:
            by_text.setdefault(stem.text, {}).setdefault(stem.place, []).append(number)
    words: dict[str, tuple[int, ...]] = {}
    automaton = ahocorasick.Automaton()
    for text, places in by_text.items():
        inside, start, whole = (tuple(places.get(place, ())) for place in ("inside", "start", "whole"))
        if whole and _WORD.fullmatch(text):
            words[text], whole = whole, ()
        if inside or start or whole:
            automaton.add_word(text, (len(text), inside, start, whole))
    automaton.make_automaton()
    return words, automaton


def _is_letter(character: str) -> bool:
    return character.isalnum() or character in _INDIC
