"""Reads what a number's chats hold since a moment: bounded pages, people only, oldest message first."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from realtime.channels.gateway_types import ChatSummary, HistoryMessage
from realtime.channels.waha import WahaClient

_CHATS_A_PAGE: Final = 100
_MOST_CHATS: Final = 2_000
_MESSAGES_A_PAGE: Final = 100
_MOST_MESSAGES: Final = 1_000
# The kinds of chat that the webhook takes too.
_PEOPLE: Final = ("@c.us", "@lid", "@s.whatsapp.net")


async def chats_since(client: WahaClient, session: str, *, since: datetime) -> AsyncIterator[ChatSummary]:
    """The people's chats in which something was written since, the latest first. Raises GatewayFailed."""
    for offset in range(0, _MOST_CHATS, _CHATS_A_PAGE):
        page = await client.chats(session, limit=_CHATS_A_PAGE, offset=offset)
        recent = [chat for chat in page if chat.last_message_at is None or chat.last_message_at >= since]
        for chat in recent:
            # A chat without a time cannot be ruled out, but an empty one has nothing to tell.
            if chat.chat_id.endswith(_PEOPLE) and chat.last_message_at is not None:
                yield chat
        if len(page) < _CHATS_A_PAGE or not recent:
            return


async def messages_since(
    client: WahaClient, session: str, chat_id: str, *, since: datetime
) -> tuple[HistoryMessage, ...]:
    """Oldest first, those of one second as the gateway has them. Raises GatewayFailed."""
    found: list[HistoryMessage] = []
    for offset in range(0, _MOST_MESSAGES, _MESSAGES_A_PAGE):
        page = await client.history(session, chat_id, limit=_MESSAGES_A_PAGE, offset=offset, since=since)
        found = [*page, *found]
        if len(page) < _MESSAGES_A_PAGE:
            break
    return tuple(sorted(found, key=lambda message: message.sent_at))
