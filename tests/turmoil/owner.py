"""Owners who change what a business stands on while it serves: knowledge, keys, numbers, offers, consents, its end."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tests.turmoil.person import Person

_DOCUMENTS: Final = (
    b"A double room costs 130 euros.\n\nParking is free.",
    b"We are closed on Mondays.",
    b"\x00\xff",
    b"",
)
_ENDING_SECONDS: Final = 60.0
# What owners do, by how often.
_DUTIES: Final = {
    "teach": 3, "unteach": 1, "give_a_document": 3, "take_a_document": 1, "use_a_key_of_their_own": 2,
    "switch_a_number": 1, "record_a_consent": 3, "define": 1, "undefine": 1, "fill_in": 3, "save_a_segment": 1,
    "forget_a_segment": 1, "write_to_a_segment": 2, "try_a_campaign": 1, "change_the_offer": 2, "tell_again": 1,
    "answer_a_question": 2, "rehearse": 1, "make_a_key": 1, "revoke_a_key": 1,
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Owner(Person):
    """With `ends_at`, of the monotonic clock, they give the whole business up then."""

    duties = _DUTIES

    ends_at: float | None = None

    async def work(self, until: float) -> None:
        await Person.work(self, self.ends_at or until)
        if self.ends_at is not None:
            await self._end()

    async def _end(self) -> None:
        """However often it takes: the API may be away, and a colleague's hold forbids it while it lasts."""
        url, key = f"{self.url}/api/v1/tenant", {"authorization": f"Bearer {self.business.key}"}
        patience = time.monotonic() + _ENDING_SECONDS
        async with httpx.AsyncClient(headers=key, timeout=30) as api:
            while self.business.ended_at is None and time.monotonic() < patience:
                try:
                    answer = await api.request("DELETE", url, json={"confirm": self.business.name})
                except httpx.TransportError:
                    await asyncio.sleep(0.5)
                    continue
                self.done[f"DELETE /tenant {answer.status_code}"] += 1
                # Its keys end with it: after an answer that was lost none of them opens anything.
                if answer.status_code in {httpx.codes.NO_CONTENT, httpx.codes.UNAUTHORIZED}:
                    self.business.ended_at = datetime.now(UTC)
                await asyncio.sleep(0.2)

    async def _drop(self, kind: str, path: str) -> None:
        if thing := self._one(kind):
            self._made[kind].remove(thing)
            await self._ask("DELETE", path.format(thing))

    async def _teach(self, *_: Any) -> None:
        await self._make("texts", "/quick-replies", {"title": "What is the price?", "body": "A room is 125 euros."})

    async def _unteach(self, *_: Any) -> None:
        await self._drop("texts", "/quick-replies/{}")

    async def _give_a_document(self, *_: Any) -> None:
        headers = {"content-type": self.chance.choice(("text/plain", "text/markdown", "application/pdf"))}
        given = {"content": self.chance.choice(_DOCUMENTS), "headers": headers, "params": {"title": "About us"}}
        if made := await self._ask("POST", "/documents", **given):
            self._made.setdefault("documents", []).append(made["id"])
            await self._ask("PATCH", f"/documents/{made['id']}", json={"title": "About our house"})

    async def _take_a_document(self, *_: Any) -> None:
        await self._drop("documents", "/documents/{}")

    async def _use_a_key_of_their_own(self, *_: Any) -> None:
        provider, key = self.chance.choice(("openai", "anthropic")), self.chance.choice((None, "sk-of-their-own-1234"))
        await self._ask("PUT", "/provider-keys", json={"provider": provider, "key": key})

    async def _switch_a_number(self, *_: Any) -> None:
        number = self.chance.choice(list(self.business.sessions.values()))
        await self._ask("POST", f"/instances/{number}/stop")
        await asyncio.sleep(self.chance.uniform(0, 2))
        await self._ask("POST", f"/instances/{number}/start")

    async def _record_a_consent(self, person: str, _: list[str]) -> None:
        body = {"kind": self.chance.choice(("opt_in", "opt_in", "opt_out")), "method": "at the till"}
        await self._ask("POST", f"/contacts/{person}/consents", json=body)

    async def _define(self, *_: Any) -> None:
        await self._ask("POST", "/contact-attributes", json={"key": "size", "label": "Size", "type": "number"})

    async def _undefine(self, *_: Any) -> None:
        await self._ask("DELETE", "/contact-attributes/size", params={"force": True})

    async def _fill_in(self, person: str, _: list[str]) -> None:
        size = self.chance.choice((None, 40, 42, "large"))
        await self._ask("PATCH", f"/contacts/{person}", json={"attributes": {"size": size}})

    async def _save_a_segment(self, *_: Any) -> None:
        asked = self.chance.choice(
            ({"grades": ["A", "B"]}, {"attributes": [{"key": "size", "comparison": "at_least", "value": 41}]})
        )
        await self._make("segments", "/segments", {"name": f"Some {self.chance.randrange(10**6)}", "filter": asked})

    async def _forget_a_segment(self, *_: Any) -> None:
        await self._drop("segments", "/segments/{}")

    async def _write_to_a_segment(self, *_: Any) -> None:
        if segment := self._one("segments"):
            found = await self._ask("GET", f"/segments/{segment}")
            body = {"name": "For some", "template": "Only for you", "messages_per_minute": 600}
            await self._make("campaigns", "/campaigns", body | {"audience": found["filter"] if found else {}})
            if campaign := self._one("campaigns"):
                await self._ask("POST", f"/campaigns/{campaign}/start", json={})

    async def _try_a_campaign(self, person: str, _: list[str]) -> None:
        if campaign := self._one("campaigns"):
            await self._ask("POST", f"/campaigns/{campaign}/test", json={"contact_id": person})

    async def _change_the_offer(self, *_: Any) -> None:
        change = self.chance.choice(({"duration_minutes": 45}, {"duration_minutes": 60}, {"step_minutes": 15}))
        await self._ask("PATCH", f"/services/{self.business.service_id}", json=change)

    async def _tell_again(self, *_: Any) -> None:
        if self.business.endpoints:
            endpoint, now = self.chance.choice(self.business.endpoints), datetime.now(UTC)
            await self._ask("POST", f"/webhook-endpoints/{endpoint}/rotate-secret")
            since = {"since": f"{now - timedelta(seconds=10):%FT%TZ}", "until": f"{now:%FT%TZ}"}
            await self._ask("POST", f"/webhook-endpoints/{endpoint}/replay", json=since)

    async def _answer_a_question(self, *_: Any) -> None:
        if questions := await self._list("/unanswered-questions"):
            question = f"/unanswered-questions/{self.chance.choice(questions)['id']}"
            if self.chance.random() < 0.5:
                await self._ask("DELETE", question)
            else:
                await self._ask("POST", f"{question}/quick-reply", json={"body": "That is 80 euros."})

    async def _rehearse(self, *_: Any) -> None:
        await self._ask("POST", "/agent/preview", json={"text": "What does a room cost?"})

    async def _make_a_key(self, *_: Any) -> None:
        role = self.chance.choice(("viewer", "agent", "owner"))
        await self._make("keys", "/api-keys", {"name": "Till", "role": role})

    async def _revoke_a_key(self, *_: Any) -> None:
        await self._drop("keys", "/api-keys/{}")
