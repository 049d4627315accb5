"""What a body may hold: hostile bytes are refused, odd messages are kept, nothing is lost or stored twice."""

import asyncio
import contextlib
import gc
import gzip
import io
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.types import Message

from mychatflow.store.cipher import KeyRing, platform_cipher
from mychatflow.store.session import Store
from realtime.webhooks import messages
from realtime.webhooks.http import LARGEST_BODY, WebhookRefused, read_body
from realtime.webhooks.messages import IncomingMessage
from tests.realtime.webhooks.conftest import Door, envelope, event, payload, signed


async def stored(door: Door, store: Store) -> IncomingMessage:
    [row] = door.inbox()
    async with store.tenant_transaction(row["tenant_id"]) as transaction:
        cipher = await KeyRing(door.settings.master).for_tenant(row["tenant_id"], transaction)
    return messages.unseal_message(row["body"], cipher, session=row["session"], inbox_id=row["message_id"])


async def altered(door: Door, count: int) -> list[dict[str, Any]]:
    """The audit log's rows of messages that came again with other words, once there are so many."""
    sql = "select * from audit_log where action = 'message.altered'"
    async with asyncio.timeout(30):
        while len(found := door.rows(sql, role="pipeline")) < count:  # noqa: ASYNC110  (what is awaited is state)
            await asyncio.sleep(0.02)
    return found


MALFORMED = {
    "H20 100,000 deep": b'{"event":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "H20 300 deep": b'{"event":' + b"[" * 300 + b"]" * 300 + b"}",
    "H21 5,000 digits": b'{"event":"message","session":"s","x":' + b"1" * 5_000 + b"}",
    "H22 NaN": b'{"event":"message","session":"s","x":NaN}',
    "H22 1e999": b'{"event":"message","session":"s","x":1e999}',
    "H24b empty": b"",
    "H25b list": b"[]",
    "H25b text": b'"x"',
    "H25b null": b"null",
    "H26b BOM": b'\xef\xbb\xbf{"event":"message","session":"s"}',
    "H27b latin-1": '{"event":"message","session":"s","x":"é"}'.encode("latin-1"),
    "session is a number": b'{"event":"message","session":5}',
    "cut off": b'{"event":"message"',
}


async def test_a_malformed_body_is_refused(door: Door) -> None:
    statuses = {name: (await door.send_signed(raw)).status for name, raw in MALFORMED.items()}

    assert statuses == dict.fromkeys(MALFORMED, 400)
    assert door.inbox() == []


async def test_a_large_body_is_refused_unread(door: Door) -> None:
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 100 * 2**20:
            sent += 65_536
            yield b"x" * 65_536

    large = io.BytesIO(b"x" * 2 * 2**20)
    async with door.http.post(door.base_url + "/api/webhooks/whatsapp", data=large) as answer:
        declared = answer.status
    async with door.http.post(door.base_url + "/api/webhooks/whatsapp", data=endless()) as answer:
        chunked = answer.status

    assert declared == 413
    # Heard by whoever is still sending, and not lost with the connection.
    assert chunked == 413
    assert sent < 20 * 2**20


async def test_a_refused_body_is_let_go_at_once() -> None:
    """Without waiting for the collector, which looks seldom: a flood would fill the memory meanwhile."""
    part = b"x" * LARGEST_BODY
    coming = iter([{"type": "http.request", "body": part, "more_body": True} for _ in range(2)])

    async def receive() -> Message:
        await asyncio.sleep(0)
        return next(coming)

    gc.disable()
    try:
        before = sys.getrefcount(part)
        with contextlib.suppress(WebhookRefused):
            await read_body(receive, declared=None)
        assert sys.getrefcount(part) <= before
    finally:
        gc.enable()


async def test_large_bodies_crowd_out_large_ones_alone(door: Door) -> None:
    """Twelve strangers hold most of a MiB each and do not end; what a gateway sends is small and passes."""
    port = int(door.base_url.rpartition(":")[2])
    large = event(door.tenant.session, body="x" * 300_000)
    held = []
    for _ in range(12):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        held.append(writer)
        head = "POST /api/webhooks/whatsapp HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        writer.write(head.encode() + b"x" * 900_000)
        await writer.drain()

    async with asyncio.timeout(8):
        while (await door.send_signed(large)).status != 429:  # noqa: ASYNC110  (what is awaited is state)
            await asyncio.sleep(0.02)
    assert (await door.say(body="Hello")).status == 200

    for writer in held:
        writer.close()
    async with asyncio.timeout(30):
        while (await door.send_signed(large)).status == 429:  # noqa: ASYNC110  (what is awaited is state)
            await asyncio.sleep(0.05)


async def test_a_body_that_never_ends_is_cut_off(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.base_url.rpartition(":")[2]))
    began = time.monotonic()
    writer.write(
        b"POST /api/webhooks/whatsapp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\n\r\n1\r\n{\r\n"
    )

    line = await asyncio.wait_for(reader.readline(), 15)

    assert b" 408 " in line
    assert 9 < time.monotonic() - began < 13
    writer.close()


