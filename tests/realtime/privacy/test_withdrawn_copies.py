"""What a copy and an erasure that meet leave: nobody erased in any copy, and a copy for whoever asked for one."""

import asyncio
import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.store import data_requests, export, media_vault, tenant_keys
from mychatflow.store.privacy import Privacy
from realtime.privacy.requests import DataRequests
from tests.factories import a_contact
from tests.realtime.api.conftest import api as api  # noqa: PLC0414 — fixtures by that name
from tests.realtime.api.conftest import rows as rows  # noqa: PLC0414
from tests.realtime.api.conftest import shop as shop  # noqa: PLC0414
from tests.realtime.api.possessions import a_file

NAME = "Canary Bird"
LAST = "select state from exports order by requested_at desc limit 1"
TIMES = "select due_at, expires_at, state from exports order by requested_at desc limit 1"


@pytest.fixture
async def canary(store, shop):
    contact_id = await a_contact(store, shop.tenant, wa_id="34677317731@c.us", name=NAME)
    await a_file(store, shop.tenant, contact_id)
    return contact_id


@pytest.fixture
def meanwhile(monkeypatch):
    """Run something after the copy was read and before it is handed out."""

    def set_up(work):
        written = export.write

        async def slowly(*arguments, **named):
            found = await written(*arguments, **named)
            monkeypatch.setattr(export, "write", written)
            await asyncio.create_task(work())
            return found

        monkeypatch.setattr(export, "write", slowly)

    return set_up


def at_root(api, path):
    return str(api.base_url).replace("/api/v1/", path)


async def test_a_copy_that_was_read_before_an_erasure_is_never_handed_out(
    api, shop, store, fresh, rows, canary, meanwhile
):
    worker, other = DataRequests(store, fresh), Privacy(store, fresh)
    asked = (await api.post("/exports", json={})).json()

    async def erase():
        await other.forget(shop.tenant.tenant_id, canary, actor="test", at=datetime.now(UTC))

    meanwhile(erase)
    assert await worker.do_next(at=datetime.now(UTC))

    assert rows(LAST) == [{"state": "pending"}]
    assert list((fresh.data_dir / "exports").rglob("*.*")) == []
    # Whoever asked gets a copy all the same, without the erased.
    assert await worker.do_next(at=datetime.now(UTC))
    ready = (await api.get(f"/exports/{asked['id']}")).json()
    answer = await api.get(at_root(api, ready["url"]), headers={"authorization": ""})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert NAME not in b"".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")


async def test_the_erased_persons_own_copy_is_not_made(api, shop, store, fresh, rows, canary, meanwhile):
    worker, other = DataRequests(store, fresh), Privacy(store, fresh)
    await api.post("/exports", json={"contact_id": str(canary)})

    async def erase():
        await other.forget(shop.tenant.tenant_id, canary, actor="test", at=datetime.now(UTC))

    meanwhile(erase)
    while await worker.do_next(at=datetime.now(UTC)):
        pass

    assert rows(LAST) == [{"state": "failed"}]


async def test_the_worker_that_was_taken_for_dead_hands_nothing_out(api, store, fresh, rows, canary, meanwhile):
    worker, other = DataRequests(store, fresh), DataRequests(store, fresh)
    asked = (await api.post("/exports", json={})).json()
    at = datetime.now(UTC)

    async def make_it_elsewhere():
        assert await other.do_next(at=at + timedelta(minutes=11))
        ready = (await api.get(f"/exports/{asked['id']}")).json()
        assert (await api.get(at_root(api, ready["url"]), headers={"authorization": ""})).status_code == 200

    meanwhile(make_it_elsewhere)
    assert await worker.do_next(at=at)

    # A link opens once, whoever else made the copy.
    assert rows(LAST) == [{"state": "fetched"}]


async def test_a_copy_that_takes_long_is_kept_by_its_worker(api, store, fresh, rows, canary, meanwhile, monkeypatch):
    monkeypatch.setattr(data_requests, "RENEWED_EVERY", timedelta(seconds=0.05))
    worker = DataRequests(store, fresh)
    await api.post("/exports", json={})
    at = datetime.now(UTC)
    until = []

    async def look_twice():
        for _ in range(2):
            until.extend(row["due_at"] for row in rows(TIMES))
            await asyncio.sleep(0.5)

    meanwhile(look_twice)
    assert await worker.do_next(at=at)

    assert until[0] < until[1]
    # The link's quarter of an hour begins when there is something to fetch.
    (kept,) = rows(TIMES)
    assert kept["state"] == "ready"
    assert kept["expires_at"] >= at + data_requests.LINK_LASTS + timedelta(seconds=1)


async def test_a_damaged_file_keeps_nobody_from_the_rest(api, shop, store, fresh, rows, canary):
    for kept in fresh.media_dir.rglob("*"):
        if kept.is_file():
            kept.write_bytes(b"\1" + bytes(40))
    await api.post("/exports", json={"contact_id": str(canary)})

    assert await DataRequests(store, fresh).do_next(at=datetime.now(UTC))

    assert rows(LAST) == [{"state": "ready"}]


async def test_a_shredded_tenants_request_ends(api, shop, store, fresh, rows, canary):
    await api.post("/exports", json={})
    async with store.platform_transaction() as transaction:
        await tenant_keys.shred(transaction, shop.tenant.tenant_id, at=datetime.now(UTC))
    store.key_ring.forget(shop.tenant.tenant_id)

    assert await DataRequests(store, fresh).do_next(at=datetime.now(UTC))

    assert rows(LAST) == [{"state": "failed"}]


async def test_a_slow_bucket_holds_up_nobody_else(api, store, fresh, rows, canary, monkeypatch):
    """A worker answers customers on the same loop."""
    calm = asyncio.Event()

    class Slow(media_vault.Folder):
        def get(self, path):
            asyncio.run_coroutine_threadsafe(calm_down(), loop).result(5)
            return super().get(path)

    async def calm_down():
        calm.set()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(media_vault, "opened", lambda settings: media_vault.MediaVault(Slow(settings.media_dir)))
    await api.post("/exports", json={})

    assert await DataRequests(store, fresh).do_next(at=datetime.now(UTC))

    assert calm.is_set()
    assert rows(LAST) == [{"state": "ready"}]
