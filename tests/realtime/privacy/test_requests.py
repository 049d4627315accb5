"""Copies and erasures as they are asked for: over HTTP, done by the worker, proven by looking for a canary."""

import asyncio
import csv
import io
import json
import logging
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mychatflow import settings as configuration
from mychatflow.local.postgres import BINARIES
from mychatflow.rules.role import Role
from mychatflow.store import contact_book, sealed_media
from mychatflow.store.privacy import Privacy
from pipelines import forget, rollup
from realtime.privacy.requests import DataRequests
from tests.factories import a_contact
from tests.realtime.api.conftest import a_shop, bearer
from tests.realtime.api.conftest import api as api  # noqa: PLC0414 — fixtures by that name
from tests.realtime.api.conftest import rows as rows  # noqa: PLC0414
from tests.realtime.api.conftest import shop as shop  # noqa: PLC0414
from tests.realtime.api.possessions import a_file, a_key, a_message

CANARY = "Canaria Bird-7731"
NUMBER = "34677317731"
WORDS = "=HYPERLINK(canary-words-7731)"


@pytest.fixture
async def canary(store, shop):
    contact_id = await a_contact(store, shop.tenant, wa_id=f"{NUMBER}@c.us", name=CANARY, phone=f"+{NUMBER}")
    message_id = await a_message(store, shop.tenant, contact_id, WORDS)
    older_id = await a_file(store, shop.tenant, contact_id)
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(shop.tenant.tenant_id, transaction)
        # Names of files in the form of today, and as rows of earlier releases hold them.
        sealed = sealed_media.sealed({"filename": "canary-nest.pdf"}, cipher, row_id=message_id)
        for row_id, media in ((message_id, sealed), (older_id, {"filename": "canary-egg.pdf"})):
            given = {"id": row_id, "media": json.dumps(media)}
            await transaction.execute(
                text("update interactions set media = cast(:media as jsonb) where id = :id"), given
            )
        await contact_book.set_notes(
            transaction, shop.tenant.tenant_id, contact_id, "asks about canary seeds", cipher=cipher
        )
    return contact_id


@pytest.fixture
def worker(store, fresh):
    return DataRequests(store, fresh)


async def do_all(worker, *, at=None):
    while await worker.do_next(at=at or datetime.now(UTC)):
        pass


async def a_copy(api, worker, contact_id):
    asked = await api.post("/exports", json={"contact_id": str(contact_id) if contact_id else None})
    assert asked.status_code == 202
    await do_all(worker)
    return (await api.get(f"/exports/{asked.json()['id']}")).json()


def at_root(api, path):
    return str(api.base_url).replace("/api/v1/", path)


async def test_a_copy_holds_all_of_one_person_and_nobody_else(api, shop, store, worker, canary):
    await a_message(store, shop.tenant, shop.contact_id, "somebody else's words")
    ready = await a_copy(api, worker, canary)

    answer = await api.get(at_root(api, ready["url"]), headers={"authorization": ""})

    assert (ready["state"], answer.status_code) == ("ready", 200)
    assert answer.headers["cache-control"] == "no-store"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert {"contacts.jsonl", "interactions.jsonl", "interactions.csv", "about.json"} <= set(archive.namelist())
    assert all(
        found in everything for found in (CANARY, NUMBER, WORDS, "canary seeds", "canary-nest", "canary-egg", "%PDF-")
    )
    assert "somebody else's words" not in everything
    assert str(shop.contact_id) not in everything
    (written,) = [
        row
        for row in csv.DictReader(io.StringIO(archive.read("interactions.csv").decode("utf-8-sig")))
        if "HYPERLINK" in row["content"]
    ]
    assert written["content"] == f"'{WORDS}"
    assert json.loads(archive.read("interactions.jsonl").splitlines()[0])["content"] in {WORDS, "look"}


async def test_a_link_opens_once_and_not_for_long(api, shop, store, fresh, worker, canary):
    ready = await a_copy(api, worker, canary)
    url = at_root(api, ready["url"])
    spoiled = url.replace("until=", "until=1")

    assert (await api.get(spoiled)).status_code == 404
    assert (await api.get(url)).status_code == 200
    again = await api.get(url)
    assert (again.status_code, again.headers["content-type"]) == (410, "application/problem+json")
    by_hand = await api.get(url, headers={"accept": "text/html,*/*;q=0.8"})
    assert by_hand.status_code == 410
    assert "<h1>This link is used up</h1>" in by_hand.text
    assert (await api.get(f"/exports/{ready['id']}")).json()["url"] is None
    second = await a_copy(api, worker, canary)
    await do_all(worker, at=datetime.now(UTC) + timedelta(minutes=16))
    assert (await api.get(at_root(api, second["url"]))).status_code == 410
    assert list((fresh.data_dir / "exports" / str(shop.tenant.tenant_id)).iterdir()) == []


