"""Plays a scenario in a running house, through the customer's phone and back, and holds the end against it."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from mychatflow.local.phone.records import Draft, Media, Message
from mychatflow.store import audit
from tests.factories import Tenant, a_contact, a_quick_reply
from tests.fakes.llm import answer_json
from tests.fakes.llm_wire import Call
from tests.journeys.conftest import House, reset, until
from tests.scenarios.script import Model, Scenario, Sent, Step

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FILES = {
    "picture": ("image/png", PIXEL),
    "broken_picture": ("image/png", b""),
    "voice": ("audio/ogg", b"OggS" + b"\0" * 50),
    "document": ("application/pdf", b"%PDF-1.7 nothing"),
}
FILLER = "Our studio keeps old vinyl records, plants and a parrot called Ringo. " * 10
# A busy machine must not make a second model be asked.
PATIENT = {"hedging_enabled": False, "llm_timeout_ms": 30_000, "llm_total_timeout_ms": 60_000}
CHATS = {"group": "34600000001-1600000000@g.us", "status": "status@broadcast", "newsletter": "12345@newsletter"}


@dataclass(slots=True)
class Stage:
    """One scenario under way."""

    house: House
    scenario: Scenario
    tenant: Tenant
    chat: str
    last: Message | None = None
    audited: list[str] = field(default_factory=list)

    @classmethod
    async def built(cls, house: House, scenario: Scenario) -> "Stage":
        reset(house.models)
        for name, model in scenario.models.items():
            _direct(house, name, model)
        settings = PATIENT | scenario.tenant
        tenant = await house.a_business(plan=scenario.plan, engine=scenario.engine, **settings)
        stage = cls(house, scenario, tenant, CHATS.get(scenario.chat) or house.a_customer())
        for passage in scenario.knowledge:
            await a_quick_reply(house.store, tenant, **passage.model_dump())
        for number in range(scenario.filler):
            await a_quick_reply(house.store, tenant, title=f"Vinyl {number}", body=FILLER)
        if scenario.contact is not None:
            await a_contact(house.store, tenant, wa_id=stage.chat, **_moments(scenario.contact))
        for neighbour in scenario.neighbours:
            await a_contact(house.store, tenant, **_moments(neighbour))
        await stage._set_up()
        return stage

    async def _set_up(self) -> None:
        scenario, house = self.scenario, self.house
        if scenario.number:
            # The first look at a new number's history says anew how the number stands.
            read = "select 1 from instances where tenant_id = %(t)s and caught_up_at is not null"
            await until(lambda: house.rows(read, t=self.tenant.tenant_id) != [])
        for column, value in _moments(scenario.number).items():
            await house.execute(
                f"update instances set {column} = %(v)s where tenant_id = %(t)s", v=value, t=self.tenant.tenant_id
            )
        if scenario.suspended:
            await house.execute("update tenants set suspended_at = now() where id = %(t)s", t=self.tenant.tenant_id)
        if scenario.used_today:
            await house.execute(
                "insert into usage_days (tenant_id, usage_date, used)"
                " values (%(t)s, (now() at time zone 'UTC')::date, %(n)s)",
                t=self.tenant.tenant_id,
                n=scenario.used_today,
            )

    async def play(self) -> None:
        for step in self.scenario.steps:
            if step.while_thinking:
                seen = len(self.house.events(self.tenant, "message_received"))
                await until(lambda seen=seen: len(self.house.events(self.tenant, "message_received")) >= max(1, seen))
            for number in range(1, step.times + 1):
                counted = {"customer": f"{step.customer} {number}"} if step.counts else {}
                await self._do(step.model_copy(update=counted))
                await asyncio.sleep(step.pause_each)
            await asyncio.sleep(step.pause)
            if not step.at_once:
                await self._settled()
        await self._settled()
        self.audited = await self._read_audit()

    async def _do(self, step: Step) -> None:
        house, session = self.house, self.tenant.session
        if step.customer is not None:
            sent_at = datetime.now(UTC) - timedelta(seconds=step.ago) if step.ago else None
            self.last = house.write(self.tenant, self.chat, step.customer, sent_at=sent_at)
        elif step.owner is not None:
            house.gateway.owner_writes(self.chat, step.owner, session=session)
        elif step.reaction is not None:
            target = house.gateway.gateway.chats.messages(session, self.chat)[-1]
            house.gateway.gateway.customers.react(session, target.full_id, step.reaction)
        elif step.edits is not None or step.takes_back:
            self._change(step)
        elif step.takeover:
            await house.execute(
                "update contacts set is_handed_off = true where tenant_id = %(t)s", t=self.tenant.tenant_id
            )
        elif step.repeat:
            assert self.last is not None
            house.gateway.repeat(self.last, event="message.any")
        elif step.sql is not None:
            await house.execute(step.sql, t=self.tenant.tenant_id)
        else:
            self._show(step)

    def _change(self, step: Step) -> None:
        assert self.last is not None
        if step.takes_back:
            self.house.gateway.take_back(self.last)
        else:
            self.house.gateway.edit(self.last, step.edits or "")

    def _show(self, step: Step) -> None:
        kind, text = next((kind, text) for kind in FILES if (text := getattr(step, kind)) is not None)
        mimetype, data = FILES[kind]
        kept = self.house.gateway.gateway.exchange.files.save(data, mimetype=mimetype) if data else "nowhere.png"
        draft = Draft(text=text, media=Media(mimetype=mimetype, filename="sent.bin", file=kept))
        self.last = self.house.gateway.gateway.customers.write_in(self.tenant.session, self.chat, draft)

    async def _settled(self) -> None:
        if not self.scenario.stays_open:
            await self.house.quiet(self.tenant)
            return
        await self.house.gateway.settled()
        waits = "select 1 from chat_leases where tenant_id = %(t)s and leased_until is null and due_at > now()"
        await until(lambda: self.house.rows(waits, t=self.tenant.tenant_id) != [])

    async def leave(self) -> None:
        """What still waits for an answer would ask the models in the middle of the next scenario."""
        for left in (
            "update inbox set state = 'parked' where tenant_id = %(t)s and state = 'open'",
            "update chat_leases set due_at = null where tenant_id = %(t)s",
        ):
            await self.house.execute(left, t=self.tenant.tenant_id)

    def judge(self) -> None:
        """Everything at once, so that a failure shows the whole ending."""
        assert self._ending() == self._wanted()
        self._judge_sends()
        self._judge_prompts()

    def _ending(self) -> dict[str, Any]:
        expect, house, tenant = self.scenario.expect, self.house, self.tenant
        contact = self._contact()
        ending: dict[str, Any] = {
            "sends": len(self._sends()),
            "skipped": [event["properties"]["reason"] for event in house.events(tenant, "reply_skipped")],
            "handoff": contact.get("handoff_reason"),
            "notifications": sorted(row["kind"] for row in self._rows("notifications")),
            "unanswered": [row["reason"] for row in self._rows("unanswered_questions", "asked_at")],
            # No message reaches a phone that is not on record as one message, sent once.
            "on record": len([row for row in self._rows("outbox") if row["state"] == "sent"]),
            "audited": self.audited,
            "repeats": [each for each in house.gateway.attempts if each.session == tenant.session and each.is_repeat],
        }
        optional: dict[str, Callable[[], Any]] = {
            "asked": lambda: len(self._calls()),
            "providers": lambda: tuple(call.provider for call in self._calls()),
            "checks": lambda: tuple(self._checks()),
            "languages": lambda: tuple(row["language"] for row in self._incoming()),
            "received": lambda: len(self._incoming()),
            "used_today": lambda: sum(row["used"] for row in self._rows("usage_days")),
        }
        ending |= {name: read() for name, read in optional.items() if getattr(expect, name) is not None}
        return ending | {column: _claim(contact.get(column)) for column in expect.contact}

    def _wanted(self) -> dict[str, Any]:
        expect = self.scenario.expect
        wanted = {
            "sends": len(expect.sends),
            "skipped": list(expect.skipped),
            "handoff": expect.handoff,
            "notifications": sorted(expect.notifications),
            "unanswered": list(expect.unanswered),
            "on record": len(expect.sends),
            "audited": list(expect.audited),
            "repeats": [],
        }
        names = ("asked", "providers", "checks", "languages", "received", "used_today")
        wanted |= {name: value for name in names if (value := getattr(expect, name)) is not None}
        return wanted | expect.contact

    def _judge_sends(self) -> None:
        for text, wanted in zip(self._sends(), self.scenario.expect.sends, strict=True):
            if isinstance(wanted, Sent):
                assert [part for part in wanted.holds if part not in text] == [], text
                assert [part for part in wanted.lacks if part in text] == [], text
            else:
                assert text == wanted

    def _judge_prompts(self) -> None:
        expect = self.scenario.expect
        for prompt, place in ((expect.prompt, 0), (expect.repair, -1)):
            if prompt.holds or prompt.lacks:
                whole = msgspec.json.encode(self._calls()[place].body).decode()
                assert [part for part in prompt.holds if part not in whole] == []
                assert [part for part in prompt.lacks if part in whole] == []

    def _sends(self) -> list[str]:
        """As the customer sees them, without what a colleague wrote by hand."""
        by_hand = {step.owner for step in self.scenario.steps if step.owner is not None}
        return [text for text in self.house.texts(self.tenant, self.chat) if text not in by_hand]

    async def _read_audit(self) -> list[str]:
        """What the agent put on record; no other role may look there."""
        async with self.house.store.audit_transaction() as transaction:
            rows = await audit.page(transaction, self.tenant.tenant_id, before_id=None, limit=50)
        return [row["action"] for row in rows if row["actor"] == "agent"]

    def _calls(self) -> list[Call]:
        return self.house.models.calls()

    def _checks(self) -> list[str]:
        """Why each answered message was answered as it was: the line that the turn's trace keeps of its reply."""
        lines = [line for row in self._incoming() for line in row["trace"] or []]
        return [line["why"] for line in lines if line["step"] == "reply"]

    def _incoming(self) -> list[dict[str, Any]]:
        rows = self._rows("interactions", "occurred_at")
        return [row for row in rows if row["direction"] == "incoming"]

    def _contact(self) -> dict[str, Any]:
        return next((row for row in self._rows("contacts") if row["wa_id"] == self.chat), {})

    def _rows(self, table: str, order: str = "1") -> list[dict[str, Any]]:
        return self.house.rows(
            f"select * from {table} where tenant_id = %(t)s order by {order}", t=self.tenant.tenant_id
        )


