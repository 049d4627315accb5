"""The daily clean-up lets every copy of a text go, keeps the facts, and touches nothing that the law holds."""

from datetime import datetime, timedelta
from typing import Any

import psycopg

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from tests.pipelines.conftest import RunJob
from tests.warehouse import history
from tests.warehouse.history import Business
from warehouse import connection, retention, rollup
from warehouse.reader import Reader

# Each holds the words of a message, or a part of them: once long ago and once lately.
_WORDS = """
insert into interactions (
    tenant_id, occurred_at, contact_id, instance_id, direction, author, content, status, is_question
) values (%(tenant)s, %(at)s, %(contact)s, %(instance)s, 'incoming', 'customer', 'sealed', 'received', true);
-- A voice note that nobody transcribed, answered with a heart.
insert into interactions (
    tenant_id, occurred_at, contact_id, instance_id, direction, author, status, reactions, is_question
) values (
    %(tenant)s, %(at)s, %(contact)s, %(instance)s, 'incoming', 'customer', 'received', '{"customer": "❤"}', true
);
insert into outbox (
    tenant_id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind, idempotency_key, body, state,
    created_at
) values (
    %(tenant)s, %(instance)s, %(contact)s, 'chat', gen_random_uuid(), %(at)s, 'reply', %(at)s::text, 'sealed', 'sent',
    %(at)s
);
insert into inbox (
    tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at, received_at, body, state
)
select tenant_id, id, session, %(at)s::text, 'message', 'text', 'chat', %(at)s, %(at)s, 'sealed', 'parked'
from instances;
insert into dead_letters (source, session, reason, payload, received_at)
select 'webhook', session, 'unknown', 'sealed', %(at)s from instances;
with campaign as (
    insert into campaigns (tenant_id, name, template) values (%(tenant)s, 'Sale', 'Hi') returning id
)
insert into campaign_recipients (tenant_id, campaign_id, contact_id, body, state, state_at)
select %(tenant)s, id, %(contact)s, 'sealed', 'sent', %(at)s from campaign
"""
# How many still hold words, oldest first.
_HELD = """
select array_agg(is_held order by at) from (
    select occurred_at as at, num_nonnulls(content, reactions) > 0 as is_held from interactions
    union all select created_at, body <> '' from outbox
    union all select received_at, body is not null from inbox
    union all select received_at, true from dead_letters
    union all select state_at, body is not null from campaign_recipients
)
"""


def _fetch(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.role_url("engine")) as engine:
        return engine.execute(sql).fetchall()


def _spoken(settings: Settings, *, now: datetime) -> Business:
    """A business with thirty days behind it that keeps ten."""
    business = history.a_business(settings)
    past = history.a_past(business, turns=5, days=30, until=now)
    history.write(settings, past)
    values = {"tenant": business.tenant_id, "contact": past.contacts[0][1], "instance": business.instance_id}
    with psycopg.connect(settings.role_url("engine")) as engine:
        engine.execute("update settings set retention_days_messages = 10, retention_days_events = 10")
        for days in (20, 2):
            psycopg.ClientCursor(engine).execute(_WORDS, values | {"at": now - timedelta(days=days)})
    return business


