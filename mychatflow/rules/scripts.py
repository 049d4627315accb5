"""What the script of a message says about its language, before any statistics."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mychatflow.rules import normalisation

# For each script: the language it means when no supported one is written in it, then all others written in it.
LANGUAGES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "arabic": ("ar", "fa", "ur"),
    "hebrew": ("he", "yi"),
    "devanagari": ("hi", "mr", "ne"),
    "cyrillic": ("ru", "uk", "be", "bg", "sr", "mk", "kk", "mn"),
    "greek": ("el",),
    "han": ("zh", "ja"),
    "kana": ("ja",),
    "hangul": ("ko",),
    "thai": ("th",),
    "bengali": ("bn",),
    "gujarati": ("gu",),
    "gurmukhi": ("pa",),
    "tamil": ("ta",),
    "telugu": ("te",),
    "georgian": ("ka",),
    "armenian": ("hy",),
}
_NOT_LATIN: Final = frozenset(
    language for script, languages in LANGUAGES_OF.items() if script != "cyrillic" for language in languages
) | {"ru", "uk", "be", "bg", "mk"}
_RANGES: Final = (
    (0x41, 0x24F, "latin"),
    (0x1E00, 0x1EFF, "latin"),
    (0x370, 0x3FF, "greek"),
    (0x1F00, 0x1FFF, "greek"),
    (0x400, 0x52F, "cyrillic"),
    (0x530, 0x58F, "armenian"),
    (0x590, 0x5FF, "hebrew"),
    (0x600, 0x6FF, "arabic"),
    (0x750, 0x77F, "arabic"),
    (0x8A0, 0x8FF, "arabic"),
    (0x900, 0x97F, "devanagari"),
    (0x980, 0x9FF, "bengali"),
    (0xA00, 0xA7F, "gurmukhi"),
    (0xA80, 0xAFF, "gujarati"),
    (0xB80, 0xBFF, "tamil"),
    (0xC00, 0xC7F, "telugu"),
    (0xE00, 0xE7F, "thai"),
    (0x10A0, 0x10FF, "georgian"),
    (0x1100, 0x11FF, "hangul"),
    (0xAC00, 0xD7AF, "hangul"),
    (0x3041, 0x30FF, "kana"),
    (0x3400, 0x9FFF, "han"),
    (0x20000, 0x2FA1F, "han"),
)
# How each language is called in the languages our customers write.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("english", "inglés", "inglês", "anglais", "englisch", "inglese", "ingilizce", "bahasa inggris", "английски"),
    "es": ("spanish", "español", "castellano", "espanhol", "espagnol", "spanisch", "spagnolo", "ispanyolca"),
    "pt": ("portuguese", "portugués", "português", "portugais", "portugiesisch", "portoghese"),
    "fr": ("french", "francés", "français", "francês", "französisch", "francese", "fransızca"),
    "de": ("german", "alemán", "alemão", "allemand", "deutsch", "tedesco", "almanca"),
    "it": ("italian", "italiano", "italien", "italienisch", "italyanca"),
    "nl": ("dutch", "nederlands"),
    "tr": ("turkish", "türkçe", "turco", "türkisch"),
    "id": ("indonesian", "bahasa indonesia"),
    "ar": ("arabic", "árabe", "arabe", "arabisch", "بالعربي", "بالعربية", "العربية"),
    "hi": ("hindi", "हिंदी", "हिन्दी"),
    "ru": ("russian", "ruso", "russe", "russisch", "по-русски", "русском"),
    "he": ("hebrew", "hebreo", "עברית", "בעברית"),
}
_ASKED_BEFORE: Final = r"(?:in|en|em|auf|pakai|dalam|на|בעברית)"
_COURTESY: Final = r"please|pls|por favor|porfa|svp|s'il vous plait|bitte|per favore|tolong|lutfen|пожалуйста"
_SPEAK: Final = (
    r"speak|write|answer|reply|habl\w+|escrib\w+|respond\w+|fal[ae]r?|escrev\w+|parle[rz]?|ecri\w+|repond\w+"
    r"|schreib\w*|sprech\w*|antwort\w*|parl\w+|scriv\w+|rispond\w+|konus\w*|yaz\w*"
)
# Whoever says that they do not speak a language asks for another one.
_DENIAL: Final = re.compile(
    r"\b(?:no|not|dont|cannot|cant|kein\w*|nicht|ne|pas|nao|non|tidak|nggak|gak|bukan|не|нет|לא)\b|n't\b"
)
_WORDS_BEFORE: Final = re.compile(r"(?:[\w']+\s+){0,3}$")
_LONGEST_REQUEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    script: str
    letters: int


def plain(text: str) -> str:
    """Compatibility forms undone, so that full-width or half-width letters count as what they are."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def dominant(text: str) -> Found | None:
    """The script most letters are in; any kana among Han makes it Japanese."""
    if text.isascii():
        letters = sum(map(str.isalpha, text))
        return Found(script="latin", letters=letters) if letters else None
    counts = Counter(filter(None, map(_script, text)))
    if not counts:
        return None
    letters = counts.total()
    if counts["kana"] and counts["kana"] + counts["han"] >= letters / 2:
        return Found(script="kana", letters=letters)
    return Found(script=max(counts, key=counts.__getitem__), letters=letters)


