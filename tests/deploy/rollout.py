"""A rollout as customers see it: the release before serves, the next one migrates and joins it, the older one leaves.

`python -m tests.deploy.rollout [--old REVISION] [--messages 60]` needs a checkout with its history.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from tests import ports
from tests.chaos.cluster import CHECKOUT
from tests.chaos.customers import Customers, numbers_again
from tests.chaos.verdict import Verdict
from tests.deploy import release
from tests.deploy.release import Release
from tests.factories import a_tenant
from tests.fakes.llm import FakeModels
from tests.fakes.waha import API_KEY, FakeWaha

_HMAC_KEY = "rollout-hmac-key"
_MOST_ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`asked_together`: each release's calls to the model while both were up; with one alone nothing is proven."""

    verdict: Verdict
    old: str
    asked_together: dict[str, int]

    @property
    def holds(self) -> bool:
        return self.verdict.holds and all(self.asked_together.values())


async def run(revision: str, *, messages: int = 60) -> Outcome:
    """Raises NoHistory, and TimeoutError when a release never comes up; everything else is in the verdict."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-rollout-", ignore_cleanup_errors=True)))
        checkouts = {"old": stack.enter_context(release.checked_out(revision)), "new": CHECKOUT}
        models = stack.enter_context(FakeModels().serve())
        models.say("openai", numbers_again)
        gateway = await stack.enter_async_context(FakeWaha.running(api_key=API_KEY))
        settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=home, webhook_secret=_HMAC_KEY)
        for server in (EmbeddedPostgres(settings), EmbeddedRedis(settings)):
            server.start()
            stack.callback(server.stop)
        old, new = (
            Release(name, checkout, _environment(name, home, gateway, models), logs=home / "logs")
            for name, checkout in checkouts.items()
        )
        for started in (old, new):
            stack.callback(started.stop)
        await asyncio.to_thread(old.migrate)
        for of in (old, new):
            await _a_number(settings, gateway, of)
        customers = Customers(gateway)
        asked = await _roll_out(old, new, customers, models, messages=messages)
        return Outcome(verdict=customers.verdict(), old=revision, asked_together=asked)


async def _roll_out(
    old: Release, new: Release, customers: Customers, models: FakeModels, *, messages: int
) -> dict[str, int]:
    """How often each release asked the model while both were up."""
    await asyncio.to_thread(old.start)
    await customers.write(messages // 3, through=[old.name])
    async with asyncio.TaskGroup() as together:
        together.create_task(customers.write(messages // 3, through=[old.name]))
        together.create_task(asyncio.to_thread(new.migrate))
    await asyncio.to_thread(new.start)
    before = len(models.calls())
    asked: dict[str, int] = {}
    # Whichever worker looks first takes all that is due: both have looked first before long.
    for _ in range(_MOST_ROUNDS):
        await customers.write(messages, through=[old.name, new.name])
        keys = [call.headers["authorization"] for call in models.calls()[before:]]
        asked = {of.name: keys.count(f"Bearer {of.environment['OPENAI_API_KEY']}") for of in (old, new)}
        if all(asked.values()):
            break
    await asyncio.to_thread(old.stop)
    await customers.write(messages // 3, through=[new.name])
    await customers.until_answered()
    return asked


async def _a_number(settings: Settings, gateway: FakeWaha, of: Release) -> None:
    """A business whose gateway calls that release's web, while either worker may answer."""
    store = Store(settings)
    await a_tenant(store, session=of.name, plan="enterprise", typing_indicator_enabled=False)
    await store.close()
    await gateway.a_session(of.name, webhook_url=f"{of.address}/api/webhooks/whatsapp", hmac_key=_HMAC_KEY)


def _environment(name: str, home: Path, gateway: FakeWaha, models: FakeModels) -> dict[str, str]:
    ours = {
        "MYCHATFLOW_DATA_DIR": str(home),
        "WEB_PORT": str(ports.free()),
        "WEBHOOK_SECRET": _HMAC_KEY,
        "WAHA_BASE_URL": gateway.base_url,
        "WAHA_API_KEY": gateway.api_key,
    }
    address = {key.upper(): value for key, value in models.settings("openai").items()}
    # A key of its own: so the model's server can tell who asked.
    return os.environ | ours | address | {"OPENAI_API_KEY": f"key-of-the-{name}-release"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.rollout", description=__doc__)
    parser.add_argument("--old", metavar="REVISION", help="the one before the newest migration unless given")
    parser.add_argument("--messages", type=int, default=60)
    given = parser.parse_args()
    outcome = asyncio.run(run(given.old or release.before_the_newest_migration(), messages=given.messages))
    print(json.dumps(asdict(outcome)))
    sys.exit(0 if outcome.holds else 1)


if __name__ == "__main__":
    main()
