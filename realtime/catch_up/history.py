"""Reads what a number's chats hold since a moment: page by page, people only, oldest message first."""

import itertools
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Final

from realtime.channels.gateway_types import ChatSummary, HistoryMessage
from realtime.channels.waha import WahaClient

_CHATS_A_PAGE: Final = 100
_MESSAGES_A_PAGE: Final = 100
# The kinds of chat that the webhook takes too.
_PEOPLE: Final = ("@c.us", "@lid", "@s.whatsapp.net")


async def chats_since(
    client: WahaClient, session: str, *, since: datetime, but: Collection[str] = ()
) -> AsyncIterator[ChatSummary]:
    """The people's chats in which something was written since, the latest first. Raises GatewayFailed."""
    for offset in itertools.count(step=_CHATS_A_PAGE):
        page = await client.chats(session, limit=_CHATS_A_PAGE, offset=offset)
        recent = [chat for chat in page if chat.last_message_at is None or chat.last_message_at >= since]
        for chat in recent:
            # A chat without a time cannot be ruled out, but an empty one has nothing to tell.
            if chat.chat_id.endswith(_PEOPLE) and chat.last_message_at is not None and chat.chat_id not in but:
                yield chat
        if len(page) < _CHATS_A_PAGE or not recent:
            return


async def pages_since(
    client: WahaClient, session: str, chat_id: str, *, since: datetime
) -> AsyncIterator[tuple[HistoryMessage, ...]]:
    """Oldest first, so that what comes in meanwhile stands at the end and moves no page. Raises GatewayFailed."""
    for offset in itertools.count(step=_MESSAGES_A_PAGE):
        page = await client.history(session, chat_id, limit=_MESSAGES_A_PAGE, offset=offset, since=since, order="asc")
        if page:
            yield page
        # Rows that nobody can read are left out: only a page that is half empty is surely the last.
        if len(page) < _MESSAGES_A_PAGE // 2:
            return
