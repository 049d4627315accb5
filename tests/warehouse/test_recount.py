"""Every number equals a plain recount from Postgres, whatever comes late, twice, out of order or otherwise again."""

from datetime import timedelta
from typing import Any

import pytest

from mychatflow.settings import Settings
from tests.warehouse import recount
from tests.warehouse.odd_times import NOW, OddTimes
from warehouse import models, rollup
from warehouse.reader import Reader
from warehouse.windows import of_days

# Busy hours touch every day, and quiet ones show which days are computed for what happens on another.
_HAPPENINGS = (6, 1, 1, 6, 1, 1)
_NOTHING: dict[str, Any] = {}


def _differences(published: Reader, installation: Settings) -> list[str]:
    books = recount.read(installation)
    found = []
    for table, (grain, count) in recount.TABLES.items():
        told = {tuple(row[name] for name in grain): row for row in published.rows(f"from {table}")}
        counted = count(books)
        names = {name for row in counted.values() for name in row}
        for key in {*told, *counted}:
            old, new = told.get(key, _NOTHING), counted.get(key, _NOTHING)
            for name in sorted(names):
                # A row of nothing may be there or not.
                one, other = old.get(name) or 0, new.get(name) or 0
                if one != (pytest.approx(other) if isinstance(other, float) else other):
                    found.append(f"{table} {key[1:]} {name}: published {one}, counted {other}")
    return sorted(found)


# Another seed is another world; each takes some twenty seconds of CPU.
@pytest.mark.parametrize("seed", [4])
def test_every_number_equals_a_plain_recount(installation: Settings, published: Reader, seed: int) -> None:
    world, trail = OddTimes(installation, seed), []
    for number, count in enumerate(_HAPPENINGS):
        trail.append(world.go_on(count))
        at = NOW + timedelta(minutes=number)
        if number == 3:
            first = world.some_time().date()
            window = of_days(first, first + timedelta(days=3))
            rollup.rollup(installation, at=at - timedelta(seconds=1), window=window, only=models.discover())
        rollup.rollup(installation, at=at)

        differences = _differences(published, installation)

        assert not differences, "\n".join([f"{len(differences)} after {trail}", *differences[:12]])
