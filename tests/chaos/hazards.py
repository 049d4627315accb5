"""What goes wrong beside the kills: frozen processes, no Redis, failing models, late answers, killed roll-ups."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mychatflow.settings import Settings
from tests.chaos.cluster import CHECKOUT, Keeper
from tests.fakes.llm import FakeModels
from tests.fakes.llm_faults import Fault
from tests.fakes.waha import FakeWaha

# Longer than a lease, so that another worker has the chat when the frozen one wakes.
_FROZEN_SECONDS = (2.0, 18.0)
_REDIS_DOWN_SECONDS = 20.0
# As long as we wait for the gateway, and a little.
_LATE_SECONDS = 16.0


@dataclass(slots=True, kw_only=True)
class Hazards:
    """Each strikes on its own clock until the run ends; `struck` proves afterwards that it did."""

    keepers: Mapping[str, Keeper]
    gateway: FakeWaha
    models: FakeModels
    settings: Settings
    environment: dict[str, str]
    chance: random.Random
    struck: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for hazard in (self._freeze, self._silence_redis, self._fail_models, self._answer_late, self._publish):
                tasks.create_task(hazard())

    async def _freeze(self) -> None:
        names = sorted(name for name in self.keepers if name == "web" or name.startswith("worker"))
        while True:
            await asyncio.sleep(self.chance.uniform(3, 9))
            name = self.chance.choice(names)
            seconds = self.chance.uniform(*_FROZEN_SECONDS)
            if await asyncio.to_thread(self.keepers[name].freeze, seconds):
                self.struck[f"frozen {name}"] += 1

    async def _silence_redis(self) -> None:
        await asyncio.sleep(20)
        await asyncio.to_thread(self.keepers["redis"].pause, _REDIS_DOWN_SECONDS)
        self.struck["redis down for 20 s"] += 1

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
        """Roll the numbers up again and again, and kill the program in the middle of it."""
        while True:
            await asyncio.sleep(self.chance.uniform(3, 8))
            running = self._start_rollup()
            try:
                await asyncio.sleep(self.chance.uniform(0.5, 8))
            finally:
                if running.poll() is None:
                    running.kill()
                    self.struck["roll-up killed"] += 1
                running.wait()

    def _start_rollup(self) -> subprocess.Popen[bytes]:
        with (self.settings.logs_dir / "rollup.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "pipelines.rollup"],
                env=self.environment,
                cwd=CHECKOUT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
