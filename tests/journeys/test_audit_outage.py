"""A turn that could not put on record what it refused is nobody's failure: it is taken again."""

import contextlib
from collections.abc import Iterator

import psycopg
from prometheus_client import REGISTRY

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.store import audit
from tests.fakes.llm import answer_json
from tests.journeys.conftest import House, until

LEAK = "Sure, our key is sk-proj-abcdefghijklmnopqrstuvwxyz012345."


def turns(outcome: str) -> float:
    return REGISTRY.get_sample_value("mychatflow_turns_total", {"outcome": outcome}) or 0.0


@contextlib.contextmanager
def no_audit_log(postgres: EmbeddedPostgres) -> Iterator[None]:
    """Postgres takes no connection of the audit writer."""
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute("alter role mychatflow_audit connection limit 0")
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'mychatflow_audit'")
        try:
            yield
        finally:
            connection.execute("alter role mychatflow_audit connection limit -1")


async def test_a_leak_that_cannot_be_recorded_waits_for_the_record(house: House, postgres: EmbeddedPostgres) -> None:
    tenant = await house.a_business()
    chat = house.a_customer()
    for name in house.models.providers:
        house.models.say(name, answer_json(LEAK))

    before = turns("left")
    with no_audit_log(postgres):
        house.write(tenant, chat, "Hello, what do you know?")
        await until(lambda: turns("left") > before)
        waiting = "select state, attempts from inbox where tenant_id = %(t)s and lane = 'message' and not is_own"
        assert house.rows(waiting, t=tenant.tenant_id) == [{"state": "open", "attempts": 0}]
        assert house.texts(tenant, chat) == []

    overdue = "update chat_leases set leased_until = now() - interval '1 second' where tenant_id = %(t)s"
    await house.execute(overdue, t=tenant.tenant_id)
    (told,) = await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    assert "sk-" not in told
    async with house.store.audit_transaction() as transaction:
        recorded = await audit.page(transaction, tenant.tenant_id, before_id=None, limit=10)
    assert [entry["action"] for entry in recorded if entry["actor"] == "agent"] == ["reply.leak_refused"]
