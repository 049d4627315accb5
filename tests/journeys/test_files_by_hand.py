"""A colleague sends pictures, voice notes and documents: the customer gets each once, and it is kept sealed."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mychatflow.local.phone.records import Message
from realtime.webhooks.whatsapp import PATH
from tests.factories import Tenant
from tests.journeys.conftest import House, until
from tests.journeys.test_media import PIXEL
from tests.realtime.api.conftest import bearer
from tests.realtime.api.possessions import a_key

VOICE = b"OggS" + b"\0" * 60
PAPER = b"%PDF-1.7 the price list"


@contextlib.asynccontextmanager
async def a_desk(house: House, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    _, key = await a_key(house.store, tenant)
    base_url = house.webhook_url.removesuffix(PATH) + "/api/v1"
    async with httpx.AsyncClient(base_url=base_url, headers=bearer(key), trust_env=False) as api:
        yield api


async def a_conversation(house: House, tenant: Tenant) -> tuple[str, Any]:
    chat = house.a_customer()
    house.write(tenant, chat, "Is anybody there?")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    return chat, house.contact(tenant, chat)["id"]


async def post(api: httpx.AsyncClient, contact_id: Any, data: bytes, mimetype: str, **query: str) -> httpx.Response:
    headers = {"content-type": mimetype, "idempotency-key": f"{mimetype} {query}"}
    return await api.post(f"/conversations/{contact_id}/files", content=data, headers=headers, params=query)


def files(house: House, tenant: Tenant, chat: str) -> list[Message]:
    return [each for each in house.gateway.deliveries(chat, session=tenant.session) if each.media]


async def test_a_colleagues_files_arrive_once_and_in_order(house: House):
    tenant = await house.a_business()
    chat, contact_id = await a_conversation(house, tenant)
    async with a_desk(house, tenant) as api:
        for _ in range(2):
            picture = await post(api, contact_id, PIXEL, "image/png", caption="Our shop", filename="shop.png")
            assert picture.status_code == 202, picture.text
        await post(api, contact_id, VOICE, "audio/ogg")
        await post(api, contact_id, PAPER, "application/pdf", filename="Prices 2026.pdf")
        await until(lambda: len(files(house, tenant, chat)) == 3)
        await house.quiet(tenant)
        shown = (await api.get(f"/conversations/{contact_id}/messages")).json()["data"]
        kept = await api.get(f"/conversations/{contact_id}/messages/{picture.json()['id']}/media")

    delivered = files(house, tenant, chat)
    assert [(each.text, each.media.mimetype, each.media.filename) for each in delivered] == [
        ("Our shop", "image/png", "shop.png"),
        ("", "audio/ogg", "file.ogg"),
        ("", "application/pdf", "Prices 2026.pdf"),
    ]
    stored = [house.gateway.gateway.exchange.files.load(each.media.file) for each in delivered]
    assert stored == [PIXEL, VOICE, PAPER]
    # Our own messages came back with ids that we had not known: nobody took them for another person's.
    assert [(each["type"], each["author"], each["text"]) for each in shown[:3]] == [
        ("document", "human", ""),
        ("audio", "human", ""),
        ("image", "human", "Our shop"),
    ]
    assert len(shown) == 5
    assert (kept.content, kept.headers["content-type"]) == (PIXEL, "image/png")
    rows = house.rows("select id, byte_size from media_files where tenant_id = %(t)s", t=tenant.tenant_id)
    assert sorted(row["byte_size"] for row in rows) == sorted(map(len, (PIXEL, VOICE, PAPER)))
    named = house.rows("select media::text from outbox union all select media::text from interactions")
    assert [row["media"] for row in named if "Prices" in (row["media"] or "")] == []
    folder = house.settings.media_dir / str(tenant.tenant_id)
    sealed = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(sealed) == 3
    assert not any(PIXEL in data or PAPER in data for data in sealed)
    assert house.contact(tenant, chat)["owner"] == "human"


@pytest.mark.parametrize("fault", ["reset_after", "500_before"])
async def test_a_doubtful_file_is_looked_for_before_it_goes_again(house: House, fault: str):
    tenant = await house.a_business()
    chat, contact_id = await a_conversation(house, tenant)
    async with a_desk(house, tenant) as api:
        # The same picture as the doubtful one, sent well before: it must not be taken for it.
        await post(api, contact_id, PIXEL, "image/png", caption="Look")
        await until(lambda: len(files(house, tenant, chat)) == 1)
        await house.quiet(tenant)
        house.gateway.faults.plan(fault, path="/api/sendImage")
        await post(api, contact_id, PIXEL, "image/png", caption="Look", filename="again.png")
        doubtful = "select 1 from outbox where tenant_id = %(t)s and state = 'ambiguous'"
        await until(lambda: house.rows(doubtful, t=tenant.tenant_id) != [])
        await house.gateway.settled()

    # Long enough for any send to have ended.
    await house.execute("update outbox set next_try_at = now() where state = 'ambiguous'")
    await house.execute("update chat_leases set due_at = now() where tenant_id = %(t)s", t=tenant.tenant_id)
    await house.quiet(tenant)

    delivered = files(house, tenant, chat)
    assert len(delivered) == 2
    ids = house.rows(
        "select wa_message_id from outbox where tenant_id = %(t)s and media is not null order by seq",
        t=tenant.tenant_id,
    )
    assert [row["wa_message_id"] for row in ids] == [each.message_id for each in delivered]
    assert house.gateway.faults.fired[fault] == 1
    assert len([each for each in house.gateway.attempts if each.text == "Look"]) == 2
    count = "select count(*) from interactions where tenant_id = %(t)s and type = 'image'"
    assert house.rows(count, t=tenant.tenant_id)[0]["count"] == 2


async def test_a_file_that_cannot_be_sent_is_refused_with_the_reason(house: House):
    tenant, other = await house.a_business(), await house.a_business()
    _, contact_id = await a_conversation(house, tenant)
    async with a_desk(house, tenant) as api, a_desk(house, other) as stranger:
        answers = [
            await post(api, contact_id, PIXEL, "application/x-msdownload"),
            await post(api, contact_id, b"MZ", "image/png"),
            await post(api, contact_id, VOICE, "audio/ogg", caption="Listen"),
            await post(stranger, contact_id, PIXEL, "image/png"),
            await post(api, contact_id, b"\x89PNG\r\n\x1a\n" + bytes(10 << 20), "image/png"),
        ]

    assert [each.status_code for each in answers] == [415, 422, 422, 404, 413]
    assert "Content-Type must be one of image/jpeg" in answers[0].json()["detail"]
    assert answers[1].json()["detail"].startswith("body: the file is no image/png")
    assert answers[2].json()["detail"].startswith("caption: a voice note has no caption")
    assert house.rows("select 1 from media_files") == []
