"""How a page moves, cancels and closes appointments, and changes what can be booked: through the API's functions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4

from dashboards import changes
from dashboards.booking import data
from dashboards.changes import NotDone
from dashboards.setup import refusals
from dashboards.viewer import Viewer
from mychatflow.rules import business_hours
from mychatflow.rules.appointment_text import Occasion
from mychatflow.rules.booking import ForgedSlot
from mychatflow.rules.business_hours import InvalidHours
from mychatflow.rules.role import Permission
from mychatflow.store import appointment_notices, appointments, contact_book, row_lock, services
from mychatflow.store.appointments import Appointment, Gone
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

Table = Literal["services", "resources"]
_LONGEST_NAME: Final = 200


def book(looking: Viewer, contact_id: UUID, slot_id: str, *, tells: bool) -> bool:
    """Held and confirmed at once; somebody who was faster keeps the time."""

    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        if await contact_book.by_id(change.transaction, cipher.tenant_id, contact_id) is None:
            raise NotDone("this contact is gone.")
        try:
            held = await appointments.hold(
                change.transaction,
                cipher.tenant_id,
                slot_id,
                contact_id=contact_id,
                key=f"desk:{uuid4()}",
                secret=data.slot_secret(),
                at=at,
            )
        except ForgedSlot as forged:
            raise NotDone("this time is no longer offered; choose another.") from forged
        if isinstance(held, Gone):
            raise NotDone("somebody was faster; choose another time.")
        found = await appointments.confirm(change.transaction, cipher.tenant_id, held["id"], changed_by=by.actor, at=at)
        if found is None:
            raise NotDone("somebody was faster; choose another time.")
        change.subject = str(found["id"])
        await _tell(change, cipher, found, "booked", tells=tells, at=at)

    return changes.make(looking, Permission.MANAGE_APPOINTMENTS, "appointment.booked", None, work)


def cancel(looking: Viewer, appointment_id: UUID, *, reason: str, tells: bool) -> bool:
    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        found = await appointments.cancel(
            change.transaction,
            cipher.tenant_id,
            appointment_id,
            changed_by=by.actor,
            at=at,
            reason=reason[:_LONGEST_NAME] or None,
        )
        if found is None:
            raise NotDone("this appointment is over or was given back before.")
        await _tell(change, cipher, found, "cancelled", tells=tells, at=at)

    return changes.make(looking, Permission.MANAGE_APPOINTMENTS, "appointment.cancelled", appointment_id, work)


def move(looking: Viewer, appointment_id: UUID, slot_id: str, *, tells: bool) -> bool:
    """It keeps its old time when somebody was faster."""

    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        try:
            found = await appointments.reschedule(
                change.transaction,
                cipher.tenant_id,
                appointment_id,
                slot_id,
                changed_by=by.actor,
                secret=data.slot_secret(),
                at=at,
            )
        except ForgedSlot as forged:
            raise NotDone("this time is no longer offered; choose another.") from forged
        if found is None or isinstance(found, Gone):
            raise NotDone("somebody was faster, or it is no longer booked; it keeps its old time.")
        await _tell(change, cipher, found, "moved", tells=tells, at=at)

    return changes.make(looking, Permission.MANAGE_APPOINTMENTS, "appointment.moved", appointment_id, work)


def close(looking: Viewer, appointment_id: UUID, status: Literal["completed", "no_show"]) -> bool:
    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        if not await appointments.close(
            change.transaction, cipher.tenant_id, appointment_id, status=status, changed_by=by.actor, at=at
        ):
            raise NotDone("it was never booked.")
        change.detail["status"] = status

    return changes.make(looking, Permission.MANAGE_APPOINTMENTS, "appointment.closed", appointment_id, work)


def save(
    looking: Viewer,
    table: Table,
    row_id: UUID | None,
    values: Mapping[str, Any],
    *,
    shown: Mapping[str, Any] | None = None,
) -> bool:
    """A service or a resource, new or changed; `shown` is how it stood when somebody began to type."""

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        _refuse_odd(values)
        given = dict(values) | {"name": str(values["name"])[:_LONGEST_NAME]}
        if row_id is None:
            made = await services.create(change.transaction, cipher.tenant_id, table, given)
            change.subject = str(made["id"])
            return
        await row_lock.hold(change.transaction, cipher.tenant_id, table, row_id)
        known = await services.by_id(change.transaction, cipher.tenant_id, table, row_id)
        if known is None:
            raise NotDone("it is gone.")
        changes.refuse_stale(shown or {}, known)
        # A service that changes ends the offers of before, so that saving nothing must change nothing.
        given = {name: value for name, value in given.items() if value != _plain(known[name])}
        if given:
            await services.change(change.transaction, cipher.tenant_id, table, row_id, given)
        change.detail["keys"] = sorted(given)

    action = f"{table[:-1]}.{'changed' if row_id else 'created'}"
    return changes.make(looking, Permission.MANAGE_SETTINGS, action, row_id, work)


def _refuse_odd(values: Mapping[str, Any]) -> None:
    if not values["name"]:
        raise NotDone("it needs a name.")
    currency = values.get("currency")
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise NotDone(f"{currency} is no currency of three letters, such as EUR.")
    try:
        if "timezone" in values:
            business_hours.zone(values["timezone"])
            business_hours.parse(values["hours"])
            business_hours.parse_exceptions(values["exceptions"])
    except InvalidHours as invalid:
        raise NotDone(f"{refusals.hours(invalid.field, invalid.fault)}.") from invalid


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


async def _tell(
    change: Change, cipher: TenantCipher, found: Appointment, occasion: Occasion, *, tells: bool, at: datetime
) -> None:
    if tells:
        change.detail["notified"] = await appointment_notices.tell(
            change.transaction, cipher.tenant_id, found, occasion, cipher=cipher, at=at
        )
