"""Finds what a tenant knows about a question, in any script and despite typing errors, without a model."""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from realtime.llm.contract import Passage

_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75
_SHORTEST_GRAM = 3
_LONGEST_GRAM = 4
# In one's only passage no word is rare, and those that a question adds ("when do you …") would count for everything.
_LEAST_PASSAGES = 12
# A title names its passage: its words count as if they stood there this often.
_TITLE_WEIGHT = 2
# Indic vowel signs are no letters to the pattern language, but they are parts of words.
_WORD = re.compile(r"(?:\w|[\u0900-\u0dff])+")
# Scripts that write without spaces: their pairs of characters do what words do elsewhere.
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿豈-﫿฀-๿ｦ-ﾝ]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage and how well it fits; `coverage` is the share of the question's weight that it holds, 0 to 1."""

    passage: Passage
    score: float
    coverage: float


class Index:
    """BM25 over character 3- and 4-grams (pairs where a script has no spaces) of one tenant's passages."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._passages = tuple(passages)
        counts = [_counts(passage) for passage in self._passages]
        lengths = [sum(count.values()) for count in counts]
        mean = (sum(lengths) / len(lengths) if lengths else 0) or 1.0
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            norm = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * length / mean)
            for gram, times in count.items():
                self._postings[gram].append((number, times * (_SATURATION + 1) / (times + norm)))

    def search(self, question: str, *, limit: int = 3) -> list[Hit]:
        """The best passages first; none that share nothing with the question."""
        grams = set(grams_of(question))
        scores: dict[int, float] = defaultdict(float)
        held: dict[int, float] = defaultdict(float)
        whole = 0.0
        for gram in grams:
            postings = self._postings.get(gram, [])
            rarity = self._rarity(len(postings))
            whole += rarity
            for number, weight in postings:
                scores[number] += rarity * weight
                held[number] += rarity
        best = sorted(scores, key=lambda number: (-scores[number], number))[:limit]
        return [
            Hit(passage=self._passages[number], score=scores[number], coverage=held[number] / whole) for number in best
        ]

    def _rarity(self, holders: int) -> float:
        return math.log(1 + (max(len(self._passages), _LEAST_PASSAGES) - holders + 0.5) / (holders + 0.5))


def grams_of(text: str) -> list[str]:
    """The pieces that a text is found by."""
    folded = _folded(text)
    pieces: list[str] = []
    for run in _UNSPACED.findall(folded):
        pieces += [run[start : start + 2] for start in range(max(1, len(run) - 1))]
    for word in _WORD.findall(_UNSPACED.sub(" ", folded)):
        # The marks at both ends make a word's beginning and end grams of their own.
        marked = f"_{word}_"
        for size in range(_SHORTEST_GRAM, _LONGEST_GRAM + 1):
            pieces += [marked[start : start + size] for start in range(len(marked) - size + 1)]
    return pieces


def _counts(passage: Passage) -> Counter[str]:
    titled = Counter(grams_of(passage.title))
    counts = Counter(grams_of(passage.body))
    for gram, times in titled.items():
        counts[gram] += times * _TITLE_WEIGHT
    return counts


def _folded(text: str) -> str:
    """Case, width and accents away; Indic vowel signs stay, since they tell words apart."""
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    kept = (letter for letter in decomposed if not _is_accent(letter))
    return unicodedata.normalize("NFC", "".join(kept)).replace("ı", "i")


def _is_accent(letter: str) -> bool:
    if unicodedata.category(letter) == "Cf":
        return True
    # Below the Devanagari block nonspacing marks are accents and vocalisation; from there on they are vowels.
    return unicodedata.category(letter) == "Mn" and letter < "ऀ"
