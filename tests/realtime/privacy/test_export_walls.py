"""Two tenants whose every row is marked: no file that one takes out holds the mark of the other."""

import io
import zipfile
from datetime import UTC, datetime

from sqlalchemy import text

from realtime.privacy.requests import DataRequests
from tests.realtime.api.conftest import a_shop, bearer
from tests.realtime.api.conftest import api as api  # noqa: PLC0414 — fixtures by that name
from tests.realtime.api.conftest import shop as shop  # noqa: PLC0414
from tests.realtime.api.possessions import a_message
from tests.realtime.api.test_foreign_ids import NAMES, PLATFORMS


def mark_of(shop):
    return f"CANARY{shop.tenant.tenant_id.hex[:8]}"


async def marked(store, shop):
    """Every name of theirs, one customer's words, and what was wrong with a sheet."""
    await a_message(store, shop.tenant, shop.contact_id, f"I want {mark_of(shop)}")
    given = {"tenant_id": shop.tenant.tenant_id, "mark": mark_of(shop), "import_id": shop.import_id}
    for table, column in (NAMES | {"appointments": "notes"}).items():
        door = store.platform_transaction() if table in PLATFORMS else store.tenant_transaction(shop.tenant.tenant_id)
        key = "id" if table == "tenants" else "tenant_id"
        async with door as transaction:
            await transaction.execute(text(f"update {table} set {column} = :mark where {key} = :tenant_id"), given)
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        await transaction.execute(
            text(
                "insert into contact_import_issues (tenant_id, import_id, row_number, column_name, problem)"
                " values (:tenant_id, :import_id, 2, 'phone', :mark)"
            ),
            given,
        )


async def files_of(api, shop, worker):
    """Everything that can be taken out over the API, as readable bytes."""
    headers = bearer(shop.key)
    paths = (
        "/contacts/export",
        f"/contacts/imports/{shop.import_id}/report",
        f"/appointments/{shop.appointment_id}/ics",
        "/audit?limit=500",
    )
    found = {path: await api.get(path, headers=headers) for path in paths}
    assert {answer.status_code for answer in found.values()} == {200}
    files = {path: answer.content for path, answer in found.items()}
    for name, wanted in (("person", {"contact_id": str(shop.contact_id)}), ("tenant", {})):
        asked = await api.post("/exports", json=wanted, headers=headers)
        while await worker.do_next(at=datetime.now(UTC)):
            pass
        url = (await api.get(f"/exports/{asked.json()['id']}", headers=headers)).json()["url"]
        taken = await api.get(str(api.base_url).replace("/api/v1/", url), headers={"authorization": ""})
        archive = zipfile.ZipFile(io.BytesIO(taken.content))
        files[name] = b"".join(archive.read(each) for each in archive.namelist())
    return files


async def test_no_file_holds_a_word_of_another_tenant(api, shop, store, fresh):
    theirs = await a_shop(store)
    worker = DataRequests(store, fresh)
    for each in (shop, theirs):
        await marked(store, each)

    for mine, other in ((shop, theirs), (theirs, shop)):
        files = await files_of(api, mine, worker)

        for name, held in files.items():
            for foreign in (mark_of(other), other.tenant.tenant_id, other.contact_id):
                assert str(foreign).encode() not in held, name
        # The marks are where the files look: a wall that hides everything proves nothing.
        assert {name for name, held in files.items() if mark_of(mine).encode() not in held} <= {"/audit?limit=500"}
