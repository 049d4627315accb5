"""Colleagues with an API key who answer, take over, merge, erase, book, campaign and change settings as they please."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from tests.rules.test_attachment import PNG
from tests.turmoil.person import Person

_STEPS: Final = ({"delay_minutes": 1, "template": "Still there, {{name|you}}?"}, {"delay_minutes": 1, "template": "?"})
_SETTINGS: Final[tuple[dict[str, Any], ...]] = (
    {"auto_reply_enabled": False},
    {"auto_reply_enabled": True},
    {"agent_activation_mode": "keyword_triggered", "activation_keywords": ["hello", "price"]},
    {"agent_activation_mode": "business_hours"},
    {"agent_activation_mode": "always_on"},
    {"business_hours": {"mon": [["00:00", "00:01"]]}, "away_message": "We are away"},
    {"business_hours": {}},
    {"handoff_enabled": False},
    {"handoff_enabled": True, "handoff_keywords": ["refund"]},
    {"supported_languages": ["en", "es", "pt"]},
    {"multi_language_enabled": False},
    {"session_hours": 0},
    {"reply_rate_per_contact_hour": 2},
    {"freshness_minutes": 1},
    {"banned_words": ["about"]},
    {"banned_words": []},
    {"debounce_ms": 0},
    {"debounce_ms": 2_000},
    {"default_language": "es"},
    {"appointment_reminder_minutes": [60, 1_440]},
)
# What colleagues do, by how often.
_DUTIES: Final = {
    "answer": 6, "answer_with_a_picture": 2, "turn_of_hand": 8, "resolve": 2, "merge": 1, "erase": 1, "describe": 3,
    "campaign": 2, "steer_a_campaign": 4, "follow_up": 3, "stop_a_follow_up": 1, "book": 3, "change_a_booking": 3,
    "change_settings": 3, "import_people": 1, "copy": 1, "change_a_pace": 1, "hold": 1, "listen": 1, "read": 1,
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Colleague(Person):
    """Serves customers, and reaches out to them."""

    duties = _DUTIES

    async def _answer(self, person: str, _: list[str]) -> None:
        await self._ask("POST", f"/conversations/{person}/reply", json={"text": "By hand"}, headers=self._once())

    async def _answer_with_a_picture(self, person: str, _: list[str]) -> None:
        headers = {"content-type": "image/png"} | self._once()
        await self._ask("POST", f"/conversations/{person}/files", content=PNG, headers=headers)

    async def _turn_of_hand(self, person: str, _: list[str]) -> None:
        turns = ("conversations/{}/takeover", "conversations/{}/handback", "contacts/{}/handoff", "contacts/{}/release")
        await self._ask("POST", "/" + self.chance.choice(turns).format(person), json={})

    async def _resolve(self, person: str, _: list[str]) -> None:
        await self._ask("POST", f"/conversations/{person}/resolve", json={})

    async def _merge(self, person: str, people: list[str]) -> None:
        await self._ask("POST", f"/contacts/{person}/merge", json={"contact_id": self.chance.choice(people)})

    async def _erase(self, person: str, _: list[str]) -> None:
        await self._ask("POST", "/erasures", json={"contact_id": person})

    async def _describe(self, person: str, _: list[str]) -> None:
        await self._ask("POST", f"/contacts/{person}/tags", json={"add": [self.chance.choice(("vip", "x"))]})
        await self._ask("PUT", f"/contacts/{person}/notes", json={"notes": self.chance.choice(("Likes tea", None))})
        await self._ask("PATCH", f"/contacts/{person}", json={"name": self.chance.choice(("Ana", None))})

    async def _campaign(self, *_: Any) -> None:
        body = {"name": "Offer", "template": "Hi {{name|friend}}", "messages_per_minute": 600}
        body |= {"audience": self.chance.choice(({}, {"tags_any": ["vip"]})), "holdout_share": 0.1}
        await self._make("campaigns", "/campaigns", body)
        if campaign := self._one("campaigns"):
            await self._ask("POST", f"/campaigns/{campaign}/start", json={})

    async def _steer_a_campaign(self, *_: Any) -> None:
        if campaign := self._one("campaigns"):
            move = self.chance.choice(("pause", "resume", "resume", "cancel"))
            await self._ask("POST", f"/campaigns/{campaign}/{move}", json={})

    async def _follow_up(self, person: str, _: list[str]) -> None:
        trigger = self.chance.choice(("manual", "silence"))
        body = {"name": "After all", "trigger": trigger, "quiet_from": "00:00", "quiet_until": "00:00", "steps": _STEPS}
        await self._make("sequences", "/follow-up-sequences", body)
        if sequence := self._one("sequences"):
            await self._make("runs", f"/follow-up-sequences/{sequence}/runs", {"contact_id": person})

    async def _stop_a_follow_up(self, *_: Any) -> None:
        if run := self._one("runs"):
            await self._ask("POST", f"/follow-up-runs/{run}/cancel", json={})

    async def _free(self) -> str | None:
        slots = await self._list("/appointments/slots", service_id=f"{self.business.service_id}")
        return self.chance.choice(slots[:12])["slot_id"] if slots else None

    async def _book(self, person: str, _: list[str]) -> None:
        if slot := await self._free():
            body = {"contact_id": person, "slot_id": slot, "confirm": self.chance.random() < 0.7, "notify": True}
            await self._make("bookings", "/appointments", body)

    async def _change_a_booking(self, *_: Any) -> None:
        if (booking := self._one("bookings")) is None:
            return
        move = self.chance.choice(("confirm", "cancel", "close", "reschedule"))
        body: dict[str, Any] = {"status": "completed"} if move == "close" else {"notify": True}
        if move == "reschedule":
            body["slot_id"] = await self._free() or "none"
        await self._ask("POST", f"/appointments/{booking}/{move}", json=body)

    async def _change_settings(self, *_: Any) -> None:
        await self._ask("PUT", "/settings", json=self.chance.choice(_SETTINGS))

    async def _import_people(self, *_: Any) -> None:
        phones = (self.business.first_phone + self.chance.randrange(40) for _ in range(20))
        sheet = "phone,name,opt_in\n" + "".join(f"+{phone},Nora,yes\n" for phone in phones)
        headers = {"content-type": "text/csv"}
        asked = {"instance_id": f"{self.business.tenant.instance_id}", "opt_in_method": "form"}
        await self._ask("POST", "/contacts/import", content=sheet.encode(), headers=headers, params=asked)

    async def _copy(self, person: str, _: list[str]) -> None:
        await self._ask("POST", "/exports", json={"contact_id": person})

    async def _change_a_pace(self, *_: Any) -> None:
        number = self.chance.choice(list(self.business.sessions.values()))
        await self._ask("PATCH", f"/instances/{number}", json={"sends_per_minute": self.chance.choice((60, 6_000))})

    async def _hold(self, *_: Any) -> None:
        for is_on in (True, False):
            await self._ask("PUT", "/tenant/legal-hold", json={"is_on": is_on, "reason": "A letter came"})
            await asyncio.sleep(0.5)

    async def _listen(self, *_: Any) -> None:
        if len(self.business.endpoints) < 2:
            place = f"{self.listener}/{self.business.tenant.session}/{len(self.business.endpoints)}"
            if made := await self._ask("POST", "/webhook-endpoints", json={"url": place}):
                self.business.endpoints.append(made["id"])

    async def _read(self, person: str, _: list[str]) -> None:
        await self._ask("GET", f"/conversations/{person}/messages")
        if campaign := self._one("campaigns"):
            await self._ask("GET", f"/campaigns/{campaign}/results")
