"""An erased person leaves the warehouse's bytes, and every published total stays what it was."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import duckdb
import pytest

from mychatflow import settings as configuration
from mychatflow.events import EventType
from mychatflow.settings import Settings
from mychatflow.store import erasure, media_vault
from mychatflow.store.session import Store
from pipelines import answers, backfill_run, forget, reconcile, rollup
from tests.warehouse import history
from tests.warehouse.history import Business
from warehouse import connection, publish

TOTALS = (
    "analytics_summary_hourly",
    "analytics_summary_daily",
    "lead_funnel_daily",
    "tenant_usage_daily",
    "response_times_daily",
    "llm_usage_daily",
    "instance_health_daily",
    "messages_local_hourly",
    "latency_sketches_daily",
    "campaign_performance",
    "follow_up_performance",
    "lead_calibration",
    "breaker_changes",
    "provider_availability_hourly",
)


@pytest.fixture
def business(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> Business:
    monkeypatch.setattr(configuration, "load", lambda: installation)
    return history.a_business(installation)


def erase(settings: Settings, tenant_id: UUID, contact_id: UUID) -> None:
    async def work() -> None:
        store = Store(settings)
        async with store.platform_transaction() as transaction:
            await erasure.erase(
                transaction,
                media_vault.opened(settings),
                tenant_id,
                contact_id,
                master=settings.master,
                at=datetime.now(UTC),
            )
        await store.close()

    asyncio.run(work())


def totals(settings: Settings) -> dict[str, list[object]]:
    with duckdb.connect(str(publish.published_dir(settings) / "current"), read_only=True) as published:
        return {name: sorted(map(str, published.execute(f"from marts.{name}").fetchall())) for name in TOTALS}


def holds(settings: Settings, contact_id: UUID) -> list[Path]:
    """Files of the warehouse that have the id anywhere in their bytes, as words or as DuckDB stores a UUID."""
    number = contact_id.int ^ (1 << 127)
    stored = (number & ((1 << 64) - 1)).to_bytes(8, "little") + (number >> 64).to_bytes(8, "little")
    found = [connection.warehouse_file(settings), *publish.published_dir(settings).glob("marts-*.duckdb")]
    return [path for path in found if stored in path.read_bytes() or str(contact_id).encode() in path.read_bytes()]


def _failed_reply(business: Business, contact_id: UUID, at: datetime) -> list[tuple[Any, ...]]:
    """It answered nobody."""
    told = {"contact_id": contact_id, "interaction_id": str(uuid4())}
    return [
        history.an_event(
            business,
            EventType.MESSAGE_SENT,
            at=at,
            author="agent",
            waits_since=(at - timedelta(seconds=7)).isoformat(),
            **told,
        ),
        history.an_event(business, EventType.MESSAGE_FAILED, at=at, message_id="wamid.1", **told),
    ]


def test_an_erased_person_leaves_the_files_and_totals_stay(
    installation: Settings, business: Business, capsys: pytest.CaptureFixture[str]
) -> None:
    past = history.a_past(business, turns=60, days=5, until=datetime.now(UTC))
    contact_id = past.contacts[0][1]
    past.events.extend(_failed_reply(business, contact_id, datetime.now(UTC) - timedelta(days=1)))
    history.write(installation, past)
    assert rollup.main(["--json"]) == answers.OK
    before = totals(installation)
    assert holds(installation, contact_id)
    erase(installation, business.tenant_id, contact_id)
    capsys.readouterr()

    code = forget.main(["--tenant", str(business.tenant_id), "--contact", str(contact_id), "--json"])

    counted = json.loads(capsys.readouterr().out)
    assert code == answers.OK
    assert counted["before"] > 0
    assert counted["after"] == 0
    assert totals(installation) == before
    # The list of the erased itself knows the row's id: nothing else may.
    with connection.writer(installation) as warehouse:
        tables = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_columns() where column_name = 'contact_id'"
            " and not internal and (schema_name, table_name) in (select (schema_name, table_name) from duckdb_tables())"
        ).fetchall()
        holding = {
            name
            for (name,) in tables
            if warehouse.execute(f"select 1 from {name} where contact_id = ?", [contact_id]).fetchall()
        }
    assert holding == {"raw.erase_list", "meta.erased_contacts"}
    assert [path for path in holds(installation, contact_id) if path.name.startswith("marts-")] == []
    # Nor does computing those days again bring anybody back or take anything away.
    assert reconcile.main(["--json"]) == answers.OK
    first = min(row[2] for row in past.events).date().isoformat()
    last = datetime.now(UTC).isoformat()
    assert backfill_run.main(["--asset", "analytics_summary_daily", "--from", first, "--to", last, "--json"]) == 0
    assert totals(installation) == before


def test_forgetting_before_the_first_rollup_is_nothing_to_do(
    installation: Settings, business: Business, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--tenant", str(business.tenant_id), "--contact", str(business.tenant_id), "--json"]

    assert forget.main(arguments) == answers.OK
    assert json.loads(capsys.readouterr().out) == {"before": 0, "after": 0}
