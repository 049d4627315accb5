"""Somebody with an API key of their business, who does at random what their calling lets them do."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import httpx

from tests.turmoil.business import Business

_PAUSE_SECONDS: Final = 1.0
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass(slots=True, kw_only=True)
class Person:
    """`done` counts calls and statuses of all; `failures` are answers that nobody may ever get.

    `duties` are what this kind of person does, by how often; each is a method that is told of one contact and of all.
    """

    duties: ClassVar[Mapping[str, int]] = {}

    url: str
    business: Business
    chance: random.Random
    listener: str
    done: Counter[str]
    failures: list[str]
    _api: httpx.AsyncClient = field(init=False)
    _made: dict[str, list[str]] = field(default_factory=dict)

    async def work(self, until: float) -> None:
        """Until that moment of the monotonic clock."""
        key = {"authorization": f"Bearer {self.business.key}"}
        async with httpx.AsyncClient(base_url=f"{self.url}/api/v1", headers=key, timeout=30) as self._api:
            while time.monotonic() < until:
                await asyncio.sleep(self.chance.expovariate(1 / _PAUSE_SECONDS))
                people = [each["id"] for each in await self._list("/contacts", limit=50)]
                if people:
                    (duty,) = self.chance.choices(list(self.duties), weights=list(self.duties.values()))
                    await getattr(self, f"_{duty}")(self.chance.choice(people), people)

    async def _ask(self, method: str, path: str, **given: Any) -> Any:
        """The answer's JSON where it was a success."""
        try:
            answer = await self._api.request(method, path, **given)
        except httpx.TransportError:
            self.done["API away"] += 1
            return None
        told = f"{method} {_ID.sub('…', path)} {answer.status_code}"
        self.done[told] += 1
        if answer.status_code >= 500 and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self.failures.append(f"{told} {answer.text[:200]}")
        return answer.json() if answer.is_success and answer.content else None

    async def _list(self, path: str, **asked: Any) -> list[dict[str, Any]]:
        found = await self._ask("GET", path, params=asked)
        return found["data"] if found else []

    async def _make(self, kind: str, path: str, body: dict[str, Any]) -> None:
        if made := await self._ask("POST", path, json=body):
            self._made.setdefault(kind, []).append(made["id"])

    def _one(self, kind: str) -> str | None:
        return self.chance.choice(made) if (made := self._made.get(kind)) else None

    def _once(self) -> dict[str, str]:
        return {"idempotency-key": f"{self.chance.randrange(10**9)}"}
