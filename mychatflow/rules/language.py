"""Which language a customer writes, and in which one we answer."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lingua import IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder

from mychatflow.rules import scripts

DETECTOR_VERSION: Final = "lingua-low-2+scripts-1"
STICKINESS: Final = 0.95
SWITCH_AT: Final = 0.5
_DEFAULT_SHARE: Final = 0.5
_FEWEST_LETTERS: Final = 2
# Enough to know a language, little enough to stay within microseconds.
_LONGEST_READ: Final = 400
_SHORT: Final = 32
_NOISE: Final = re.compile(r"https?://\S+|www\.\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w.-]{1,253}|[@#]\w+|\d+")


class LanguageReason(StrEnum):
    NO_EVIDENCE = "no_evidence"
    SAME = "same"
    FIRST = "first"
    SWITCHED = "switched"
    KEPT = "kept"
    LOCKED = "locked"
    REQUESTED = "requested"
    UNSUPPORTED = "unsupported"
    MONOLINGUAL = "monolingual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """`language` is None when the message holds too few letters; `shares` are over the supported languages."""

    language: str | None
    probability: float
    letters: int
    shares: Mapping[str, float]
    is_decisive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageDecision:
    """`detected` is what the message is written in, `decided` what we answer in."""

    detected: str | None
    probability: float
    letters: int
    decided: str
    locked: bool
    reason: LanguageReason
    detector_version: str = DETECTOR_VERSION


def detect(text: str, *, supported: Sequence[str]) -> Detection:
    """The script decides where it can, the letters' statistics among the supported languages where it cannot."""
    clean = _NOISE.sub(" ", scripts.plain(text[:_LONGEST_READ]))
    found = scripts.dominant(clean)
    if found is None or found.letters < _FEWEST_LETTERS:
        letters = 0 if found is None else found.letters
        return Detection(language=None, probability=0.0, letters=letters, shares={})
    candidates = scripts.candidates(found.script, tuple(supported))
    if len(candidates) == 1:
        only = candidates[0]
        return Detection(language=only, probability=1.0, letters=found.letters, shares={only: 1.0}, is_decisive=True)
    shares = _shares(clean, candidates)
    if not shares:
        return Detection(language=None, probability=0.0, letters=found.letters, shares={})
    best = max(shares, key=shares.__getitem__)
    return Detection(language=best, probability=shares[best], letters=found.letters, shares=shares)


def decide(
    text: str,
    *,
    supported: Sequence[str],
    default: str,
    current: str | None,
    is_locked: bool = False,
    is_multilingual: bool = True,
) -> LanguageDecision:
    """The language of the answer: it follows the customer, but one odd message does not turn it."""
    detection = detect(text, supported=supported)
    if not is_multilingual:
        return _decided(detection, default, LanguageReason.MONOLINGUAL, locked=is_locked)
    requested = scripts.requested_language(text)
    if requested is not None and requested in supported:
        return _decided(detection, requested, LanguageReason.REQUESTED, locked=True)
    known = current if current in supported else None
    if is_locked and known is not None:
        return _decided(detection, known, LanguageReason.LOCKED, locked=True)
    if detection.language is None:
        return _decided(detection, known or default, LanguageReason.NO_EVIDENCE)
    if detection.language not in supported:
        return _decided(detection, default, LanguageReason.UNSUPPORTED)
    return _weighed(detection, supported=supported, default=default, current=known)


def _weighed(detection: Detection, *, supported: Sequence[str], default: str, current: str | None) -> LanguageDecision:
    best, share = _posterior(detection.shares, _prior(tuple(supported), default, current))
    if current is None:
        return _decided(detection, best, LanguageReason.FIRST)
    if best == current:
        is_kept = detection.language != current
        return _decided(detection, current, LanguageReason.KEPT if is_kept else LanguageReason.SAME)
    if share < SWITCH_AT:
        return _decided(detection, current, LanguageReason.KEPT)
    return _decided(detection, best, LanguageReason.SWITCHED)


@functools.lru_cache(maxsize=1024)
def _prior(supported: tuple[str, ...], default: str, current: str | None) -> Mapping[str, float]:
    if current is not None:
        rest = (1 - STICKINESS) / max(1, len(supported) - 1)
        return {language: STICKINESS if language == current else rest for language in supported}
    each = (1 - _DEFAULT_SHARE) / len(supported)
    return {language: each + (_DEFAULT_SHARE if language == default else 0) for language in supported}


def _posterior(shares: Mapping[str, float], prior: Mapping[str, float]) -> tuple[str, float]:
    weights = {language: prior.get(language, 0.0) * share for language, share in shares.items()}
    best = max(weights, key=weights.__getitem__)
    total = sum(weights.values())
    return best, weights[best] / total if total else 0.0


def _decided(detection: Detection, decided: str, reason: LanguageReason, *, locked: bool = False) -> LanguageDecision:
    return LanguageDecision(
        detected=detection.language,
        probability=detection.probability,
        letters=detection.letters,
        decided=decided,
        locked=locked,
        reason=reason,
    )


def _shares(text: str, candidates: tuple[str, ...]) -> Mapping[str, float]:
    return _heard(text.casefold(), candidates) if len(text) <= _SHORT else _weigh(text, candidates)


# "Hola", "ok" and "gracias" are a good part of all messages, and statistics cost most of the reading.
@functools.lru_cache(maxsize=4096)
def _heard(text: str, candidates: tuple[str, ...]) -> Mapping[str, float]:
    return _weigh(text, candidates)


def forget() -> None:
    """As if no message had been read before: for whoever measures what a new one costs."""
    _heard.cache_clear()


def _weigh(text: str, candidates: tuple[str, ...]) -> dict[str, float]:
    detector = _detector(candidates)
    if detector is None:
        return {}
    values = detector.compute_language_confidence_values(text)
    shares = {_CODES[value.language]: value.value for value in values}
    return shares if any(shares.values()) else {}


@functools.lru_cache(maxsize=64)
def _detector(languages: tuple[str, ...]) -> LanguageDetector | None:
    known = [_KNOWN[language] for language in sorted(languages) if language in _KNOWN]
    # The detector compares at least two.
    if len(known) < 2:
        return None
    return LanguageDetectorBuilder.from_languages(*known).with_low_accuracy_mode().build()


def _known_languages() -> dict[str, Language]:
    return {_code(language.iso_code_639_1): language for language in Language.all()}


def _code(code: IsoCode639_1) -> str:
    return code.name.lower()


_KNOWN: Final = _known_languages()
_CODES: Final = {language: code for code, language in _KNOWN.items()}
