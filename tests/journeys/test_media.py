"""Pictures reach a model that sees, are kept sealed, and what cannot be read is answered honestly."""

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from mychatflow.local.phone import payloads
from mychatflow.local.phone.records import Draft, Media, Message
from mychatflow.rules.role import Role
from mychatflow.store import media_files, media_vault
from realtime.channels.gateway_types import GatewayFailed
from realtime.channels.waha import WahaClient
from tests.factories import Tenant
from tests.journeys.conftest import House, until
from tests.realtime.api.conftest import bearer
from tests.realtime.api.possessions import a_key

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def show(
    house: House, tenant: Tenant, chat: str, data: bytes, *, mimetype: str = "image/png", text: str = ""
) -> Message:
    kept = house.gateway.gateway.exchange.files.save(data, mimetype=mimetype)
    draft = Draft(text=text, media=Media(mimetype=mimetype, filename="sent.bin", file=kept))
    return house.gateway.gateway.customers.write_in(tenant.session, chat, draft)


def received(house: House, tenant: Tenant) -> dict[str, Any]:
    return house.rows(
        "select * from interactions where tenant_id = %(t)s and direction = 'incoming'", t=tenant.tenant_id
    )[0]


def vault_files(house: House, tenant: Tenant) -> list[Path]:
    return [path for path in (house.settings.media_dir / str(tenant.tenant_id)).rglob("*") if path.is_file()]


