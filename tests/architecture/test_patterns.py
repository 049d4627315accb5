"""No pattern of ours backtracks without end: each is searched in texts that are made from its own parts to be hard."""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]  # the standard library's own parser
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import mychatflow
import realtime
import warehouse

_CHECKOUT = Path(__file__).parents[2]
# One that takes a step for each pair of characters needs a hundredth of a second of CPU for the longest; one that takes
# a step for each three needs a second or two. What doubles with each repeat shows among the short ones, each of which
# takes at most four times as long as the one before.
_TIMES = (*range(8, 33, 2), 128, 512, 1_024)
_MOST_CPU_SECONDS = 0.15
_ENDS = ("", "!", "\ny")
_LETTERS = " \n1aA.-#_:,@/(<*`"
_FROM_MANY = 8
Parsed = Sequence[tuple[Any, Any]]
_REPEATS = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)


def test_no_pattern_takes_longer_than_the_square_of_its_text() -> None:
    patterns = {*_of_modules(), *_of_calls()}

    slow = {pattern.pattern: text for pattern in patterns for text in _hard_texts(pattern) if _is_slow(pattern, *text)}

    assert len(patterns) > 100
    assert slow == {}


def test_what_backtracks_without_end_is_found() -> None:
    for known in (r"(a+)+$", r"(?:a|a)*b", r"(\w+\s?)*:", r"^#\s+(.*?)\s*#*\s*$", r"(x|[a-z]+)*;"):
        pattern = re.compile(known)
        assert any(_is_slow(pattern, *text) for text in _hard_texts(pattern)), known


def _of_modules() -> Iterator[re.Pattern[str]]:
    for package in (mychatflow, realtime, warehouse):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name and not found.name.endswith("__main__"):
                yield from _among(vars(importlib.import_module(found.name)).values())


def _among(values: Iterable[Any]) -> Iterator[re.Pattern[str]]:
    for value in values:
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
            yield value
        elif isinstance(value, tuple | list):
            yield from _among(value)
        elif isinstance(value, dict):
            yield from _among(list(value.values()))


def _of_calls() -> Iterator[re.Pattern[str]]:
    """Those written where they are used, of the pages too, which import nothing without Streamlit."""
    for room in ("mychatflow", "realtime", "warehouse", "dashboards", "pipelines"):
        for path in (_CHECKOUT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name(id="re")), args=[ast.Constant(value=str(written)), *_]
                    ):
                        yield re.compile(written)
                    case ast.keyword(arg="pattern", value=ast.Constant(value=str(written))):
                        yield re.compile(written)
                    case _:
                        pass


def _is_slow(pattern: re.Pattern[str], before: str, repeated: str, end: str) -> bool:
    for times in _TIMES:
        text = before + repeated * times + end
        spent = _cpu_seconds(pattern, text)
        # A crowded machine, or a collection of garbage, makes one search a little slow, but not the same again.
        if spent > _MOST_CPU_SECONDS and (spent > 4 * _MOST_CPU_SECONDS or _cpu_seconds(pattern, text) > spent / 2):
            return True
    return False


def _cpu_seconds(pattern: re.Pattern[str], text: str) -> float:
    began = time.process_time()
    pattern.search(text)
    return time.process_time() - began


def _hard_texts(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    parsed = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    for before, repeated in dict.fromkeys(_pumped(list(parsed), "")):
        for end in _ENDS:
            yield before, repeated, end


def _pumped(parsed: Parsed, before: str) -> Iterator[tuple[str, str]]:
    """Each part that may repeat without a narrow limit: what may stand before it, and what it may repeat."""
    for kind, value in parsed:
        inner = _inner(kind, value)
        for part in inner:
            if kind in _REPEATS and value[1] > _FROM_MANY:
                yield from ((before, each) for each in _repeatable(part))
            yield from _pumped(part, before)
        before += _sample([(kind, value)])


def _inner(kind: Any, value: Any) -> list[Parsed]:
    if kind in _REPEATS:
        return [list(value[2])]
    if kind is kinds.SUBPATTERN:
        return [list(value[3])]
    if kind is kinds.BRANCH:
        return [list(each) for each in value[1]][:_FROM_MANY]
    return [list(value)] if kind is kinds.ATOMIC_GROUP else []


def _repeatable(part: Parsed) -> Iterator[str]:
    if sample := _sample(part):
        yield sample
    if len(part) == 1 and part[0][0] in {kinds.IN, kinds.ANY, kinds.NOT_LITERAL}:
        yield from (letter for letter in _LETTERS if _takes(part[0], letter))


def _sample(parsed: Parsed) -> str:
    """Something that the pattern takes there; what may be left out is there once."""
    text = ""
    for kind, value in parsed:
        if kind is kinds.LITERAL:
            text += chr(value)
        elif kind in {kinds.IN, kinds.ANY, kinds.NOT_LITERAL}:
            text += next((letter for letter in "a" + _LETTERS if _takes((kind, value), letter)), "")
        elif inner := _inner(kind, value):
            text += _sample(inner[0]) * (max(1, min(value[0], 64)) if kind in _REPEATS else 1)
    return text


def _takes(part: tuple[Any, Any], letter: str) -> bool:
    kind, value = part
    if kind is kinds.ANY:
        return letter != "\n"
    if kind is kinds.NOT_LITERAL:
        return letter != chr(value)
    is_negated = value[0][0] is kinds.NEGATE
    return any(_is_member(each, letter) for each in value if each[0] is not kinds.NEGATE) != is_negated


def _is_member(member: tuple[Any, Any], letter: str) -> bool:
    kind, value = member
    if kind is kinds.LITERAL:
        return bool(letter == chr(value))
    if kind is kinds.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    name = str(value).lower()
    asked = (
        letter.isdigit()
        if "digit" in name
        else letter.isspace()
        if "space" in name
        else letter.isalnum() or letter == "_"
    )
    return asked != ("not" in name)
