"""A fake of the three model vendors and a Redis, each a process of its own, and routers that ask through both."""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.processes import CHECKOUT, wait_for
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import Settings
from realtime.llm.contract import ReplyRequest, Target, Turn

PROVIDERS = ("openai", "anthropic", "gemini")


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The fake at `url`; `settings` are those of a program that asks it."""

    url: str
    settings: Settings

    def control(self, provider: str | None = None, **behaviour: Any) -> None:
        """Set how one provider (or each) behaves from now on; what is not named goes back to good health."""
        asked = {"latency_ms": 0} | behaviour | ({"provider": provider} if provider else {})
        body = json.dumps(asked).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_control", data=body)) as answer:
            answer.read()

    def calls(self) -> list[dict[str, Any]]:
        """Everything that was asked, in order."""
        with urllib.request.urlopen(f"{self.url}/_journal") as answer:
            journal = json.load(answer)
        return sorted(journal, key=lambda call: call["at"])


@contextmanager
def served() -> Iterator[Models]:
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-models-", ignore_cleanup_errors=True))
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        vendors: dict[str, Any] = {f"{name}_api_key": f"fake-key-{name}" for name in PROVIDERS}
        vendors |= {f"{name}_requests_per_minute": 0 for name in PROVIDERS}
        settings = Settings(
            _env_file=None,
            MYCHATFLOW_DATA_DIR=Path(directory),
            openai_base_url=f"{url}/v1",
            anthropic_base_url=url,
            gemini_base_url=url,
            **vendors,
        )
        redis = EmbeddedRedis(settings)
        redis.start()
        stack.callback(redis.stop)
        command = [sys.executable, "-m", "tests.fakes.llm", "--port", str(port), "--journal", "1000000"]
        fake = subprocess.Popen(command, cwd=CHECKOUT)
        stack.callback(fake.wait, 10)
        stack.callback(fake.terminate)
        models = Models(url=url, settings=settings)
        wait_for(lambda: _answers(models), seconds=60, what="the fake models")
        yield models


def a_request(model: str, *providers: str, **changes: Any) -> ReplyRequest:
    """A customer's question to a model of that name at each of the providers, in that order."""
    usual: dict[str, Any] = {
        "tenant_id": uuid4(),
        "turn_id": uuid4(),
        "system": "You answer for a barber shop.",
        "messages": (Turn(role="user", text="Hello, are you open today?"),),
        "targets": tuple(Target(provider=provider, model=model) for provider in providers or PROVIDERS),
        "hedging": False,
    }
    return ReplyRequest(**(usual | changes))


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _answers(models: Models) -> bool:
    try:
        models.control()
    except OSError:
        time.sleep(0.05)
        return False
    return True
