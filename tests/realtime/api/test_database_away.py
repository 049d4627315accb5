"""A Postgres that ends what was begun is told to the caller as being away, however it words it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import report_mails
from tests.realtime.api.conftest import bearer, served


@contextmanager
def waiting(postgres: EmbeddedPostgres, installation: Settings, table: str) -> Iterator[None]:
    """Whoever asks that table waits, and whoever waits is ended by an error that the driver calls an internal one."""
    with psycopg.connect(postgres.admin_url(installation.database_name)) as holder:
        holder.execute(f"alter database {installation.database_name} set transaction_timeout = '700ms'")
        holder.commit()
        holder.execute("set transaction_timeout = 0")
        holder.commit()
        holder.execute(f"lock table {table} in access exclusive mode")
        yield


async def test_a_transaction_that_postgres_ends_is_to_be_tried_again(fresh, shop, postgres, redis_client):
    assert await redis_client.ping()
    with waiting(postgres, fresh, "contacts"):
        async with served(fresh) as client:
            answer = await client.get("/contacts", headers=bearer(shop.key))

    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"
    assert answer.headers["retry-after"] == "2"


async def test_who_opened_a_link_meanwhile_reads_a_page(fresh, shop, postgres, redis_client):
    assert await redis_client.ping()
    tenant_id, mail_id = shop.tenant.tenant_id, uuid4()
    token = report_mails.token(fresh, tenant_id, mail_id)
    link = f"/api/reports/unsubscribe?tenant={tenant_id}&mail={mail_id}&token={token}"
    with waiting(postgres, fresh, "report_mails"):
        async with served(fresh) as client:
            root = str(client.base_url).removesuffix("/api/v1/")
            page = await client.post(f"{root}{link}", headers={"accept": "text/html"})
            program = await client.post(f"{root}{link}")

    assert (page.status_code, program.status_code) == (503, 503)
    assert "<h1>Not right now</h1>" in page.text
    assert program.json()["code"] == "database_unavailable"
