"""What a large audience costs: its preview, its freezing, and spreadsheets in and out without the memory for them."""

import argparse
import asyncio
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import uvloop
from sqlalchemy import text

from benchmarks import report
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.rules.contact_sheet import MOST_ROWS
from mychatflow.settings import Settings
from mychatflow.store import campaign_audience, campaign_freeze, campaigns, contact_export, contact_imports, schema
from mychatflow.store.session import Store
from realtime.contacts.importing import Imports
from tests.factories import Tenant, a_campaign, a_tenant

_PEOPLE = """
    insert into contacts (tenant_id, instance_id, wa_id, chat_id, name, phone, tags, attributes, lead_grade,
        last_inbound_at)
    select :tenant_id, :instance_id, n || '@c.us', n || '@c.us', 'Customer ' || n, '+' || n,
        case when n % 3 = 0 then array['vip'] else '{}' end, jsonb_build_object('visits', n % 50),
        substr('ABCDF', 1 + (n % 5)::integer, 1), now() - (n % 90) * interval '1 day'
    from generate_series(34600000000, 34600000000 + :count - 1) as n
"""


async def measure(settings: Settings, *, audience: int, contacts: int, imported: int) -> None:
    at_start = psutil.Process().memory_info().rss
    store = Store(settings)
    report.show(f"Import: {imported:,} rows", [await _import(store, await a_tenant(store), imported)])
    tenant, crowd = await a_tenant(store), await a_tenant(store)
    await _fill(store, tenant, audience)
    await _fill(store, crowd, contacts)
    with psycopg.connect(settings.role_url("owner"), autocommit=True) as connection:
        connection.execute("analyze contacts")
    preview_ms, freeze_seconds, freeze_cpu_seconds, frozen = await _campaign(store, tenant)
    rows, size, export_seconds, grown = await _export(store, crowd, at_start)
    await store.close()
    report.show(
        f"Outreach: {audience:,} in the audience, {contacts:,} in the spreadsheet",
        [
            {
                "what": "measured",
                "preview_ms": preview_ms,
                "freeze_seconds": freeze_seconds,
                "freeze_cpu_seconds_of_ours": freeze_cpu_seconds,
                "recipients_frozen": frozen,
                "exported_rows": rows,
                "exported_mb": size / 1e6,
                "export_seconds": export_seconds,
                "memory_at_start_mb": at_start / 1e6,
                "memory_at_most_mb": (at_start + grown) / 1e6,
                "memory_over_start_mb": grown / 1e6,
                "under_100_mb": grown < 100e6,
            }
        ],
    )


async def _fill(store: Store, tenant: Tenant, count: int) -> None:
    async with store.platform_transaction() as transaction:
        values = {"tenant_id": tenant.tenant_id, "instance_id": tenant.instance_id, "count": count}
        await transaction.execute(text(_PEOPLE), values)


async def _campaign(store: Store, tenant: Tenant) -> tuple[float, float, float, int]:
    at = datetime.now(UTC)
    campaign_id = await a_campaign(
        store, tenant, template="Hi {{first_name}}, 20 % off this week", holdout_share=0.1, quiet_from="21:00",
        quiet_until="08:00",
    )  # fmt: skip
    times = []
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        row = await campaigns.by_id(transaction, tenant.tenant_id, campaign_id)
        plan = await campaign_audience.plan_of(transaction, tenant.tenant_id, row or {})
        for _ in range(3):
            began = time.perf_counter()
            await campaign_audience.preview(transaction, tenant.tenant_id, plan, at=at)
            times.append(time.perf_counter() - began)
        await campaigns.start(transaction, tenant.tenant_id, campaign_id, at=at)
    began, is_more = time.perf_counter(), True
    worked = time.process_time()
    while is_more:
        async with store.tenant_transaction(tenant.tenant_id) as transaction:
            cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
            is_more = await campaign_freeze.freeze_next(
                transaction, tenant.tenant_id, campaign_id, cipher=cipher, at=at
            )
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    async with store.platform_transaction() as transaction:
        frozen = (await transaction.execute(text("select count(*) from campaign_recipients"))).scalar_one()
    return min(times) * 1_000, seconds, worked, frozen


async def _export(store: Store, tenant: Tenant, before: int) -> tuple[int, int, float, int]:
    process = psutil.Process()
    most, rows, size = 0, -1, 0
    began = time.perf_counter()
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        pieces = contact_export.pieces(transaction, tenant.tenant_id, ContactFilter(), at=datetime.now(UTC))
        async for piece in pieces:
            rows += piece.count(b"\r\n")
            size += len(piece)
            most = max(most, process.memory_info().rss)
    return rows, size, time.perf_counter() - began, most - before


def _sheet(first: int) -> bytes:
    """As many rows as one file may have; of a hundred, one has a phone that is none."""
    head = "phone,name,tags,language,opt_in,opt_in_method\r\n"
    phones = ("none" if n % 100 == 0 else f"+{34_600_000_000 + n}" for n in range(first, first + MOST_ROWS))
    return (head + "".join(f"{phone},Customer {phone},vip; fair,es,yes,paper form\r\n" for phone in phones)).encode()


async def _import(store: Store, tenant: Tenant, rows: int) -> dict[str, float | int | str | bool]:
    """One full file after the other, as the worker reads them."""
    process, imports, most, began = psutil.Process(), Imports(store), 0, time.perf_counter()
    before, ended = process.memory_info().rss, asyncio.Event()

    async def watch() -> None:
        nonlocal most
        while not ended.is_set():
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    for first in range(0, rows, MOST_ROWS):
        async with store.tenant_transaction(tenant.tenant_id) as transaction:
            cipher, at = await store.key_ring.for_tenant(tenant.tenant_id, transaction), datetime.now(UTC)
            about = {"instance_id": tenant.instance_id, "opt_in_method": None, "row_count": MOST_ROWS, "at": at}
            await contact_imports.create(
                transaction, uuid4(), _sheet(first), cipher=cipher, created_by="benchmark", **about
            )
        while await imports.read_next(at=datetime.now(UTC)):
            pass
    ended.set()
    await watching
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        counts = text("select sum(created_count), sum(skipped_count) from contact_imports")
        created, skipped = (await transaction.execute(counts)).one()
        named = (await transaction.execute(text("select count(*) from contact_import_issues"))).scalar_one()
    return {
        "what": "measured",
        "created": int(created),
        "left_out": int(skipped),
        "rows_named_in_reports": int(named),
        "import_seconds": time.perf_counter() - began,
        "memory_at_start_mb": before / 1e6,
        "memory_at_most_mb": most / 1e6,
        "memory_over_start_mb": (most - before) / 1e6,
        "under_100_mb": most - before < 100e6,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outreach", description=__doc__)
    parser.add_argument("--audience", type=int, default=100_000)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--imported", type=int, default=1_000_000)
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="mcf-bench-"))
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=directory)
    values = {"audience": given.audience, "contacts": given.contacts, "imported": given.imported}
    server = EmbeddedPostgres(settings)
    try:
        server.start()
        schema.migrate(settings, today=datetime.now(UTC).date())
        uvloop.run(measure(settings, **values))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
