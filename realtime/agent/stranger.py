"""A chat that nobody wrote in before, and a message in it that nobody sent: what a rehearsal begins with."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from mychatflow.rules.plan import Plan
from realtime.agent import reading
from realtime.agent.reading import Reading
from realtime.agent.received import Received
from realtime.engine.work import Chat, InboxRow, Lease, Number
from realtime.webhooks.messages import IncomingMessage

_CHAT: Final = "rehearsal"


def chat(tenant_id: UUID, plan: Plan, used_today: int, *, at: datetime) -> Chat:
    """On a number that is connected; its ids lead nowhere."""
    nowhere = uuid4()
    row = InboxRow(
        seq=1,
        session=_CHAT,
        inbox_id=str(nowhere),
        kind="message",
        is_own=False,
        is_echo=False,
        sent_at=at,
        received_at=at,
        body=None,
        trace_id=None,
        attempts=1,
    )
    number = Number(
        session=_CHAT,
        engine="NOWEB",
        status="connected",
        sends_per_minute=60,
        restricted_until=None,
        last_event_at=None,
        base_url=None,
        api_key=None,
    )
    return Chat(
        lease=Lease(tenant_id=tenant_id, instance_id=nowhere, chat_id=_CHAT, fence=0),
        read_at=at,
        number=number,
        plan=plan.value,
        is_suspended=False,
        is_given_up=False,
        tenant_version="",
        used_today=used_today,
        counted_on=None,
        replies_last_hour=0,
        is_own_number=False,
        contact=None,
        episode=None,
        recent=(),
        inbox=(row,),
        outbox=(),
    )


def says(chat: Chat, said: str, *, at: datetime) -> Reading:
    [row] = chat.inbox
    message = IncomingMessage(
        message_id=row.inbox_id, bare_id=row.inbox_id, inbox_id=row.inbox_id, chat_id=_CHAT, sent_at=at, text=said
    )
    received = Received(
        row=row,
        message=message,
        interaction_id=reading.interaction_id_of(chat, row.session, row.inbox_id),
        at=at,
        is_stored=False,
    )
    return Reading(rows=chat.inbox, customer=(received,), human=(), changes=())
