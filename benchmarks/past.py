"""Gives businesses months of turns, written straight into Postgres: pages, plans and rollups then meet a real past.

Beside `mychatflow up --demo --only web`: `python -m benchmarks.past --data-dir DIR`, then `mychatflow rollup`.
The demo's businesses get most, so that the pages that `benchmarks.dashboards` opens are the busiest of them all.
"""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks import report
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import schema

# Twice 91 days: the longest period of a page, and the one that it is compared with.
_DAYS = 182
_AT_ONCE = 600_000
_EVENTS_A_TURN = 6
_BUSINESSES = """
insert into tenants (id, email, name, plan)
select md5('tenant ' || number)::uuid, 'owner@example.test', 'Shop', 'pro'
from generate_series(0, %(count)s - 1) as number
on conflict do nothing;
insert into settings (tenant_id, timezone)
select
    md5('tenant ' || number)::uuid, (array['UTC', 'Asia/Kolkata', 'America/Sao_Paulo', 'Asia/Dubai'])[1 + number %% 4]
from generate_series(0, %(count)s - 1) as number
on conflict do nothing;
insert into instances (tenant_id, id, session, name, status)
select md5('tenant ' || number)::uuid, md5('number ' || number)::uuid, 'session-' || number, 'Desk', 'connected'
from generate_series(0, %(count)s - 1) as number
on conflict do nothing
"""
# A person writes a few times within minutes; a business's share of all turns falls with its place, a demo's first.
_TURNS = """
create temp table businesses on commit drop as
select row_number() over (order by is_demo desc, name, tenant_id) - 1 as place, tenant_id, instance_id
from (
    select tenants.is_demo, tenants.name, tenants.id as tenant_id, instances.id as instance_id
    from tenants inner join instances on instances.tenant_id = tenants.id
) as found;
create temp table turns on commit drop as
select
    tenant_id,
    instance_id,
    md5('person ' || conversation)::uuid as contact_id,
    md5('episode ' || conversation)::uuid as episode_id,
    began_at + number * interval '40 seconds' as received_at,
    (500 + random() * 3000)::int as latency_ms
from (
    select
        conversation,
        floor(pow(random(), %(skew)s) * (select count(*) from businesses)) as place,
        %(since)s + random() * (%(until)s - %(since)s - interval '5 minutes') as began_at
    from generate_series(%(first)s::int, %(first)s::int + %(turns)s::int / 5 - 1) as conversation
) as conversations
inner join businesses using (place)
cross join lateral (select generate_series(0, 4) as number) as numbers;
insert into contacts (
    tenant_id, id, instance_id, wa_id, chat_id, first_message_at, last_message_at, last_inbound_at, last_outgoing_at,
    created_at, lead_inbound_count
)
select
    tenant_id, contact_id, instance_id, contact_id || '@c.us', contact_id || '@c.us',
    min(received_at), max(received_at), max(received_at), max(received_at), min(received_at), count(*)
from turns group by tenant_id, instance_id, contact_id;
insert into episodes (
    tenant_id, id, contact_id, instance_id, start_reason, started_at, inbound_count, agent_reply_count, first_reply_at,
    first_agent_reply_at, is_waiting
)
select
    tenant_id, episode_id, contact_id, instance_id, 'initial', min(received_at), count(*),
    count(*), min(received_at) + interval '2 s', min(received_at) + interval '2 s', false
from turns group by tenant_id, instance_id, episode_id, contact_id;
insert into lead_score_events (
    tenant_id, contact_id, as_of, cause, message_points, speed_points, question_points, intent_points, base, decay,
    score, grade, rules_version, extractor_version
)
select tenant_id, contact_id, received_at, 'inbound', 10, 5, 5, 0, 20, 0, 20, 'D', 'lead_v1', 'intents_v1' from turns;
insert into analytics_events (
    tenant_id, event_id, occurred_at, event_type, instance_id, contact_id, episode_id, properties
)
select
    tenant_id, gen_random_uuid(), received_at + seconds * interval '1 s', event_type,
    instance_id, contact_id, episode_id, properties
from turns
cross join lateral (values
    ('message_received', 0, jsonb_build_object('type', 'text', 'length', 42, 'language', 'en', 'is_question', true,
        'is_countable', true, 'intents', array['price'], 'queued_ms', 12)),
    ('lead_scored', 0, jsonb_build_object('score', 20, 'grade', 'D', 'cause', 'inbound')),
    ('llm_attempt', 2, jsonb_build_object('role', 'primary', 'outcome', 'ok', 'latency_ms', latency_ms, 'won', true,
        'ttft_ms', latency_ms / 2, 'provider', 'openai', 'model', 'gpt-5-mini', 'cost_micro_usd', 412,
        'input_tokens', 900, 'output_tokens', 80, 'cached_tokens', 0)),
    ('message_sent', 2, jsonb_build_object('kind', 'reply', 'author', 'agent', 'used_fallback', false, 'latency_ms',
        latency_ms, 'model_ms', latency_ms - 20, 'waits_since', received_at, 'provider', 'openai', 'model',
        'gpt-5-mini', 'steps', jsonb_build_object('context', 3, 'prompt', 1, 'model', latency_ms, 'guard', 1))),
    ('message_delivered', 3, jsonb_build_object('ms_since_sent', 900)),
    ('message_read', 9, jsonb_build_object('ms_since_sent', 7000))
) as kinds (event_type, seconds, properties)
order by received_at
"""


def open_businesses(admin: psycopg.Connection[tuple[object, ...]], *, count: int) -> None:
    """Businesses with a number each, in four time zones; those that are there stay as they are."""
    admin.execute(_BUSINESSES, {"count": count})


def write(
    admin: psycopg.Connection[tuple[object, ...]],
    *,
    since: datetime,
    until: datetime,
    events: int,
    first: int,
    skew: float = 2,
) -> None:
    """That many events within the span, of people numbered from `first` on; the connection's cursor binds in place."""
    turns = events // _EVENTS_A_TURN
    admin.execute(_TURNS, {"since": since, "until": until, "turns": turns, "first": first, "skew": skew})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--businesses", type=int, default=97, help="beside those that are there")
    given = parser.parse_args()
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=given.data_dir.resolve())
    until = datetime.now(UTC) - timedelta(minutes=10)
    since = until - timedelta(days=_DAYS)
    schema.ensure_months(settings, first=since.date(), last=until.date())
    url = EmbeddedPostgres(settings).admin_url("mychatflow")
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
        # What is lost of it in a crash is written once more.
        admin.execute("set synchronous_commit = off")
        open_businesses(admin, count=given.businesses)
        for done in range(0, given.events, _AT_ONCE):
            # Nobody is written about twice, also when this program runs once more.
            first = _count(admin, "contacts")
            # A cube: the first of a hundred businesses has a fifth of all events.
            write(admin, since=since, until=until, events=min(_AT_ONCE, given.events - done), first=first, skew=3)
        admin.execute("analyze")
        rows = [{"of": table, "rows": _count(admin, table)} for table in ("tenants", "contacts", "analytics_events")]
    report.show("past", rows)


def _count(admin: psycopg.Connection[tuple[object, ...]], table: str) -> int:
    found = admin.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
    return int(str(found[0])) if found else 0


if __name__ == "__main__":
    main()
