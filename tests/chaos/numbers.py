"""After a run the warehouse must know exactly the events that Postgres holds, whatever was killed meanwhile."""

import json
import subprocess
import sys
from dataclasses import dataclass

from tests.chaos.cluster import CHECKOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    postgres_count: int
    warehouse_count: int
    missing: int
    surplus: int

    @property
    def is_exact(self) -> bool:
        return self.postgres_count == self.warehouse_count > 0 and not (self.missing or self.surplus)


def reconcile(environment: dict[str, str]) -> Reconciled:
    """`mychatflow rollup`, then `mychatflow reconcile`. Raises AssertionError when the roll-up fails."""
    rolled_up = _run(environment, "rollup")
    assert rolled_up.returncode == 0, rolled_up.stderr[-2000:]
    found = json.loads(_run(environment, "reconcile", "--json").stdout)
    return Reconciled(
        postgres_count=found["postgres_count"],
        warehouse_count=found["warehouse_count"],
        missing=len(found["missing"]),
        surplus=len(found["surplus"]),
    )


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mychatflow", *arguments]
    return subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