async def test_a_copy_holds_no_secret(api, shop, worker):
    provider = "sk-a-provider-key-7731"
    number = "a-webhook-secret-of-a-number-7731"
    await api.put("/provider-keys", json={"provider": "openai", "key": provider})
    await api.post("/instances", json={"session": "secretive", "webhook_secret": number})
    endpoint = (await api.post("/webhook-endpoints", json={"url": "https://example.test/hooks"})).json()
    rotated = (await api.post(f"/webhook-endpoints/{endpoint['id']}/rotate-secret")).json()
    ready = await a_copy(api, worker, None)

    answer = await api.get(at_root(api, ready["url"]))

    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")
    assert endpoint["id"] in everything
    assert [each for each in (provider, number, endpoint["secret"], rotated["secret"]) if each in everything] == []


async def test_what_waits_is_asked_for_once(api, shop, worker, canary):
    """A copy of all takes minutes of a large business: a thousand of them would keep every worker from the others."""
    asked = [{"contact_id": None}, {"contact_id": str(canary)}, {"contact_id": None}, {"contact_id": str(canary)}]
    first = [(await api.post("/exports", json=each)).json()["id"] for each in asked]
    await do_all(worker)

    assert first[:2] == first[2:]
    assert len(set(first)) == 2
    assert (await api.post("/exports", json={})).json()["id"] not in first


async def test_a_kept_copy_is_sealed(api, shop, fresh, worker, canary):
    ready = await a_copy(api, worker, canary)

    kept = fresh.data_dir / "exports" / str(shop.tenant.tenant_id) / ready["id"].replace("-", "")

    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"PK\x03\x04" not in kept.read_bytes()


async def test_copies_and_erasures_are_on_record(api, shop, rows, worker, canary):
    await a_copy(api, worker, canary)
    await api.post("/erasures", json={"contact_id": str(canary)})
    await do_all(worker)

    found = rows("select actor, action, subject from audit_log order by id")
    assert [(row["action"], row["subject"]) for row in found] == [
        ("export.requested", str(canary)),
        ("data.exported", str(canary)),
        ("erasure.requested", str(canary)),
        ("contact.erased", str(canary)),
    ]
    assert {row["actor"] for row in found} == {f"key:{shop.key_id}"}


async def test_an_erasure_ends_with_its_certificate(api, worker, canary):
    asked = await api.post("/erasures", json={"contact_id": str(canary)})
    await do_all(worker)

    found = (await api.get(f"/erasures/{asked.json()['id']}")).json()

    assert found["state"] == "done"
    assert found["certificate"]["tables"]["interactions"] == {"before": 2, "after": 0, "anonymised": 0}
    assert found["certificate"]["media_files"] == 1
    assert (await api.get(f"/contacts/{canary}")).status_code == 404
    listed = (await api.get("/contacts", params={"limit": 500})).json()["data"]
    assert all(not row["wa_id"].startswith("erased") for row in listed)


async def test_a_second_request_finds_nobody(api, worker, canary):
    first = await api.post("/erasures", json={"contact_id": str(canary)})
    second = await api.post("/erasures", json={"contact_id": str(canary)})
    await do_all(worker)

    states = [(await api.get(f"/erasures/{asked.json()['id']}")).json()["state"] for asked in (first, second)]
    assert states == ["done", "failed"]
    assert (await api.post("/erasures", json={"contact_id": str(canary)})).status_code == 404


@pytest.mark.parametrize("path", ["/exports", "/erasures"])
async def test_strangers_data_is_not_to_be_had(api, shop, store, rows, path):
    theirs = await a_shop(store)

    answer = await api.post(path, json={"contact_id": str(theirs.contact_id)})

    assert answer.status_code == 404
    assert rows(f"select 1 from {path[1:]} where state = 'pending'") == []
    _, agent = await a_key(store, shop.tenant, Role.AGENT)
    assert (await api.post(path, json={"contact_id": str(shop.contact_id)}, headers=bearer(agent))).status_code == 403