async def play(house: House, scenario: Scenario) -> None:
    stage = await Stage.built(house, scenario)
    try:
        async with asyncio.timeout(60):
            await stage.play()
        stage.judge()
    finally:
        await stage.leave()


def _direct(house: House, name: str, model: Model) -> None:
    said = [each if isinstance(each, str) else each.written() for each in model.says]
    waiting = iter(said)
    house.models.say(name, _given_away(model) or (lambda _call: next(waiting, said[-1])))
    house.models.providers[name].latency = model.seconds
    if model.fault is not None:
        house.models.fail(name, model.fault.fault, times=model.fault.times)


def _given_away(model: Model) -> Callable[[Call], str] | None:
    """A model that does as an attacker tells it."""
    match model.gives_away:
        case "prompt":
            return lambda call: answer_json(call.system[:900])
        case "mark":
            return lambda call: answer_json("Sure: " + "-".join(_mark_in(call.system)).upper())
        case "base64":
            return lambda call: answer_json(base64.b64encode(call.system[:900].encode()).decode())
        case None:
            return None


def _mark_in(system: str) -> str:
    return system.partition("never to be written: ")[2].split()[0]


def _moments(columns: dict[str, Any]) -> dict[str, Any]:
    """`{minutes: -30}` is half an hour ago."""
    now = datetime.now(UTC)
    return {
        name: now + timedelta(**value)
        if isinstance(value, dict) and value.keys() <= {"minutes", "hours", "days"}
        else value
        for name, value in columns.items()
    }


def _claim(value: Any) -> Any:
    """Of a moment a scenario can only say whether there is one."""
    return "set" if isinstance(value, datetime) else value
