"""When people write: by weekday, hour and season, in the business's own wall time."""

import bisect
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mychatflow.local.demo.business import Business

DAYS: Final = 120
_HOUR: Final = timedelta(hours=1)


class Rhythm:
    """Instants between `until` minus the history's days and `until`, drawn where people are awake."""

    def __init__(self, business: Business, *, until: datetime, chance: random.Random) -> None:
        self.since = (until - timedelta(days=DAYS)).replace(minute=0, second=0, microsecond=0)
        self.until = until
        zone = ZoneInfo(business.timezone)
        moods = [chance.lognormvariate(0, 0.16) for _ in range(DAYS + 2)]
        weights = []
        for hour in range(int((until - self.since) / _HOUR) + 1):
            local = (self.since + hour * _HOUR).astimezone(zone)
            # A business that does well: more people write every week.
            growth = 1 + 0.9 * hour / (24 * DAYS)
            weights.append(business.weekdays[local.weekday()] * business.day[local.hour] * growth * moods[hour // 24])
        self._sums = list(itertools.accumulate(weights))

    def somewhen(self, share: float, chance: random.Random) -> datetime:
        """The instant by which that share (0 to 1) of all newcomers has written."""
        return self._instant(bisect.bisect(self._sums, share * self._sums[-1]), chance)

    def after(self, earliest: datetime, *, within: timedelta, chance: random.Random) -> datetime | None:
        """An instant in the days that follow `earliest`, or None when they lie beyond the history's end."""
        low = self._hour_of(earliest)
        high = min(self._hour_of(earliest + within), len(self._sums) - 1)
        if low >= high:
            return None
        drawn = self._sums[low] + chance.random() * (self._sums[high] - self._sums[low])
        found = self._instant(bisect.bisect(self._sums, drawn), chance)
        return found if earliest < found <= self.until else None

    def _hour_of(self, at: datetime) -> int:
        return max(0, int((at - self.since) / _HOUR))

    def _instant(self, hour: int, chance: random.Random) -> datetime:
        # WhatsApp's own times are whole seconds.
        found = self.since + min(hour, len(self._sums) - 1) * _HOUR + timedelta(seconds=int(chance.random() * 3600))
        return min(found, self.until - timedelta(seconds=int(chance.random() * 1800))).astimezone(UTC)


def office_time(business: Business, at: datetime, chance: random.Random) -> datetime:
    """The first moment from `at` on when somebody is at the desk, and a little later."""
    zone = ZoneInfo(business.timezone)
    local = at.astimezone(zone)
    for day in range(8):
        date = (local + timedelta(days=day)).date()
        name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[date.weekday()]
        for opens, closes in business.hours.get(name, ()):
            start = datetime.fromisoformat(f"{date}T{opens}").replace(tzinfo=zone)
            end = datetime.fromisoformat(f"{date}T{closes}").replace(tzinfo=zone)
            earliest = max(local, start)
            if earliest < end - timedelta(minutes=10):
                return (earliest + timedelta(seconds=chance.lognormvariate(5.6, 0.8))).astimezone(UTC)
    return at + timedelta(hours=12)
