"""What may be wrong with a measured value: each condition judges it, and says the same to Prometheus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

# Which values of a label count, and what each subject (a provider, a number, a job) has; "" is the whole platform.
Labels = Mapping[str, str]
Values = Mapping[str, float]
WINDOW: Final = timedelta(minutes=5)


class Measured(Protocol):
    """What the metrics say at one instant."""

    def increase(self, metric: str, labels: Labels, by: str) -> Values:
        """How much a counter grew within WINDOW, for each value of the label `by` (or all together)."""

    def level(self, metric: str, labels: Labels, by: str) -> Values:
        """A gauge as it stands; nothing where nobody has measured it."""

    @property
    def now(self) -> float:
        """Unix seconds, for gauges that are times."""


class Condition(Protocol):
    """Says for which subjects a rule holds, and says the same to Prometheus."""

    def holds(self, measured: Measured) -> Values: ...

    def promql(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """More than that share of a counter; among fewer than `least`, at least `few` of them."""

    metric: str
    bad: Labels
    above: float
    least: int
    few: int

    def holds(self, measured: Measured) -> Values:
        total = measured.increase(self.metric, {}, "").get("", 0.0)
        bad = measured.increase(self.metric, self.bad, "").get("", 0.0)
        is_bad = bad / total > self.above if total >= self.least else bad >= self.few
        return {"": bad} if is_bad else {}

    def promql(self) -> str:
        total, bad = _increase(self.metric, {}), _increase(self.metric, self.bad)
        many = f"({bad} / {total} > {self.above:g} and {total} >= {self.least})"
        return f"{many} or ({bad} >= {self.few} and {total} < {self.least})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """A histogram's 95th percentile above one of its bounds, among at least so many samples."""

    metric: str
    above: float
    least: int

    def holds(self, measured: Measured) -> Values:
        within = measured.increase(f"{self.metric}_bucket", {"le": _bound(self.above)}, "").get("", 0.0)
        total = measured.increase(f"{self.metric}_count", {}, "").get("", 0.0)
        return {"": total - within} if total >= self.least and within < 0.95 * total else {}

    def promql(self) -> str:
        within = _increase(f"{self.metric}_bucket", {"le": _bound(self.above)})
        total = _increase(f"{self.metric}_count", {})
        # Counted rather than interpolated: exact, since the limit is a bound of the histogram.
        return f"{total} - {within} > 0.05 * {total} and {total} >= {self.least}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A counter that grew by more than that, for each value of a label."""

    metric: str
    above: float
    by: str = ""
    labels: Labels = field(default_factory=dict)

    def holds(self, measured: Measured) -> Values:
        grown = measured.increase(self.metric, self.labels, self.by)
        return {subject: value for subject, value in grown.items() if value > self.above}

    def promql(self) -> str:
        return f"{_increase(self.metric, self.labels, self.by)} > {self.above:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A gauge above that, for each value of a label."""

    metric: str
    above: float
    by: str = ""
    labels: Labels = field(default_factory=dict)

    def holds(self, measured: Measured) -> Values:
        found = measured.level(self.metric, self.labels, self.by)
        return {subject: value for subject, value in found.items() if value > self.above}

    def promql(self) -> str:
        # Every web process tells the same gauge.
        return f"max{_by(self.by)} ({self.metric}{_selector(self.labels)}) > {self.above:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """A gauge that is the time of something, longer ago than that; what never happened is not late."""

    metric: str
    labels: Labels
    above: timedelta

    def holds(self, measured: Measured) -> Values:
        found = measured.level(self.metric, self.labels, "")
        ages = {subject: measured.now - at for subject, at in found.items()}
        return {subject: age for subject, age in ages.items() if age > self.above.total_seconds()}

    def promql(self) -> str:
        return f"time() - max ({self.metric}{_selector(self.labels)}) > {self.above.total_seconds():g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """A gauge below that, wherever it is lowest."""

    metric: str
    below: float

    def holds(self, measured: Measured) -> Values:
        return {subject: value for subject, value in measured.level(self.metric, {}, "").items() if value < self.below}

    def promql(self) -> str:
        return f"min ({self.metric}) < {self.below:.0f}"


def _increase(metric: str, labels: Labels, by: str = "") -> str:
    return f"sum{_by(by)} (increase({metric}{_selector(labels)}[{WINDOW.total_seconds():.0f}s]))"


def _by(label: str) -> str:
    return f" by ({label})" if label else ""


def _selector(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


def _bound(seconds: float) -> str:
    """As prometheus_client writes a bucket's bound."""
    return str(float(seconds))
