"""One trace for each message, from its webhook to WhatsApp's receipt for our answer; off unless an address is set.

The ids follow from the message's own, so that web, workers and receipts agree on them without handing anything on.
"""

import hashlib
import importlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from psycopg import AsyncConnection

from mychatflow.settings import Settings
from realtime.spans import Span

# The message that an acknowledged one of ours answered.
_ANSWERED: Final = """
select inbox.session, inbox.message_id, outbox.wa_message_id
from outbox
inner join inbox on inbox.tenant_id = outbox.tenant_id and inbox.seq = outbox.inbox_seq
where outbox.wa_message_id = any(%(message_ids)b::text[]) and outbox.tenant_id = any(%(tenant_ids)b::uuid[])
"""


class Exporter(Protocol):
    def export(self, trace_id: int, spans: Sequence[Span]) -> None: ...

    def close(self) -> None: ...


_exporters: list[Exporter] = []


def start(settings: Settings, *, process: str) -> None:
    """Begin to export where OTEL_EXPORTER_OTLP_ENDPOINT says so."""
    if settings.otel_exporter_otlp_endpoint is not None:
        # Imported only where it is wanted: it takes a while.
        otlp = importlib.import_module("realtime.otlp")
        _exporters.append(otlp.Otlp(settings.otel_exporter_otlp_endpoint, process=process))


def stop() -> None:
    """Send what waits."""
    while _exporters:
        _exporters.pop().close()


def is_on() -> bool:
    return bool(_exporters)


def trace_id_of(session: str, message_id: str) -> int:
    """The message's trace, the same in every process."""
    return int.from_bytes(hashlib.blake2b(f"{session}|{message_id}".encode(), digest_size=16).digest())


def record(session: str, message_id: str, *spans: Span) -> None:
    """Spans that have ended, of one message."""
    for exporter in _exporters:
        exporter.export(trace_id_of(session, message_id), spans)


async def acknowledged(
    connection: AsyncConnection[Any], receipts: Sequence[tuple[Any, str, int, datetime]], *, at: float
) -> None:
    """WhatsApp's receipts (tenant, our message's id, level, when) as the last spans of what they answered."""
    values = {"tenant_ids": [each[0] for each in receipts], "message_ids": [each[1] for each in receipts]}
    found = await (await connection.execute(_ANSWERED, values)).fetchall()
    answered = {row[2]: (row[0], row[1]) for row in found}
    for _, message_id, level, told_at in receipts:
        if message_id in answered:
            span = Span(name="ack", began=told_at.timestamp(), ended=at, attributes={"level": level})
            record(*answered[message_id], span)
