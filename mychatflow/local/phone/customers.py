"""What a customer does on the phone: writes, reads, reacts."""

from dataclasses import replace

from mychatflow.local.phone import ids, payloads
from mychatflow.local.phone.exchange import Exchange, handed_over, now_ms
from mychatflow.local.phone.records import Ack, Customer, Draft, Handover, Message


class CustomerSide:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def write(self, session: str, customer: Customer, draft: Draft) -> Message:
        """A customer writes to the business, and its webhook is told."""
        self._exchange.sessions.working(session)
        self._exchange.keep_customer(customer)
        return self.write_in(session, f"{customer.phone}@c.us", draft, author=customer.name)

    def write_in(
        self,
        session: str,
        chat_id: str,
        draft: Draft,
        *,
        author: str | None = None,
        message_id: str | None = None,
        sent_ms: int | None = None,
    ) -> Message:
        """A message in a chat of any kind (person, hidden number, group), with id and time of choice."""
        exchange = self._exchange
        exchange.sessions.working(session)
        is_heard = any(
            hook.wants("message") or hook.wants("message.any") for hook in exchange.sessions.webhooks(session)
        )
        received = Message(
            session=session,
            chat_id=chat_id,
            message_id=message_id or ids.phone_message_id(),
            from_me=False,
            text=draft.text,
            sent_ms=now_ms() if sent_ms is None else sent_ms,
            ack=Ack.SERVER,
            author=author,
            media=draft.media,
            reply_to=draft.reply_to,
            handover=Handover(state="pending" if is_heard else "none"),
        )
        exchange.keep(received)
        for event in ("message", "message.any"):
            exchange.tell_message(received, event, on_handover=handed_over(exchange, received))
        return received

    def read(self, session: str, chat_id: str) -> None:
        """The customer looks at the chat: everything the business sent is read."""
        for message in tuple(self._exchange.chats.unread(session, chat_id, from_me=True)):
            self._exchange.acknowledge(message, Ack.READ)

    def react(self, session: str, full_id: str, emoji: str) -> Message:
        exchange = self._exchange
        owner = exchange.sessions.working(session)
        changed = replace(exchange.target(session, full_id), customer_reaction=emoji)
        exchange.keep(changed)
        told = payloads.reaction(changed, owner, emoji, reaction_id=ids.phone_message_id(), at_ms=now_ms())
        exchange.tell_business(owner, "message.reaction", told)
        return changed

    def forget_chat(self, session: str, chat_id: str) -> None:
        self._exchange.chats.forget_chat(session, chat_id)
        self._exchange.journal.forget_chat(session, chat_id)
        self._exchange.feed.tell("chat_gone", {"session": session, "chat_id": chat_id})
