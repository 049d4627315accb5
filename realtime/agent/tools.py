"""What a model may do while it answers: find, hold, book, move and cancel times, for this customer alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from mychatflow.rules import appointment_text
from mychatflow.rules.appointment_text import Occasion
from mychatflow.rules.booking import ForgedSlot
from mychatflow.store import appointments, offers, services
from mychatflow.store.appointments import Appointment, Gone
from mychatflow.store.session import AWAY, Store
from realtime.agent import tool_schemas, tool_words
from realtime.agent.scene import Scene
from realtime.llm.toolkit import Tool, ToolCall, ToolResult

_MOST_AHEAD: Final = 5
_REFUSED: Final = "That is not possible now. Offer to hand over to a person."
_REHEARSED: Final = "This is a rehearsal: nothing is held, booked or changed. Say that a person will see to it."
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingDesk:
    """One per worker; opens a toolbox for each turn of a business that takes bookings.

    A rehearsal's looks into the calendar and changes nothing in it.
    """

    store: Store
    secret: bytes
    is_rehearsal: bool = False

    async def open(self, scene: Scene) -> "Toolbox | None":
        """None where nothing can be booked; a calendar that does not answer costs nobody the reply."""
        if not scene.tenant.switches.appointment_booking_enabled:
            return None
        try:
            async with self.store.tenant_transaction(scene.tenant_id) as transaction:
                offered = await services.active(transaction, scene.tenant_id)
                ahead = await appointments.of_contact(transaction, scene.tenant_id, scene.contact_id, at=scene.at)
        except AWAY as error:
            log.warning("calendar unreachable", tenant_id=str(scene.tenant_id), cause=type(error).__name__)
            return None
        if not offered:
            return None
        box = Toolbox(desk=self, scene=scene, services=tuple(offered))
        box.know(ahead)
        return box


@dataclass(slots=True, kw_only=True)
class Toolbox:
    """The tools of one turn, what they did, and what a reply may say because of it."""

    desk: BookingDesk
    scene: Scene
    services: tuple[Mapping[str, Any], ...]
    ran: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    _ahead: dict[UUID, Appointment] = field(default_factory=dict)

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tool_schemas.BOOKING

    @property
    def subject(self) -> str:
        """Names the inbound message that asked, however often its turn begins anew."""
        return f"message:{self.scene.first_seq}"

    @property
    def language(self) -> str:
        return self.scene.understanding.language

    @property
    def receipts(self) -> tuple[str, ...]:
        """What was done for this message, in words from the rows: true also after a crash in the middle of the turn."""
        mine = (row for row in self._ahead.values() if row["changed_by"] == self.subject)
        return tuple(self._said(row) for row in sorted(mine, key=lambda row: row["starts_at"]))

    @property
    def menu(self) -> str:
        """What can be booked; the same for every customer until a service changes."""
        return tool_words.menu(self.services)

    @property
    def ahead(self) -> str:
        """The customer's own appointments."""
        booked = [row for row in self._ahead.values() if row["status"] == "booked"]
        return tool_words.ahead(booked, language=self.language)

    def know(self, rows: list[Appointment]) -> None:
        self._ahead |= {row["id"]: row for row in rows}

    async def run(self, call: ToolCall) -> ToolResult:
        """Never raises for what a model asks: it is told what is wrong and may ask again."""
        try:
            answer = await self._answer(call.name, call.read())
        except ForgedSlot as forged:
            answer = {"error": f"{forged}; call find_slots again"}
        except (ValueError, KeyError, OverflowError) as error:
            answer = {"error": f"unusable arguments: {error}"}
        except AWAY as error:
            log.warning("tool failed", tool=call.name, cause=type(error).__name__)
            answer = {"error": _REFUSED}
        self.ran.append(f"{call.name}: {'refused' if 'error' in answer else 'done'}")
        return ToolResult(call=call, content=msgspec.json.encode(answer).decode())

    async def _answer(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        if self.desk.is_rehearsal and name != tool_schemas.FIND_SLOTS:
            return {"error": _REHEARSED}
        match name:
            case tool_schemas.FIND_SLOTS:
                return await self._find(given)
            case tool_schemas.HOLD_SLOT:
                return await self._hold(str(given["slot_id"]))
            case tool_schemas.CONFIRM:
                return await self._confirm(UUID(str(given["hold_id"])))
            case tool_schemas.RESCHEDULE:
                return await self._move(UUID(str(given["appointment_id"])), str(given["slot_id"]))
            case tool_schemas.CANCEL:
                return await self._cancel(UUID(str(given["appointment_id"])))
            case _:
                return {"error": f"there is no tool {name}"}

    async def _find(self, given: dict[str, Any]) -> dict[str, Any]:
        service = tool_words.service_named(str(given["service"]), self.services)
        since, until = tool_words.window(str(given["from"]), str(given["to"]))
        async with self.desk.store.tenant_transaction(self.scene.tenant_id) as transaction:
            found = await offers.offer(
                transaction,
                self.scene.tenant_id,
                service,
                since=since.date(),
                until=tool_words.day_after(until),
                at=self.scene.at,
            )
        answer, evidence = tool_words.free(
            found,
            since=since,
            until=until,
            language=self.language,
            secret=self.desk.secret,
            zone=str(given.get("tz") or ""),
        )
        self.told.append(evidence)
        return answer

    async def _hold(self, slot_id: str) -> dict[str, Any]:
        if sum(row["status"] == "booked" for row in self._ahead.values()) >= _MOST_AHEAD:
            return {"error": f"the customer has {_MOST_AHEAD} appointments ahead already. {_REFUSED}"}
        async with self.desk.store.tenant_transaction(self.scene.tenant_id) as transaction:
            held = await appointments.hold(
                transaction,
                self.scene.tenant_id,
                slot_id,
                contact_id=self.scene.contact_id,
                key=f"{self.scene.contact_id}:{self.subject}:{slot_id}",
                secret=self.desk.secret,
                at=self.scene.at,
            )
        if isinstance(held, Gone):
            return self._gone(held)
        return {"hold_id": str(held["id"]), "held": self._when(held), "for_minutes": 5}

    async def _confirm(self, hold_id: UUID) -> dict[str, Any]:
        async with self.desk.store.tenant_transaction(self.scene.tenant_id) as transaction:
            booked = await appointments.confirm(
                transaction,
                self.scene.tenant_id,
                hold_id,
                changed_by=self.subject,
                at=self.scene.at,
                contact_id=self.scene.contact_id,
            )
        return self._done(booked, "booked")

    async def _move(self, appointment_id: UUID, slot_id: str) -> dict[str, Any]:
        async with self.desk.store.tenant_transaction(self.scene.tenant_id) as transaction:
            moved = await appointments.reschedule(
                transaction,
                self.scene.tenant_id,
                appointment_id,
                slot_id,
                changed_by=self.subject,
                secret=self.desk.secret,
                at=self.scene.at,
                contact_id=self.scene.contact_id,
            )
        return self._gone(moved) if isinstance(moved, Gone) else self._done(moved, "moved")

    async def _cancel(self, appointment_id: UUID) -> dict[str, Any]:
        async with self.desk.store.tenant_transaction(self.scene.tenant_id) as transaction:
            gone = await appointments.cancel(
                transaction,
                self.scene.tenant_id,
                appointment_id,
                changed_by=self.subject,
                at=self.scene.at,
                contact_id=self.scene.contact_id,
                reason="customer",
            )
        return self._done(gone, "cancelled")

    def _done(self, row: Appointment | None, what: str) -> dict[str, Any]:
        if row is None:
            return {"error": "there is no such appointment of this customer; it may have run out. Find a time again."}
        self.know([row])
        return {"appointment_id": str(row["id"]), what: self._when(row), "customer_gets_a_confirmation": True}

    def _gone(self, gone: Gone) -> dict[str, Any]:
        free, evidence = tool_words.listed(
            gone.instead, gone.instead.slots, language=self.language, secret=self.desk.secret
        )
        self.told.append(evidence)
        return {"error": "this time is taken", "alternatives": free}

    def _when(self, row: Appointment) -> str:
        words = appointment_text.when(row["starts_at"], timezone=row["timezone"], language=self.language)
        self.told.append(tool_words.evidence(row["starts_at"], row["timezone"], words))
        return words

    def _said(self, row: Appointment) -> str:
        occasion: Occasion = "moved" if row["ics_sequence"] else "booked"
        return appointment_text.say(
            "cancelled" if row["status"] == "cancelled" else occasion,
            language=self.language,
            service=row["service"],
            starts_at=row["starts_at"],
            timezone=row["timezone"],
        )
