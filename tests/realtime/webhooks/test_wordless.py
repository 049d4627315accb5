"""What has no words of its own still tells the agent and the inbox what it is."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from realtime.agent.received import Received
from realtime.engine.work import InboxRow
from realtime.webhooks.envelope import Envelope
from realtime.webhooks.messages import IncomingMessage
from realtime.webhooks.normalise import Ignored, normalise

AT = datetime(2026, 11, 26, 9, tzinfo=UTC)
CARD = (
    "BEGIN:VCARD\nVERSION:3.0\nN:Lopez;Maria;;;\nFN:Maria Lopez\nitem1.TEL;waid=34611222333:+34 611 22 23 33\nEND:VCARD"
)
POLL = {"name": "When?", "options": [{"optionName": "Monday"}, {"optionName": "Tuesday"}, {"optionName": 7}]}
SAID = "When?\n- Monday\n- Tuesday"
PICTURE = {"hasMedia": True, "media": {"url": "/api/files/desk/1.webp", "mimetype": "image/webp"}}


def told(**given: Any) -> IncomingMessage:
    message = {"id": "false_34600@c.us_1", "from": "34600@c.us", "fromMe": False, "timestamp": AT.timestamp()}
    found = normalise(Envelope(event="message", session="desk", payload=message | given), received_at=AT)
    assert isinstance(found, IncomingMessage)
    return found


def spoken(message: IncomingMessage) -> str:
    """As the model and the inbox show it."""
    row = InboxRow(
        seq=1, session="desk", inbox_id=message.inbox_id, kind="message", is_own=False, is_echo=False,
        sent_at=AT, received_at=AT, body=None, trace_id=None, attempts=0,
    )  # fmt: skip
    return Received(row=row, message=message, interaction_id=UUID(int=1), at=AT, is_stored=False).spoken


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"vCards": [CARD]}, "contact", "[contact] Maria Lopez, +34 611 22 23 33"),
        ({"vCards": [CARD], "body": CARD}, "contact", "[contact] Maria Lopez, +34 611 22 23 33"),
        ({"vCards": [CARD], "body": "Call her"}, "contact", "[contact] Call her"),
        ({"vCards": ["no card at all"]}, "contact", "[contact]"),
        ({"_data": {"message": {"pollCreationMessageV3": POLL}}}, "text", SAID),
        ({"_data": {"Message": {"pollCreationMessage": POLL}}}, "text", SAID),
        ({"_data": {"type": "poll_creation", "pollName": "Ok?", "pollOptions": [{"name": "No"}]}}, "text", "Ok?\n- No"),
        ({"_data": {"message": {"pollCreationMessageV3": {"name": 7, "options": "many"}}}}, "unknown", ""),
        (PICTURE | {"_data": {"message": {"stickerMessage": {"isAnimated": True}}}}, "image", "[sticker]"),
        (PICTURE | {"_data": {"Message": {"stickerMessage": {}}}}, "image", "[sticker]"),
        (PICTURE | {"_data": {"type": "sticker"}}, "image", "[sticker]"),
        (PICTURE, "image", "[image]"),
        ({"location": {"latitude": "1.5", "longitude": "2.5", "description": None}}, "location", "[location: a place]"),
    ],
)  # fmt: skip
def test_what_has_no_words_is_told_as_what_it_is(given: dict[str, Any], kind: str, said: str):
    message = told(**given)

    assert (message.type, spoken(message)) == (kind, said)


def test_a_huge_card_is_cut():
    message = told(vCards=["FN:" + "a" * 10_000 + "\nTEL:" + "1" * 10_000] * 50)

    assert len(message.text) < 10 * 500


@pytest.mark.parametrize("event", ["call.received", "call.accepted", "call.rejected", "poll.vote", "poll.vote.failed"])
def test_a_call_or_a_vote_is_nothing_to_answer(event: str):
    """The paired phone rings, and shows a call that was missed: a text from the agent would cut in."""
    call = {"id": "1", "from": "34600@c.us", "timestamp": AT.timestamp(), "isVideo": False, "isGroup": False}

    assert normalise(Envelope(event=event, session="desk", payload=call), received_at=AT) == Ignored(
        reason="unknown_event"
    )


@pytest.mark.parametrize(
    "content",
    [
        {"secretEncryptedMessage": {"targetMessageKey": {"id": "3A39"}, "encPayload": "x", "secretEncType": 2}},
        {"messageContextInfo": {}, "secretEncryptedMessage": {"secretEncType": "MESSAGE_EDIT"}},
        {"pollUpdateMessage": {"pollCreationMessageKey": {"id": "3A39"}}},
    ],
)
@pytest.mark.parametrize("engine", ["message", "Message"])
def test_an_envelope_that_the_gateway_could_not_open_is_no_message(content: dict[str, Any], engine: str):
    """The words before the edit stay, and nobody answers an empty message that the customer never wrote."""
    message = {"id": "false_34600@c.us_2", "from": "34600@c.us", "fromMe": False, "timestamp": AT.timestamp()}
    envelope = {"body": None, "_data": {engine: content}}

    for event in ("message", "message.any"):
        found = normalise(Envelope(event=event, session="desk", payload=message | envelope), received_at=AT)
        assert found == Ignored(reason="sealed_change")
    assert told(body="Read", _data={engine: content}).text == "Read"
