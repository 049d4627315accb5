"""What was told in a chat: each message with what was told of it since, edited, taken back or reacted to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from msgspec import structs

from realtime.engine.work import InboxRow
from realtime.media.keeper import File
from realtime.webhooks.messages import IncomingMessage

_WORDLESS: Final = {"unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One open row of the chat. `is_stored`: an earlier attempt at this turn wrote it down already."""

    row: InboxRow
    message: IncomingMessage
    interaction_id: UUID
    at: datetime
    is_stored: bool
    file: File | None = None
    change: "Change | None" = None

    @property
    def text(self) -> str:
        return self.message.text.strip()

    @property
    def is_answerable(self) -> bool:
        return bool(self.text) or self.message.type not in _WORDLESS

    @property
    def spoken(self) -> str:
        """The text as a reader of the conversation sees it."""
        if self.message.type == "text" or not self.is_answerable:
            return self.text
        kind = "sticker" if self.message.is_sticker else self.message.type
        return f"[{kind}{self._aside}] {self.text}".strip()

    def with_text(self, text: str) -> Self:
        return replace(self, message=structs.replace(self.message, text=text))

    @property
    def _aside(self) -> str:
        """What the model must know to stay honest about it."""
        if self.message.is_sticker:
            return ""
        if self.file is not None and self.file.data is None:
            return ": it could not be opened"
        if self.file is not None and self.file.heard:
            return ", written down by a machine"
        if self.message.type in {"audio", "video"}:
            return ": you cannot listen to it or watch it"
        if self.message.type == "document":
            return f": {(self.message.media.filename if self.message.media else None) or 'a file'}, not opened"
        if self.message.location is not None:
            return f": {self.message.location.description or 'a place'}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that was told of one message; `reactions` by who reacts, None for one that was taken back."""

    target_id: str
    edit: Received | None = None
    revoked: Received | None = None
    reactions: Mapping[str, str | None] = field(default_factory=dict)

    def then(self, told: Received) -> "Change":
        match told.message.kind:
            case "edited":
                return replace(self, edit=told)
            case "revoked":
                return replace(self, revoked=told)
            case _:
                author = "human" if told.message.from_me else "customer"
                return replace(self, reactions={**self.reactions, author: told.message.emoji or None})


def folded(told: Iterable[Received]) -> tuple[Change, ...]:
    """Of several edits or reactions of one person the last one holds: one change for each message."""
    changes: dict[str, Change] = {}
    for each in told:
        if target_id := each.message.target_id:
            changes[target_id] = changes.get(target_id, Change(target_id=target_id)).then(each)
    return tuple(changes.values())


def as_they_stand(messages: Sequence[Received], changes: Sequence[Change]) -> tuple[Received, ...]:
    """The messages after what was told of them before anybody answered."""
    known = {change.target_id: change for change in changes}
    return tuple(_changed(each, known.get(each.message.bare_id)) for each in messages)


def _changed(received: Received, change: Change | None) -> Received:
    if change is None:
        return received
    received = replace(received, change=change)
    if change.revoked is not None:
        # Its file is as little to be fetched, kept or shown as its words.
        message = structs.replace(received.message, text="", type="unknown", media=None, location=None)
        return replace(received, message=message)
    return received.with_text(change.edit.message.text) if change.edit is not None else received
