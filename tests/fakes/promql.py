"""The part of PromQL that our alert rules use, over recorded scrapes: Prometheus itself does not run in tests.

`increase` is the plain difference within the window, counter resets included; the real one also extrapolates to the
window's edges, by at most one scrape on each side.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
# Metric and labels → value, one mapping a scrape.
Scrape = Mapping[tuple[str, Labels], float]
_TOKEN = re.compile(r'\s*("[^"]*"|\d+(?:\.\d+)?s?|[a-z_]\w*|>=|[><(){}\[\],=*/+-])')
_TOGETHER: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
_ORDER = (("or",), ("and",), (">", ">=", "<"), ("-", "+"), ("*", "/"))


@dataclass
class Evaluator:
    """Evaluates at the last of the scrapes, which come every `step` seconds."""

    scrapes: Sequence[Scrape]
    step: float
    now: float

    def evaluate(self, expression: str) -> Vector:
        self._tokens = _TOKEN.findall(expression)
        assert "".join(self._tokens) == re.sub(r"\s+", "", expression), "unknown PromQL"
        self._at = 0
        found = self._binary(0)
        assert self._at == len(self._tokens), self._tokens[self._at :]
        assert isinstance(found, dict)
        return found

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, expected: str | None = None) -> str:
        token = self._peek()
        assert expected in {None, token}, f"{expected} expected, {token} found"
        self._at += 1
        return token

    def _binary(self, level: int) -> "Vector | float":
        if level == len(_ORDER):
            return self._atom()
        left = self._binary(level + 1)
        while self._peek() in _ORDER[level]:
            left = _combine(self._take(), left, self._binary(level + 1))
        return left

    def _atom(self) -> "Vector | float":
        token = self._take()
        if token == "(":
            inside = self._binary(0)
            self._take(")")
            return inside
        if token[0].isdigit():
            return float(token)
        if token == "time":
            self._take("(")
            self._take(")")
            return self.now
        if token == "absent":
            self._take("(")
            inside = self._binary(0)
            self._take(")")
            return {} if inside else {frozenset(): 1.0}
        if token in {"sum", "max", "min"}:
            return self._aggregate(token)
        if token == "increase":
            self._take("(")
            name, labels = self._take(), self._selector()
            self._take("[")
            window = float(self._take().removesuffix("s"))
            self._take("]")
            self._take(")")
            return self._increase(name, labels, window)
        return _selected(self.scrapes[-1], token, self._selector())

    def _aggregate(self, how: str) -> Vector:
        by = ""
        if self._peek() == "by":
            self._take()
            self._take("(")
            by = self._take()
            self._take(")")
        self._take("(")
        inside = self._binary(0)
        self._take(")")
        assert isinstance(inside, dict)
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in inside.items():
            groups[frozenset(pair for pair in labels if pair[0] == by)].append(value)
        return {labels: _TOGETHER[how](values) for labels, values in groups.items()}

    def _selector(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._peek() == "{":
            self._take()
            while self._peek() != "}":
                name = self._take()
                self._take("=")
                found[name] = self._take().strip('"')
                if self._peek() == ",":
                    self._take()
            self._take("}")
        return found

    def _increase(self, name: str, labels: Mapping[str, str], window: float) -> Vector:
        seen = [_selected(scrape, name, labels) for scrape in self.scrapes[-int(window / self.step) - 1 :]]
        grown: Vector = {}
        for earlier, later in itertools.pairwise(seen):
            for series, value in later.items():
                before = earlier.get(series)
                if before is not None:
                    grown[series] = grown.get(series, 0.0) + (value - before if value >= before else value)
        return grown


def _selected(scrape: Scrape, name: str, labels: Mapping[str, str]) -> Vector:
    return {
        own: value for (metric, own), value in scrape.items() if metric == name and labels.items() <= dict(own).items()
    }


def _combine(operator: str, left: "Vector | float", right: "Vector | float") -> "Vector | float":
    if operator in {"or", "and"}:
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return right | left if operator == "or" else {key: value for key, value in left.items() if key in right}
    if isinstance(left, dict):
        found = {}
        for key, value in left.items():
            other = right.get(key) if isinstance(right, dict) else right
            if other is not None and (result := _number(operator, value, other)) is not None:
                found[key] = result
        return found
    if isinstance(right, dict):
        return {key: result for key, value in right.items() if (result := _number(operator, left, value)) is not None}
    result = _number(operator, left, right)
    assert result is not None
    return result


def _number(operator: str, left: float, right: float) -> float | None:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right if right else None
        case ">":
            return left if left > right else None
        case "<":
            return left if left < right else None
        case _:
            return left if left >= right else None
