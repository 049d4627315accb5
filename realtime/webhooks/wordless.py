"""What a message says that has no words of its own: a card's name and number, a poll's question, or nothing at all."""

import re
from collections.abc import Mapping
from typing import Any, Final

_CARD_LINE: Final = re.compile(r"^(?:item\d+\.)?(FN|TEL)(?:;[^:\r\n]*)?:([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
_POLLS: Final = ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3")
_SEALED: Final = frozenset({"secretEncryptedMessage", "pollUpdateMessage"})
_MOST_CARDS: Final = 10
_MOST_OPTIONS: Final = 12
_LONGEST: Final = 200


def of_cards(cards: tuple[str, ...]) -> str:
    """A line for each card: who it is, and the numbers in it."""
    return "\n".join(filter(None, (_card(card) for card in cards[:_MOST_CARDS])))


def of_poll(data: Any) -> str:
    """The question and below it its answers; nothing where the raw message is no poll."""
    if not data:
        return ""
    content = _content(data)
    for name in _POLLS:
        poll = _mapping(content.get(name))
        if poll:
            return _written(poll.get("name"), [_mapping(each).get("optionName") for each in _list(poll.get("options"))])
    raw = _mapping(data)
    if raw.get("type") == "poll_creation":
        return _written(raw.get("pollName"), [_mapping(each).get("name") for each in _list(raw.get("pollOptions"))])
    return ""


def is_sticker(data: Any) -> bool:
    """The gateway shows a sticker as any picture; what it is stands in the raw message alone."""
    return bool(data) and ("stickerMessage" in _content(data) or _mapping(data).get("type") == "sticker")


def is_sealed(data: Any) -> bool:
    """An edit or a vote under a key of the message that it is about, which the gateway could not open.

    WhatsApp's own apps seal edits since May 2026, and NOWEB hands the envelope on as an empty message.
    """
    return bool(data) and not _SEALED.isdisjoint(_content(data))


def _card(card: str) -> str:
    found: dict[str, list[str]] = {"FN": [], "TEL": []}
    for kind, value in _CARD_LINE.findall(card[:4_000]):
        found[kind.upper()].append(value.strip()[:_LONGEST])
    return ", ".join([*found["FN"][:1], *dict.fromkeys(found["TEL"])])


def _written(question: Any, answers: list[Any]) -> str:
    told = [each.strip()[:_LONGEST] for each in answers[:_MOST_OPTIONS] if isinstance(each, str) and each.strip()]
    asked = question.strip()[:_LONGEST] if isinstance(question, str) else ""
    return "\n".join(filter(None, [asked, *(f"- {each}" for each in told)]))


def _content(data: Any) -> Mapping[str, Any]:
    """WhatsApp's own message: `message` on NOWEB, `Message` on GOWS."""
    raw = _mapping(data)
    return _mapping(raw.get("message")) or _mapping(raw.get("Message"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