# A tenant's languages seldom change, and one process serves few different choices.
@functools.lru_cache(maxsize=1024)
def candidates(script: str, supported: tuple[str, ...]) -> tuple[str, ...]:
    """The supported languages of a script; where there is none, the language the script usually means."""
    if script == "latin":
        latin = tuple(sorted({language for language in supported if language not in _NOT_LATIN}))
        # Romanised Hindi or Arabic defeats every detector: the languages at hand compete.
        return latin or supported
    usual = LANGUAGES_OF[script]
    # Han without kana is Chinese wherever Chinese is spoken.
    if script == "han" and "zh" in supported:
        return ("zh",)
    return tuple(language for language in usual if language in supported) or usual[:1]


def requested_language(text: str) -> str | None:
    """The language a customer asks for in so many words ("in English please"), None otherwise."""
    if len(text) > _LONGEST_REQUEST:
        return None
    words = normalisation.normalise(text).text
    if not _any_name().search(words):
        return None
    for language, pattern in _request_patterns():
        if any(not _is_denied(words, found) for found in pattern.finditer(words)):
            return language
    return None


def _is_denied(words: str, found: re.Match[str]) -> bool:
    before = _WORDS_BEFORE.search(words, 0, found.start())
    return _DENIAL.search(words, before.start() if before else found.start(), found.end()) is not None


@functools.lru_cache(maxsize=1)
def _any_name() -> re.Pattern[str]:
    names = sorted({normalisation.fold(name) for names in _NAMES.values() for name in names})
    return re.compile("|".join(map(re.escape, names)))


@functools.lru_cache(maxsize=1)
def _request_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    patterns = []
    for language, names in _NAMES.items():
        name = rf"(?:{'|'.join(re.escape(normalisation.fold(word)) for word in names)})\w*"
        asked = rf"\b{_ASKED_BEFORE}\s+{name}\s*,?\s*(?:{_COURTESY})|(?:{_COURTESY})\s*,?\s*{_ASKED_BEFORE}?\s*{name}"
        spoken = rf"\b(?:{_SPEAK})\b[^.?!]{{0,25}}\b{name}"
        whole = rf"^\W*(?:{_ASKED_BEFORE}\s+)?{name}\W*(?:{_COURTESY})?\W*$"
        patterns.append((language, re.compile(f"{asked}|{spoken}|{whole}")))
    return tuple(patterns)


@functools.lru_cache(maxsize=8192)
def _script(character: str) -> str | None:
    if not character.isalpha():
        return None
    code = ord(character)
    return next((script for first, last, script in _RANGES if first <= code <= last), None)
