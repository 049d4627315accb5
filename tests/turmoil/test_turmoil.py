"""The short version of `make turmoil` that every commit passes, and proof that its laws can be broken."""

import psycopg
import pytest

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.store.session import Store
from tests.conftest import DatabaseSettings
from tests.factories import a_contact, a_tenant
from tests.turmoil import laws
from tests.turmoil.run import Plan, run


@pytest.mark.journey
@pytest.mark.timeout(400)
async def test_every_law_holds_after_everybody_did_as_they_pleased() -> None:
    outcome = await run(Plan(seconds=20))

    assert outcome.done["customers write"] > 100
    assert outcome.broken == {}


async def test_an_empty_installation_breaks_no_law_and_a_planted_fault_does(
    store: Store, fresh: DatabaseSettings, postgres: EmbeddedPostgres
) -> None:
    admin_url = postgres.admin_url(fresh.database_name)
    assert laws.broken(admin_url) == {}

    tenant = await a_tenant(store)
    await a_contact(store, tenant, is_handed_off=True)
    with psycopg.connect(admin_url) as connection:
        connection.execute(
            "insert into usage_days (tenant_id, usage_date, used) values (%s, current_date, 3)", (tenant.tenant_id,)
        )

    assert set(laws.broken(admin_url)) == {
        "who was handed off has a reason",
        "the day's counter is what the ledger says",
    }
