"""Only who holds the key is heard: every spoiled signature of both schemes gets 401 and leaves no trace."""

import asyncio
import hashlib
import hmac
import json
import statistics
import time
from datetime import UTC, datetime

import pytest

from mychatflow.store.session import Store
from realtime.webhooks.signature import SignatureRejected, Signed, verify
from tests.factories import a_tenant
from tests.realtime.webhooks.conftest import KEY, Door, envelope, event, payload, signed, signed_standard


async def test_both_schemes_are_accepted(door: Door) -> None:
    first, second = event(door.tenant.session), event(door.tenant.session)

    assert (await door.send(first, signed(first))).status == 200
    assert (await door.send(second, signed_standard(second))).status == 200
    assert len(door.inbox()) == 2


SPOILS = {
    "H1 none": lambda raw, good: {},
    "H2 wrong key": lambda raw, good: signed(raw, key=b"another"),
    "H3 empty": lambda raw, good: {"X-Webhook-Signature": "sha256="},
    "H4 other bytes": lambda raw, good: signed(json.dumps(json.loads(raw), indent=1).encode()),
    "H5 not ascii": lambda raw, good: good | {"X-Webhook-Hmac": "sïgnatur"},
    "H6 prefix": lambda raw, good: good | {"X-Webhook-Hmac": good["X-Webhook-Hmac"][:16]},
    "H7 md5": lambda raw, good: good | {"X-Webhook-Hmac-Algorithm": "md5"},
    "H7 no algorithm": lambda raw, good: good | {"X-Webhook-Hmac-Algorithm": "none"},
    "H8 upper case": lambda raw, good: good | {"X-Webhook-Hmac": good["X-Webhook-Hmac"].upper()},
    "H10 gateway's wrong": lambda raw, good: signed_standard(raw) | {"X-Webhook-Hmac": "0" * 128},
    "H10 standard wrong": lambda raw, good: good | {"X-Webhook-Signature": "sha256=" + "0" * 64},
}


async def test_a_spoiled_signature_is_refused(door: Door) -> None:
    raw = event(door.tenant.session)
    headers = {name: {"Content-Type": "application/json"} | spoil(raw, signed(raw)) for name, spoil in SPOILS.items()}

    answers = {name: await door.send(raw, spoiled) for name, spoiled in headers.items()}

    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(SPOILS, 401)
    assert {answer.content_type for answer in answers.values()} == {"application/problem+json"}
    assert door.inbox() == []
    assert (await door.send(raw, signed(raw))).status == 200


async def test_two_signatures_in_one_scheme_are_refused(door: Door) -> None:
    raw = event(door.tenant.session)
    headers = [*signed(raw).items(), ("X-Webhook-Hmac", "0" * 128)]

    async with door.http.post(door.base_url + "/api/webhooks/whatsapp", data=raw, headers=headers) as answer:
        assert answer.status == 401


async def test_a_header_outside_the_window_is_refused(door: Door) -> None:
    expected = {(-301, 1): 401, (302, 1): 401, (-298, 1): 200, (298, 1): 200}
    expected |= {(seconds, 1000): status for (seconds, _), status in expected.items()}

    found = {}
    for seconds, unit in expected:
        at = str(int((time.time() + seconds) * unit))
        found[seconds, unit] = (
            await door.send_signed(event(door.tenant.session), **{"X-Webhook-Timestamp": at})
        ).status

    assert found == expected


async def test_a_senseless_time_is_refused(door: Door) -> None:
    raw = event(door.tenant.session)
    senseless = ["NaN", "-1", "1" + "0" * 30, "", "soon", "1e9"]

    statuses = [(await door.send_signed(raw, **{"X-Webhook-Timestamp": value})).status for value in senseless]

    assert statuses == [401] * len(senseless)


async def test_the_signed_time_is_judged_too(door: Door) -> None:
    # Minutes ago by the envelope, and whether the header says that it was sent just now.
    expected = {(6, False): 401, (4, False): 200, (60, True): 200, (25 * 60, True): 401, (-6, True): 401}

    found = {}
    for minutes, has_header in expected:
        at_ms = int((time.time() - minutes * 60) * 1000)
        raw = json.dumps(envelope(door.tenant.session, payload(), timestamp=at_ms)).encode()
        headers = signed(raw) if has_header else signed_standard(raw)
        found[minutes, has_header] = (await door.send(raw, headers)).status

    assert found == expected


async def test_a_gateway_without_times_is_heard(door: Door) -> None:
    old = envelope(door.tenant.session, payload(timestamp=1_767_225_600))
    raw = json.dumps({key: value for key, value in old.items() if key not in {"id", "timestamp"}}).encode()

    assert (await door.send(raw, signed_standard(raw))).status == 200
    assert door.inbox()[0]["sent_at"] == datetime.fromtimestamp(1_767_225_600, UTC)


async def test_a_replay_stores_nothing_more(door: Door) -> None:
    raw = event(door.tenant.session)
    headers = signed(raw)

    statuses = set()
    for _ in range(20):
        answers = await asyncio.gather(*(door.send(raw, headers) for _ in range(50)))
        statuses |= {answer.status for answer in answers}

    assert statuses == {200}
    assert len(door.inbox()) == 1


async def test_a_numbers_own_key_replaces_the_default(door: Door, store: Store) -> None:
    theirs = await a_tenant(store)
    async with store.tenant_transaction(theirs.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(theirs.tenant_id, transaction)
    async with store.platform_transaction() as transaction:
        secret = cipher.encrypt("new-key,old-key", row_id=theirs.instance_id)
        await transaction.exec_driver_sql(
            "update instances set webhook_secret = %s where id = %s", (secret, theirs.instance_id)
        )

    mine, other = event(door.tenant.session), event(theirs.session)

    assert (await door.send_signed(other)).status == 401
    assert (await door.send_signed(mine, key=b"new-key")).status == 401
    assert (await door.send_signed(other, key=b"new-key")).status == 200
    assert (await door.send_signed(event(theirs.session), key=b"old-key")).status == 200
    assert {row["tenant_id"] for row in door.inbox()} == {theirs.tenant_id}


def test_a_wrong_key_takes_as_long_for_all() -> None:
    raw = b"x" * 1_000
    near = hmac.new(KEY, raw, hashlib.sha512).hexdigest().encode()
    nearly, far = near[:-1] + (b"0" if near[-1:] != b"0" else b"1"), b"0" * 128
    times: dict[bytes, list[int]] = {nearly: [], far: []}
    for _ in range(2_000):
        for guess, samples in times.items():
            began = time.perf_counter_ns()
            with pytest.raises(SignatureRejected):
                verify(Signed(gateway=(guess,)), raw, (KEY,))
            samples.append(time.perf_counter_ns() - began)

    medians = [statistics.median(samples) for samples in times.values()]

    assert abs(medians[0] - medians[1]) / max(medians) < 0.15
