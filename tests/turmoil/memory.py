"""Whether all that was said is on record and all that is on record was said; of the forgotten, nothing."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg

from mychatflow.local.phone.records import Message
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE, Settings
from mychatflow.store.cipher import wa_hash
from tests.fakes.waha import FakeWaha
from tests.turmoil.business import Business

_MOMENT_SECONDS: Final = 2.0


def broken(
    settings: Settings, gateway: FakeWaha, shops: Sequence[Business], written: Iterable[Message]
) -> dict[str, Sequence[object]]:
    with psycopg.connect(EmbeddedPostgres(settings).admin_url(DATABASE)) as connection:
        received = {row[0] for row in connection.execute("select message_id from interactions")}
        queued = {row[0]: row[1] for row in connection.execute("select wa_message_id, state from outbox")}
        erased = {
            (row[0], row[1]): row[2]
            for row in connection.execute("select tenant_id, wa_hash, erased_at from erase_list")
        }
    tenants = {session: shop.tenant.tenant_id for shop in shops for session in shop.sessions}
    ended = {session: shop.ended_at for shop in shops if shop.ended_at is not None for session in shop.sessions}
    is_forgotten = _forgotten(settings, tenants, erased)
    seen = [
        message
        for session in tenants
        for chat, _ in gateway.gateway.chats.chats_of(session)
        for message in gateway.deliveries(chat, session=session)
        if message.source == "api"
    ]
    ids = {message.message_id for message in seen}
    return {
        "what a customer wrote is on record": [
            message
            for message in written
            if message.message_id not in received and message.session not in ended and not is_forgotten(message)
        ],
        "what a customer got is on record": [
            message
            for message in seen
            if message.message_id not in queued and message.session not in ended and not is_forgotten(message)
        ],
        "what is on record as sent was got": [
            message_id for message_id, state in queued.items() if state == "sent" and message_id not in ids
        ],
        "a business that was given up says nothing more": [
            message
            for message in seen
            if message.session in ended
            and message.sent_ms / 1000 > ended[message.session].timestamp() + _MOMENT_SECONDS
        ],
    }


def _forgotten(
    settings: Settings, tenants: dict[str, UUID], erased: dict[tuple[UUID, str], datetime]
) -> Callable[[Message], bool]:
    """Whether the message's customer was forgotten after it, or in the same moment: that takes along what comes."""

    def is_forgotten(message: Message) -> bool:
        tenant_id = tenants[message.session]
        at = erased.get((tenant_id, wa_hash(settings.master, tenant_id, message.chat_id)))
        return at is not None and message.sent_ms / 1000 <= at.timestamp() + _MOMENT_SECONDS

    return is_forgotten
