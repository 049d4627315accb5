"""The intent files of all languages, read once and made ready to run on every message."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

import ahocorasick
import yaml

from mychatflow.rules import normalisation, phrases
from mychatflow.rules.phrases import Phrase

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
    entries: tuple[Entry, ...]
    guards: Mapping[str, Guards]
    contrasts: tuple[str, ...]
    automaton: Any


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
        automaton=_automaton(entries),
    )


def _entries(language: str, file: Mapping[str, Any]) -> list[Entry]:
    is_spaced: bool = file["is_spaced"]
    entries: list[Entry] = [
        Request(language=language, phrase=phrases.compile_phrase(source, is_spaced=is_spaced))
        for source in file.get("requests", ())
    ]
    strengths: tuple[Strength, ...] = ("strong", "weak", "start")
    for kind in KINDS:
        lists = file.get(kind, {})
        for strength in strengths:
            for source in lists.get(strength, ()):
                phrase = phrases.compile_phrase(source, is_spaced=is_spaced)
                entries.append(Rule(kind=kind, language=language, strength=strength, phrase=phrase))
        for source in lists.get("unless", ()):
            phrase = phrases.compile_phrase(source, is_spaced=is_spaced)
            entries.append(Veto(kind=kind, language=language, phrase=phrase))
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


def _automaton(entries: tuple[Entry, ...]) -> Any:
    by_stem: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        for stem in entry.phrase.stems:
            by_stem.setdefault(stem, []).append(index)
    automaton = ahocorasick.Automaton()
    for stem, indexes in by_stem.items():
        automaton.add_word(stem, tuple(indexes))
    automaton.make_automaton()
    return automaton
