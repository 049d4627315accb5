"""What a business does through the gateway: sends, receipts, typing, reactions."""

from collections.abc import Callable
from dataclasses import replace

from mychatflow.local.phone import ids
from mychatflow.local.phone.exchange import Exchange, now_ms
from mychatflow.local.phone.records import Ack, Attempt, Draft, Message


class BusinessSide:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.on_attempt: Callable[[Attempt], None] | None = None

    def send(self, session: str, chat_id: str, draft: Draft, *, message_id: str | None = None) -> Message:
        """Send a message. A repeated id shows the customer nothing new; WEBJS takes no id of the caller's."""
        exchange = self._exchange
        exchange.sessions.working(session)
        chosen = ids.bare(message_id) if message_id and exchange.engine != "WEBJS" else ids.web_message_id()
        known = exchange.chats.find(session, chat_id, chosen)
        self._note(session, chat_id, chosen, draft, is_repeat=known is not None)
        if known is not None:
            return known
        sent = Message(
            session=session,
            chat_id=chat_id,
            message_id=chosen,
            from_me=True,
            text=draft.text,
            sent_ms=now_ms(),
            source="api",
            media=draft.media,
            reply_to=draft.reply_to,
        )
        exchange.keep(sent)
        exchange.tell_message(sent, "message.any")
        exchange.schedule_receipts(sent)
        return sent

    def write_as_owner(self, session: str, chat_id: str, draft: Draft) -> Message:
        """The owner answers by hand on the paired phone: an outgoing message that no API call made."""
        exchange = self._exchange
        exchange.sessions.working(session)
        written = Message(
            session=session,
            chat_id=chat_id,
            message_id=ids.phone_message_id(),
            from_me=True,
            text=draft.text,
            sent_ms=now_ms(),
            media=draft.media,
            reply_to=draft.reply_to,
        )
        exchange.keep(written)
        exchange.tell_message(written, "message.any")
        exchange.schedule_receipts(written)
        return written

    def seen(self, session: str, chat_id: str) -> None:
        """The business has read the chat: the customer's ticks change colour."""
        self._exchange.sessions.working(session)
        for message in tuple(self._exchange.chats.unread(session, chat_id, from_me=False)):
            self._exchange.raise_ack(message, Ack.READ)

    def typing(self, session: str, chat_id: str, *, is_typing: bool) -> None:
        self._exchange.sessions.working(session)
        self._exchange.feed.tell("typing", {"session": session, "chat_id": chat_id, "is_typing": is_typing})

    def react(self, session: str, full_id: str, emoji: str) -> Message:
        self._exchange.sessions.working(session)
        changed = replace(self._exchange.target(session, full_id), business_reaction=emoji)
        self._exchange.keep(changed)
        return changed

    def _note(self, session: str, chat_id: str, message_id: str, draft: Draft, *, is_repeat: bool) -> None:
        if self.on_attempt is not None:
            self.on_attempt(
                Attempt(
                    session=session,
                    chat_id=chat_id,
                    message_id=message_id,
                    text=draft.text,
                    at_ms=now_ms(),
                    is_repeat=is_repeat,
                )
            )