async def test_a_model_that_sees_gets_the_picture(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()

    show(house, tenant, chat, PIXEL, text="Do you have this?")
    await house.answers(tenant, chat, 1)

    call = house.models.calls()[-1]
    assert call.model == "gpt-5.5"
    content = call.body["messages"][-1]["content"]
    assert content[0]["text"].endswith("⟦[image] Do you have this?⟧")
    assert content[1]["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PIXEL).decode()


async def test_a_kept_picture_is_sealed_on_disk(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()

    show(house, tenant, chat, PIXEL)
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    (path,) = vault_files(house, tenant)
    assert PIXEL[:16] not in path.read_bytes()
    # What a file is called tells of its sender as much as its bytes.
    told = received(house, tenant)["media"]
    assert told["mimetype"] == "image/png"
    assert "sent.bin" not in str(told)
    (row,) = house.rows("select * from media_files where tenant_id = %(t)s", t=tenant.tenant_id)
    assert (row["id"], row["mimetype"], row["byte_size"]) == (received(house, tenant)["id"], "image/png", len(PIXEL))


async def test_a_colleague_sees_the_picture(house: House):
    tenant, other = await house.a_business(), await house.a_business()
    chat = house.a_customer()
    show(house, tenant, chat, PIXEL)
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    message = received(house, tenant)
    url = house.webhook_url.replace("/api/webhooks/whatsapp", "/api/v1/conversations/")
    url += f"{message['contact_id']}/messages/{message['id']}/media"
    _, mine = await a_key(house.store, tenant, Role.AGENT)
    _, theirs = await a_key(house.store, other, Role.OWNER)

    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        found = await client.get(url, headers=bearer(mine))
        refused = await client.get(url, headers=bearer(theirs))

    assert (found.status_code, found.content) == (200, PIXEL)
    assert found.headers["content-type"] == "image/png"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert refused.status_code == 404


async def test_a_broken_picture_is_told_as_such(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.gateway.customers.write_in(
        tenant.session, chat, Draft(text="look", media=Media(mimetype="image/png", file="nowhere.png"))
    )

    await house.answers(tenant, chat, 1)

    assert house.models.calls()[-1].question == "⟦[image: it could not be opened] look⟧"
    assert vault_files(house, tenant) == []


async def test_a_voice_note_is_never_pretended_heard(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()

    show(house, tenant, chat, b"OggS" + b"\0" * 50, mimetype="audio/ogg")
    await house.answers(tenant, chat, 1)

    assert house.models.calls()[-1].question == "⟦[audio: you cannot listen to it or watch it]⟧"
    assert "Say honestly what you could not open" in house.models.calls()[-1].system


async def test_a_voice_note_is_heard_and_answered(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.models.voice = "How much is a haircut?"

    show(house, tenant, chat, b"OggS" + b"\0" * 50, mimetype="audio/ogg")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert house.models.calls()[-1].question == "⟦[audio, written down by a machine] How much is a haircut?⟧"
    row = received(house, tenant)
    assert (row["type"], row["intents"], row["is_question"]) == ("audio", ["price_inquiry"], True)
    assert house.opened(tenant, row) == "How much is a haircut?"
    # Listening is a call like any other: 40 tokens of sound and 6 of words.
    (call,) = house.rows(
        "select provider, outcome, input_tokens, output_tokens, is_estimated, cost_micro_usd from llm_attempts"
        " where tenant_id = %(t)s and model = 'gpt-4o-mini-transcribe'",
        t=tenant.tenant_id,
    )
    assert tuple(call.values()) == ("openai", "ok", 40, 6, False, 150)
    booked = [event["properties"]["model"] for event in house.events(tenant, "llm_attempt")]
    assert sorted(booked) == ["gpt-4o-mini-transcribe", "gpt-5.4-mini"]
    (sent,) = house.models.heard
    assert b"OggS" in sent
    assert b"gpt-4o-mini-transcribe" in sent


async def test_a_picture_sent_from_the_paired_phone_is_kept_too(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.write(tenant, chat, "How does it look?")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    stored = house.gateway.gateway.exchange.files.save(PIXEL, mimetype="image/png")
    picture = Draft(text="Like this", media=Media(mimetype="image/png", filename="it.png", file=stored))

    house.gateway.gateway.business.write_as_owner(tenant.session, chat, picture)
    await house.quiet(tenant)

    (row,) = house.rows("select mimetype, byte_size from media_files where tenant_id = %(t)s", t=tenant.tenant_id)
    assert tuple(row.values()) == ("image/png", len(PIXEL))
    assert house.contact(tenant, chat)["owner"] == "human"


async def test_a_spoken_stop_is_obeyed(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.models.voice = "Stop."

    show(house, tenant, chat, b"OggS" + b"\0" * 50, mimetype="audio/ogg")
    (text,) = await house.answers(tenant, chat, 1)

    assert text.startswith("You will not receive any more messages")
    assert house.models.calls() == []


async def test_old_files_go_with_their_bytes(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    show(house, tenant, chat, PIXEL)
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    kept_at = house.rows("select kept_at from media_files where tenant_id = %(t)s", t=tenant.tenant_id)[0]["kept_at"]
    vault = media_vault.opened(house.settings)

    assert await media_files.forget(house.store, vault, tenant.tenant_id, before=kept_at) == 0
    await house.execute(
        "update media_files set kept_at = now() - interval '91 days' where tenant_id = %(t)s", t=tenant.tenant_id
    )
    assert await media_files.forget(house.store, vault, tenant.tenant_id, before=kept_at) == 1

    assert vault_files(house, tenant) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "/api/files/../sessions",
        "/api/files/%2e%2e/sessions",
        "/api/files/%2E./sessions",
        "/api/files//evil/x",
        "/api/files/%2f/evil",
        "/api/files/another/1.png",
        "/api/files/another%2f1.png",
    ],
)
async def test_no_address_but_the_gateways_is_fetched(house: House, url: str):
    async with WahaClient(house.gateway.base_url, house.gateway.api_key) as client:
        with pytest.raises(GatewayFailed, match="malformed media address"):
            await client.media("desk", url)


async def test_no_file_of_another_number_is_fetched(house: House):
    """Who chose the secret of their own number's webhooks can write any address into one."""
    tenant, other = await house.a_business(), await house.a_business()
    kept = house.gateway.gateway.exchange.files.save(PIXEL, mimetype="image/png")

    for theirs in (other, tenant):
        address = f"{house.gateway.base_url}/api/files/{theirs.session}/{kept}"
        draft = Draft(text="Look", media=Media(mimetype="image/png", filename="1.png", url=address))
        house.gateway.gateway.customers.write_in(tenant.session, house.a_customer(), draft)
    await until(lambda: bool(vault_files(house, tenant)))
    await house.quiet(tenant)

    assert len(vault_files(house, tenant)) == 1


async def test_a_file_beyond_the_limit_is_cut(house: House):
    house.gateway.faults.plan("huge_201", path="/api/files/desk/big.png")
    async with WahaClient(house.gateway.base_url, house.gateway.api_key) as client:
        with pytest.raises(GatewayFailed, match="answer too long"):
            await client.media("desk", "http://elsewhere.test/api/files/desk/big.png")


async def test_a_voice_note_is_paid_for_once_though_its_turn_begins_anew(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.models.voice = "How much is a haircut?"
    house.models.providers["openai"].latency = 1.0

    show(house, tenant, chat, b"OggS" + b"\0" * 50, mimetype="audio/ogg")
    await until(lambda: len(house.events(tenant, "message_received")) == 1)
    house.write(tenant, chat, "And a beard?")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    said = "⟦[audio, written down by a machine] How much is a haircut?\nAnd a beard?⟧"
    assert [call.question for call in house.models.calls()][-1] == said
    assert len(house.models.heard) == 1


async def test_nobody_looks_at_a_sticker(house: House):
    tenant = await house.a_business()
    chat = house.a_customer()
    house.gateway.lose_webhooks(tenant.session)
    sent = show(house, tenant, chat, PIXEL, mimetype="image/webp")
    house.gateway.find_webhooks(tenant.session)
    session = house.gateway.gateway.sessions.get(tenant.session)
    told = payloads.message(sent, session, base_url=house.gateway.base_url)
    told["_data"]["message"] = {"stickerMessage": {}}

    await house.gateway.post(house.gateway.envelope("message", told, session=tenant.session), session=tenant.session)
    await house.answers(tenant, chat, 1)

    call = house.models.calls()[-1]
    assert (call.model, call.question) == ("gpt-5.4-mini", "⟦[sticker]⟧")
