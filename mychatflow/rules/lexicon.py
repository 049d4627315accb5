"""The intent files of all languages, read once and made ready to run on every message."""

import functools
import re
from collections.abc import Iterable, Mapping
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
    rule_id: str


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
# A whole word, or place and text of any other stem in one string, since the hash of a string is kept.
Feature = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """An entry is looked for where a stem of each of its groups occurs.

    A stem that is a whole word is found by looking up each word, all others by the automaton. `announced[stem]` holds
    the entries whose rarest group has that stem, `further[entry]` the other groups of an entry.
    """

    entries: tuple[Entry, ...]
    guards: Mapping[str, Guards]
    contrasts: tuple[str, ...]
    automaton: Any
    announced: Mapping[Feature, tuple[int, ...]]
    further: tuple[tuple[frozenset[Feature], ...], ...]

    def entries_in(self, text: str) -> list[int]:
        """The entries that may occur in the text, in their order."""
        found: set[Feature] = set(_WORD.findall(text))
        last = len(text) - 1
        for end, (length, inside, start, whole) in self.automaton.iter(text):
            if inside:
                found.add(inside)
            if (start or whole) and (end < length or not _is_letter(text[end - length])):
                if start:
                    found.add(start)
                if whole and (end == last or not _is_letter(text[end + 1])):
                    found.add(whole)
        return sorted(self._complete(found))

    def _complete(self, found: set[Feature]) -> set[int]:
        announced, further, is_absent = self.announced, self.further, found.isdisjoint
        entries = set()
        for feature in found:
            for index in announced.get(feature, ()):
                for group in further[index]:
                    if is_absent(group):
                        break
                else:
                    entries.add(index)
        return entries


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
            Rule(
                kind=kind,
                language=language,
                strength=strength,
                phrase=compiled(source),
                rule_id=f"{language}.{kind}:{source}",
            )
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
    required = [[frozenset(map(_feature, stems)) for stems in entry.phrase.required] for entry in entries]
    announced: dict[Feature, list[int]] = {}
    for index, (rarest, *_) in enumerate(required):
        for feature in rarest:
            announced.setdefault(feature, []).append(index)
    return {
        "automaton": _automaton({stem for entry in entries for stems in entry.phrase.required for stem in stems}),
        "announced": {feature: tuple(indexes) for feature, indexes in announced.items()},
        "further": tuple(tuple(groups[1:]) for groups in required),
    }


def _feature(stem: Stem) -> Feature:
    return stem.text if _is_word(stem) else f"{stem.place} {stem.text}"


def _is_word(stem: Stem) -> bool:
    return stem.place == "whole" and _WORD.fullmatch(stem.text) is not None


def _automaton(stems: Iterable[Stem]) -> Any:
    places: dict[str, dict[str, Feature]] = {}
    for stem in stems:
        if not _is_word(stem):
            places.setdefault(stem.text, {})[stem.place] = _feature(stem)
    automaton = ahocorasick.Automaton()
    for text, features in places.items():
        automaton.add_word(text, (len(text), *(features.get(place) for place in ("inside", "start", "whole"))))
    automaton.make_automaton()
    return automaton


def _is_letter(character: str) -> bool:
    return character.isalnum() or character in _INDIC