@pytest.mark.parametrize(
    "headers",
    [{"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}, {"Content-Type": "application/x-www-form-urlencoded"}],
)
async def test_another_encoding_or_type_is_refused(door: Door, headers: dict[str, str]) -> None:
    raw = event(door.tenant.session)
    raw = gzip.compress(raw) if "Content-Encoding" in headers else raw

    assert (await door.send(raw, signed(raw) | headers)).status == 415


async def test_only_post_is_answered(door: Door) -> None:
    async with door.http.get(door.base_url + "/api/webhooks/whatsapp") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_an_unknown_event_is_ignored_and_counted(door: Door) -> None:
    raw = json.dumps(envelope(door.tenant.session, {"x": 1}, name="poll.vote")).encode()
    before = await door.counted("mychatflow_webhooks_total", event="other", outcome="ignored")

    assert (await door.send_signed(raw)).status == 200
    assert door.inbox() == []
    assert await door.counted("mychatflow_webhooks_total", event="other", outcome="ignored") == before + 1


async def test_an_unknown_session_is_kept_for_operators(door: Door) -> None:
    raw = event("nobody")

    statuses = [(await door.send_signed(raw)).status for _ in range(3)]

    [letter] = door.rows("select * from dead_letters")
    assert statuses == [200, 200, 200]
    assert (letter["session"], letter["reason"]) == ("nobody", "unknown session")
    assert platform_cipher(door.settings.master).decrypt(letter["payload"], row_id=letter["id"]).encode() == raw


async def test_a_signed_payload_without_sense_is_refused_but_kept(door: Door) -> None:
    raw = json.dumps(envelope(door.tenant.session, {"body": "no id"})).encode()

    assert (await door.send_signed(raw)).status == 400
    assert len(door.rows("select * from dead_letters")) == 1


@pytest.mark.parametrize("odd", ["\\u0000", "\\ud800", "\\udc00x", "\\ud800\\u0041"])
async def test_text_postgres_cannot_hold_is_mended(door: Door, store: Store, odd: str) -> None:
    raw = event(door.tenant.session, body="MARK").replace(b"MARK", b"price " + odd.encode())

    assert (await door.send_signed(raw)).status == 200
    assert "price \ufffd" in (await stored(door, store)).text


async def test_an_escaped_backslash_is_no_nul(door: Door, store: Store) -> None:
    await door.say(body="a\\u0000b 😀")

    assert (await stored(door, store)).text == "a\\u0000b 😀"


async def test_a_very_long_text_is_stored_whole(door: Door, store: Store) -> None:
    await door.say(body="x" * 65_536)

    assert len((await stored(door, store)).text) == 65_536


async def test_an_own_message_is_marked_as_own(door: Door, store: Store) -> None:
    await door.say(id="true_22222222222@c.us_3EB0", fromMe=True)

    assert door.inbox()[0]["is_own"] is True
    assert (await stored(door, store)).from_me


@pytest.mark.parametrize("chat", ["status@broadcast", "120363000000000009@newsletter", "120363000000000001@g.us"])
async def test_chats_of_many_are_ignored(door: Door, chat: str) -> None:
    answer = await door.say(id=f"false_{chat}_3EB0_22222222222@c.us", **{"from": chat})

    assert answer.status == 200
    assert door.inbox() == []


async def test_a_broken_clock_does_not_set_the_order(door: Door) -> None:
    broken = [0, 4_102_444_800, {"low": 1, "high": 0, "unsigned": True}, "x", -5, None]

    statuses = [(await door.say(timestamp=sent)).status for sent in broken]

    assert statuses == [200] * len(broken)
    assert all(abs(row["sent_at"] - datetime.now(UTC)) < timedelta(seconds=30) for row in door.inbox())


async def test_an_id_used_twice_keeps_the_first_text(door: Door, store: Store) -> None:
    await door.say(id="false_22222222222@c.us_SAME", body="first")
    again = await door.say(id="false_22222222222@c.us_SAME", body="second")

    assert again.status == 200
    assert (await stored(door, store)).text == "first"


async def test_an_id_that_comes_with_other_words_is_on_record(door: Door) -> None:
    for words in ("first", "first", "second", "second"):
        await door.say(id="false_22222222222@c.us_SAME", body=words)

    [entry] = await altered(door, 1)

    assert (entry["subject"], entry["detail"]["length"]) == ("SAME", 6)
    assert "22222222222" not in json.dumps(entry["detail"])


async def test_both_message_events_are_one_message(door: Door) -> None:
    inner = payload()
    for name in ("message.any", "message"):
        await door.send_signed(json.dumps(envelope(door.tenant.session, inner, name=name)).encode())

    assert len(door.inbox()) == 1


async def test_a_hidden_number_is_its_own_chat(door: Door, store: Store) -> None:
    await door.say(
        id="false_99990000111122@lid_3EB0",
        **{"from": "99990000111122@lid", "_data": {"key": {"remoteJidAlt": "34600000001@s.whatsapp.net"}}},
    )

    message = await stored(door, store)
    assert (message.chat_id, message.lid, message.phone) == (
        "99990000111122@lid",
        "99990000111122@lid",
        "+34600000001",
    )


async def test_media_without_address_says_so(door: Door, store: Store) -> None:
    await door.say(hasMedia=True, media=None)

    message = await stored(door, store)
    assert message.media is not None
    assert (message.media.url, message.media.error) == (None, "not downloaded")


async def test_forty_quick_messages_share_one_window(door: Door) -> None:
    answers = await asyncio.gather(*(door.say() for _ in range(40)))

    [lease] = door.rows("select * from chat_leases")
    assert {answer.status for answer in answers} == {200}
    assert len(door.inbox()) == 40
    assert lease["due_at"] - lease["first_at"] <= timedelta(seconds=8)


async def test_statuses_take_the_lane_beside(door: Door) -> None:
    ack = {"id": "true_22222222222@c.us_3EB0", "from": "22222222222@c.us", "fromMe": True, "ack": 2}
    raw = json.dumps(envelope(door.tenant.session, ack, name="message.ack")).encode()
    state = json.dumps(envelope(door.tenant.session, {"status": "FAILED"}, name="session.status")).encode()

    assert {(await door.send_signed(raw)).status, (await door.send_signed(state)).status} == {200}
    assert [(row["lane"], row["kind"]) for row in door.inbox()] == [("status", "ack"), ("status", "session")]
    assert door.rows("select * from chat_leases") == []