async def test_an_owner_holds_and_lets_go_what_the_law_wants_kept(api, shop, store, rows):
    _, admin = await a_key(store, shop.tenant, Role.ADMIN)
    hold = {"is_on": True, "reason": "Case 117"}

    assert (await api.put("/tenant/legal-hold", json=hold, headers=bearer(admin))).status_code == 403
    assert (await api.put("/tenant/legal-hold", json={"is_on": True})).status_code == 422
    assert (await api.put("/tenant/legal-hold", json=hold)).json() == {"is_on": True}
    refused = await api.post("/erasures", json={"contact_id": str(shop.contact_id)})
    assert (refused.status_code, refused.json()["code"]) == (409, "legal_hold")
    assert (await api.put("/tenant/legal-hold", json=hold | {"is_on": False})).json() == {"is_on": False}
    assert (await api.get("/tenant/legal-hold", headers=bearer(admin))).json() == {"is_on": False}
    assert (await api.post("/erasures", json={"contact_id": str(shop.contact_id)})).status_code == 202
    held = rows(
        "select action, detail ->> 'reason' as reason from audit_log where action like 'legal_hold.%%' order by id"
    )
    assert [tuple(row.values()) for row in held] == [("legal_hold.begun", "Case 117"), ("legal_hold.ended", "Case 117")]


async def test_a_restored_backup_forgets_again(store, fresh, shop, canary):
    privacy, at = Privacy(store, fresh), datetime.now(UTC)
    await privacy.forget(shop.tenant.tenant_id, canary, actor="test", at=at)
    # The backup knows the person, under another row, and nothing of the erasure.
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("delete from erase_list"))
    back = await a_contact(store, shop.tenant, wa_id=f"{NUMBER}@c.us", created_at=at - timedelta(days=9))
    newcomer = await a_contact(store, shop.tenant, wa_id="34600000001@c.us")

    assert await privacy.forget_again(at=datetime.now(UTC)) == 1

    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        assert await contact_book.by_id(transaction, shop.tenant.tenant_id, back) is None
        assert await contact_book.by_id(transaction, shop.tenant.tenant_id, newcomer) is not None


async def test_an_erased_persons_canary_is_nowhere(
    api, shop, store, fresh, worker, canary, postgres, redis_client, monkeypatch, tmp_path, caplog
):
    caplog.set_level(logging.DEBUG)
    installation = fresh.model_copy(update={"warehouse_url": f"duckdb:///{tmp_path}/warehouse/warehouse.duckdb"})
    monkeypatch.setattr(configuration, "load", lambda: installation)
    await asyncio.to_thread(rollup.main, ["--json"])
    # Whatever else one does with a person before they go.
    await a_copy(api, worker, canary)
    await api.get("/contacts", params={"q": CANARY})
    await api.patch(f"/contacts/{canary}", json={"name": f"{CANARY} Junior"})
    await api.post(f"/contacts/{canary}/notes", json={"notes": f"call {NUMBER}"})
    before = _places(postgres, fresh, redis_client, tmp_path)
    assert CANARY.encode() in (await before)["pg_dump"]

    await api.post("/erasures", json={"contact_id": str(canary)})
    started = datetime.now(UTC)
    await do_all(worker)
    assert datetime.now(UTC) - started < timedelta(seconds=60)
    arguments = ["--tenant", str(shop.tenant.tenant_id), "--contact", str(canary), "--json"]
    assert await asyncio.to_thread(forget.main, arguments) == 0

    places = await _places(postgres, fresh, redis_client, tmp_path)
    # The test's own client and server say more than ours do.
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("http", "uvicorn"))]
    places["logs"] = "\n".join(ours).encode()
    for word in (CANARY, NUMBER, WORDS, "canary seeds", "canary-nest", "canary-egg"):
        assert [name for name, held in places.items() if word.encode() in held] == [], word


async def _places(postgres, fresh, redis_client, tmp_path):
    """Everything that is kept anywhere, as bytes."""
    dump = await asyncio.to_thread(
        subprocess.run,
        [BINARIES / "pg_dump", "--dbname", postgres.admin_url(fresh.database_name)],
        capture_output=True,
        check=True,
    )
    await redis_client.save()
    where = await redis_client.config_get("dir") | await redis_client.config_get("dbfilename")
    files = [*tmp_path.rglob("*.duckdb"), *(fresh.data_dir / "exports").rglob("*"), *fresh.media_dir.rglob("*")]
    return {
        "pg_dump": dump.stdout,
        "redis": await asyncio.to_thread(Path(where["dir"], where["dbfilename"]).read_bytes),
        **{str(path): path.read_bytes() for path in files if path.is_file()},
    }
