"""What goes wrong beside the kills, each by a name that the command line knows."""

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mychatflow.settings import Settings
from tests.chaos.cluster import CHECKOUT, Keeper
from tests.fakes.llm import FakeModels
from tests.fakes.llm_faults import Fault
from tests.fakes.waha import FakeWaha

# Longer than a lease, so that another worker has the chat when the frozen one wakes.
_FROZEN_SECONDS = (2.0, 18.0)
# The negative control and the kills alone need none of these.
NAMES: Final = {
    "freezes": "SIGSTOP of web, workers, Postgres, Redis and Dagster for 2 to 18 s",
    "redis": "no Redis for 20 s",
    "redis-gone": "no Redis from the twentieth second to the end",
    "models": "each way in which a model can fail, in turn",
    "late": "the gateway answers after we gave up waiting",
    "rollups": "the publisher of numbers is killed or frozen in its work",
    "dagster": "Dagster runs too, and is killed and frozen with the others",
}
# Dagster takes half a gigabyte and a processor of its own for its start.
USUAL: Final = frozenset(NAMES) - {"redis-gone", "dagster"}
_REDIS_DOWN_SECONDS = 20.0
# As long as we wait for the gateway, and a little.
_LATE_SECONDS = 16.0
_SHARE_FROZEN = 0.4


@dataclass(slots=True, kw_only=True)
class Hazards:
    """Each strikes on its own clock until the run ends; `struck` proves afterwards that it did."""

    names: frozenset[str]
    keepers: Mapping[str, Keeper]
    gateway: FakeWaha
    models: FakeModels
    settings: Settings
    environment: dict[str, str]
    chance: random.Random
    struck: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        known = {
            "freezes": self._freeze,
            "redis": self._silence_redis,
            "redis-gone": self._end_redis,
            "models": self._fail_models,
            "late": self._answer_late,
            "rollups": self._publish,
        }
        async with asyncio.TaskGroup() as tasks:
            # A Redis that is gone for good does not come back after 20 s.
            names = self.names - {"redis"} if "redis-gone" in self.names else self.names
            for name in sorted(names & known.keys()):
                tasks.create_task(known[name]())

    async def _freeze(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(3, 9))
            name = self.chance.choice(sorted(self.keepers))
            seconds = self.chance.uniform(*_FROZEN_SECONDS)
            if await asyncio.to_thread(self.keepers[name].freeze, seconds):
                self.struck[f"frozen {name}"] += 1

    async def _silence_redis(self) -> None:
        await asyncio.sleep(20)
        await asyncio.to_thread(self.keepers["redis"].pause, _REDIS_DOWN_SECONDS)
        self.struck["redis down for 20 s"] += 1

    async def _end_redis(self) -> None:
        await asyncio.sleep(20)
        self.keepers["redis"].pause(None)
        self.struck["redis gone for good"] += 1

    async def _fail_models(self) -> None:
        """Every fault we know, in turn; the other vendor answers meanwhile."""
        while True:
            for fault in Fault:
                await asyncio.sleep(self.chance.uniform(1, 3))
                self.models.providers["openai"].fault = fault
                self.models.providers["openai"].times = 2
                self.struck[f"model {fault}"] += 1

    async def _answer_late(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(5, 10))
            self.gateway.faults.plan("late", seconds=_LATE_SECONDS)
            self.struck["late answer"] += 1

    async def _publish(self) -> None:
        """Roll the numbers up again and again, and kill or freeze the program in the middle of it."""
        while True:
            await asyncio.sleep(self.chance.uniform(3, 8))
            running = self._start_rollup()
            try:
                await asyncio.sleep(self.chance.uniform(0.5, 8))
                if self.chance.random() < _SHARE_FROZEN and running.poll() is None:
                    await self._freeze_rollup(running)
            finally:
                if running.poll() is None:
                    running.kill()
                    self.struck["roll-up killed"] += 1
                running.wait()

    async def _freeze_rollup(self, running: subprocess.Popen[bytes]) -> None:
        running.send_signal(signal.SIGSTOP)
        self.struck["roll-up frozen"] += 1
        try:
            await asyncio.sleep(self.chance.uniform(2, 6))
        finally:
            running.send_signal(signal.SIGCONT)
        await asyncio.sleep(self.chance.uniform(0.5, 8))

    def _start_rollup(self) -> subprocess.Popen[bytes]:
        with (self.settings.logs_dir / "rollup.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "pipelines.rollup"],
                env=self.environment,
                cwd=CHECKOUT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
