"""A message in our own words as a row for the inbox, whichever way it reached us."""

from datetime import datetime

from realtime.engine.accept import Arrival
from realtime.webhooks import messages
from realtime.webhooks.directory import Instance


def arrival_of(
    message: messages.Incoming, instance: Instance, *, received_at: datetime, trace_id: str | None
) -> Arrival:
    """Sealed with the tenant's key; a status says all in its columns."""
    return Arrival(
        tenant_id=instance.tenant_id,
        instance_id=instance.instance_id,
        session=instance.session,
        message_id=message.inbox_id,
        lane=message.lane,
        kind=message.kind,
        chat_id=message.chat_id,
        is_own=message.from_me,
        sent_at=message.sent_at,
        received_at=received_at,
        body=messages.seal(message, instance.cipher, session=instance.session) if message.lane == "message" else None,
        trace_id=trace_id[:100] if trace_id else None,
        debounce_ms=instance.debounce_ms,
    )
