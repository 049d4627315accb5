"""The chats between businesses and customers: one message per id and chat, whoever repeats it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mychatflow.local.phone.records import Ack, Customer, Message

ChatKey = tuple[str, str]


class ChatBook:
    """All messages in the order they arrived, and the customers by phone number."""

    def __init__(self) -> None:
        self._chats: dict[ChatKey, dict[str, Message]] = {}
        self._customers: dict[str, Customer] = {}

    def restore(self, customers: Iterable[Customer], messages: Iterable[Message]) -> None:
        for customer in customers:
            self._customers[customer.phone] = customer
        for message in messages:
            self.put(message)

    def customers(self) -> tuple[Customer, ...]:
        return tuple(self._customers.values())

    def customer_of(self, chat_id: str) -> Customer | None:
        return self._customers.get(chat_id.partition("@")[0])

    def put_customer(self, customer: Customer) -> None:
        self._customers[customer.phone] = customer

    def put(self, message: Message) -> None:
        """Add the message, or replace the one of its id in its place."""
        self._chats.setdefault((message.session, message.chat_id), {})[message.message_id] = message

    def find(self, session: str, chat_id: str, message_id: str) -> Message | None:
        return self._chats.get((session, chat_id), {}).get(message_id)

    def messages(self, session: str, chat_id: str) -> tuple[Message, ...]:
        return tuple(self._chats.get((session, chat_id), {}).values())

    def unread(self, session: str, chat_id: str, *, from_me: bool) -> Iterator[Message]:
        """Messages of that side that the other has not read yet."""
        for message in self.messages(session, chat_id):
            if message.from_me is from_me and Ack.ERROR < message.ack < Ack.READ:
                yield message

    def raise_ack(self, message: Message, level: Ack) -> Message | None:
        """The message with its new state, or nothing when it was that far already."""
        current = self.find(message.session, message.chat_id, message.message_id)
        if current is None or current.ack >= level:
            return None
        raised = replace(current, ack=level)
        self.put(raised)
        return raised

    def chats_of(self, session: str) -> list[tuple[str, Message]]:
        """The session's chats with their last message, the latest first."""
        lasts = [
            (chat_id, next(reversed(messages.values())))
            for (owner, chat_id), messages in self._chats.items()
            if owner == session and messages
        ]
        return sorted(lasts, key=lambda pair: pair[1].sent_ms, reverse=True)

    def forget_session(self, session: str) -> None:
        self._chats = {key: messages for key, messages in self._chats.items() if key[0] != session}

    def forget_chat(self, session: str, chat_id: str) -> None:
        self._chats.pop((session, chat_id), None)
