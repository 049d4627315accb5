"""The tools by which a model books: their names, what they are for and what they take."""

from typing import Any, Final

from realtime.llm.toolkit import Tool


def _tool(name: str, description: str, **properties: str) -> Tool:
    # All required, none else allowed: the strictest vendor's rule suits all three.
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {key.rstrip("_"): {"type": "string", "description": told} for key, told in properties.items()},
        "required": [key.rstrip("_") for key in properties],
        "additionalProperties": False,
    }
    return Tool(name=name, description=description, parameters=schema)


FIND_SLOTS: Final = "find_slots"
HOLD_SLOT: Final = "hold_slot"
CONFIRM: Final = "confirm"
RESCHEDULE: Final = "reschedule"
CANCEL: Final = "cancel"

BOOKING: Final = (
    _tool(
        FIND_SLOTS,
        "Free times for a service. Call it before you name any time.",
        service="Id or name of the service.",
        from_="First local date or date and time, like 2026-11-27 or 2026-11-27T14:00.",
        to="Date or date and time up to which to look, itself left out.",
        tz="The customer's IANA time zone when they named one, else empty.",
    ),
    _tool(
        HOLD_SLOT,
        "Keep a time that the customer has chosen for five minutes.",
        slot_id="The slot_id from find_slots, letter by letter.",
    ),
    _tool(
        CONFIRM,
        "Book the time that is held. Only after the customer has chosen it.",
        hold_id="The hold_id from hold_slot.",
    ),
    _tool(
        RESCHEDULE,
        "Move one of the customer's appointments to another free time that they have chosen.",
        appointment_id="The id of an appointment in the context.",
        slot_id="The slot_id from find_slots.",
    ),
    _tool(
        CANCEL,
        "Cancel one of the customer's appointments, when they clearly ask for it.",
        appointment_id="The id of an appointment in the context.",
    ),
)