def test_retention_lets_text_go_and_keeps_facts(run_job: RunJob, installation: Settings, now: datetime) -> None:
    business = _spoken(installation, now=now)
    old = now - timedelta(days=20)
    with psycopg.connect(installation.role_url("app")) as app:
        app.execute("select set_config('app.tenant_id', %s, true)", (str(business.tenant_id),))
        app.execute(
            "insert into idempotency_keys (tenant_id, id, request_hash, created_at) values (%s, 'old', '', %s)",
            (business.tenant_id, old),
        )
    assert _fetch(installation, _HELD) == [([True] * 12,)]

    result = run_job("retention_cleanup")

    assert result.success
    # Of the six old ones a dead letter went whole, and the others stay without their words.
    assert _fetch(installation, _HELD) == [([False] * 5 + [True] * 6,)]
    assert _fetch(installation, "select count(*) from interactions where is_question") == [(4,)]
    assert _fetch(installation, "select count(*) from idempotency_keys") == [(0,)]
    oldest = _fetch(installation, "select min(occurred_at) from analytics_events")[0][0]
    kept_from = (now - timedelta(days=10)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert oldest is None or oldest >= kept_from
    assert _fetch(installation, "select events_kept_from from tenants") == [(kept_from,)]
    # A second run finds nothing more.
    told = run_job("retention_cleanup").asset_materializations_for_node("postgres__retention")[0].metadata
    assert told["dagster/row_count"].value == 0


def test_a_legal_hold_keeps_everything(run_job: RunJob, installation: Settings, now: datetime) -> None:
    business = _spoken(installation, now=now)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("update tenants set is_on_legal_hold = true")
        engine.execute(
            "with endpoint as (insert into webhook_endpoints (tenant_id, url, secret) values (%s, 'https://x', '')"
            " returning tenant_id, id)"
            " insert into webhook_deliveries (tenant_id, endpoint_id, event_id, state, created_at)"
            " select tenant_id, id, gen_random_uuid(), 'delivered', %s from endpoint",
            (business.tenant_id, now - timedelta(days=60)),
        )

    result = run_job("retention_cleanup")

    assert result.success
    assert _fetch(installation, _HELD) == [([True] * 12,)]
    assert _fetch(installation, "select count(*) from analytics_events") == [(20,)]
    assert _fetch(installation, "select count(*) from webhook_deliveries") == [(1,)]
    assert _fetch(installation, "select events_kept_from from tenants") == [(None,)]


# A court's letter comes while the first texts go.
_HOLD_BEGINS = """
create function begin_hold() returns trigger language plpgsql security definer as $$
begin
    update tenants set is_on_legal_hold = true;
    return null;
end $$;
create trigger letter after update on interactions for each statement execute function begin_hold()
"""


def test_a_hold_that_begins_in_the_middle_stops_the_rest(
    run_job: RunJob, installation: Settings, postgres: EmbeddedPostgres, now: datetime
) -> None:
    _spoken(installation, now=now)
    rollup.rollup(installation, at=now)
    landed = _landed(installation)
    with psycopg.connect(postgres.admin_url(installation.database_name), autocommit=True) as admin:
        admin.execute(_HOLD_BEGINS)

    result = run_job("retention_cleanup")

    assert result.success
    # What had gone is gone; nothing after it went, in Postgres or in the warehouse.
    assert _fetch(installation, "select count(*) from outbox where body = ''") == [(0,)]
    assert _fetch(installation, "select count(*) from analytics_events") == [(20,)]
    assert landed == _landed(installation) == 20


def _landed(settings: Settings) -> int:
    with connection.writer(settings) as warehouse:
        return int(warehouse.execute("select count(*) from raw.analytics_events").fetchall()[0][0])


def test_the_record_of_runs_ends_after_a_month(installation: Settings, published: Reader, now: datetime) -> None:
    history.a_business(installation)
    for days in (70, 69, 40, 1):
        rollup.rollup(installation, at=now - timedelta(days=days))
    with connection.writer(installation) as warehouse:
        # Never computed again since, and still the last that is known of it.
        warehouse.execute(
            "delete from meta.model_runs where model = 'episodes' and ran_at > ?", [now - timedelta(days=50)]
        )

    assert retention.forget_runs(installation, now - timedelta(days=30)) > 0
    rollup.publish_marts(installation, at=now)

    runs = published.rows("select model, count(*) as n, max(ran_at) as ran_at from ops.model_runs group by all")
    assert {row["model"]: row["n"] for row in runs}["episodes"] == 1
    assert {row["n"] for row in runs} == {1}
    assert published.rows("select count(*) as n from ops.publications") == [{"n": 2}]
    assert rollup.rollup(installation, at=now).landed.batch == 5
