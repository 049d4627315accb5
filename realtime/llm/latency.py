"""How long each model usually takes, and so when it is time to ask a second one."""

from collections import deque
from dataclasses import dataclass, field

_KEPT = 200
_LEAST = 20
_SHORTEST = 0.8
_LONGEST = 3.0


@dataclass(slots=True)
class Latencies:
    """Seconds of each target's last successes in this process."""

    _seen: dict[str, deque[float]] = field(default_factory=dict)
    _delays: dict[str, float] = field(default_factory=dict)

    def add(self, target: str, seconds: float) -> None:
        seen = self._seen.setdefault(target, deque(maxlen=_KEPT))
        seen.append(seconds)
        self._delays.pop(target, None)

    def hedge_delay(self, target: str) -> float:
        """Patience with a call before another target is asked too: the 95th percentile, within bounds."""
        delay = self._delays.get(target)
        if delay is None:
            delay = self._delays[target] = self._measured(target)
        return delay

    def _measured(self, target: str) -> float:
        seen = self._seen.get(target, ())
        if len(seen) < _LEAST:
            return _LONGEST
        return min(max(sorted(seen)[int(len(seen) * 0.95)], _SHORTEST), _LONGEST)
