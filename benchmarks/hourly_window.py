"""One busy hour from Postgres to the published marts, in CPU seconds: `mychatflow bench hourly_window`."""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg

from benchmarks import report
from benchmarks.processes import tree_seconds
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import schema
from warehouse import connection, rollup

# Five in the afternoon: most of the day that the hour belongs to has happened.
_AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
_DAYS = 10
_BUSINESSES = """
insert into tenants (id, email, name, plan)
select md5('tenant ' || number)::uuid, 'owner@example.test', 'Shop', 'pro' from generate_series(0, 49) as number;
insert into settings (tenant_id, timezone)
select id, (array['UTC', 'Asia/Kolkata', 'America/Sao_Paulo', 'Asia/Dubai'])[1 + abs(hashtext(id::text)) % 4]
from tenants;
insert into instances (tenant_id, id, session, name, status)
select id, md5('number ' || id)::uuid, 'session-' || id, 'Desk', 'connected' from tenants;
"""
# A person writes a few times within minutes; the business's share of all turns falls with its number.
_TURNS = """
create temp table turns as
select
    md5('tenant ' || floor(pow(random(), 2) * 50))::uuid as tenant_id,
    md5('person ' || conversation)::uuid as contact_id,
    md5('episode ' || conversation)::uuid as episode_id,
    began_at + number * interval '40 seconds' as received_at,
    (500 + random() * 3000)::int as latency_ms
from (
    select conversation, %(since)s + random() * (%(until)s - %(since)s - interval '5 minutes') as began_at
    from generate_series(%(first)s::int, %(first)s::int + %(turns)s::int / 5 - 1) as conversation
) as conversations
cross join lateral (select generate_series(0, 4) as number) as numbers;
update turns set tenant_id = firsts.tenant_id
from (select distinct on (contact_id) contact_id, tenant_id from turns) as firsts
where turns.contact_id = firsts.contact_id;
insert into contacts (
    tenant_id, id, instance_id, wa_id, chat_id, first_message_at, last_message_at, last_inbound_at, last_outgoing_at,
    created_at, lead_inbound_count
)
select
    tenant_id, contact_id, md5('number ' || tenant_id)::uuid, contact_id || '@c.us', contact_id || '@c.us',
    min(received_at), max(received_at), max(received_at), max(received_at), min(received_at), count(*)
from turns group by tenant_id, contact_id;
insert into episodes (
    tenant_id, id, contact_id, instance_id, start_reason, started_at, inbound_count, agent_reply_count, first_reply_at,
    first_agent_reply_at, is_waiting
)
select
    tenant_id, episode_id, contact_id, md5('number ' || tenant_id)::uuid, 'initial', min(received_at), count(*),
    count(*), min(received_at) + interval '2 s', min(received_at) + interval '2 s', false
from turns group by tenant_id, episode_id, contact_id;
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
    md5('number ' || tenant_id)::uuid, contact_id, episode_id, properties
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
order by received_at;
drop table turns
"""
_EVENTS_A_TURN = 6


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000, help="events of the hour")
    parser.add_argument("--history", type=int, default=500_000, help="events of the ten days before it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mcf-bench-", ignore_cleanup_errors=True) as directory:
        settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=Path(directory))
        server = EmbeddedPostgres(settings)
        server.start()
        try:
            schema.migrate(settings, today=_AT.date())
            report.show("hourly window", _measured(settings, server, options))
        finally:
            server.stop()
    return 0


def _measured(
    settings: Settings, server: EmbeddedPostgres, options: argparse.Namespace
) -> list[dict[str, report.Value]]:
    hour_ago = _AT - timedelta(hours=1)
    with psycopg.connect(server.admin_url("mychatflow"), autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
        admin.execute(_BUSINESSES)
        _write(admin, since=_AT - timedelta(days=_DAYS), until=hour_ago, events=options.history, first=0)
        rollup.rollup(settings, at=hour_ago)
        with connection.writer(settings) as warehouse:
            # This clock is ahead of the benchmark's: nothing of the coming hour was published yet, to be restated.
            warehouse.execute("update meta.publications set data_through = ?", [hour_ago])
        _write(admin, since=hour_ago, until=_AT, events=options.events, first=options.history)
        admin.execute("analyze")
    parts: dict[str, Callable[[], object]] = {
        "extract": lambda: rollup.land(settings),
        "compute and check": lambda: rollup.compute(settings, at=_AT),
        "publish": lambda: rollup.publish_marts(settings, at=_AT),
    }
    rows = [_costing(name, server, part) for name, part in parts.items()]
    total: dict[str, report.Value] = {"part": "the hour"}
    total |= {name: sum(float(row[name] or 0) for row in rows) for name in ("cpu_seconds", "postgres_cpu_seconds")}
    return [*rows, total]


def _write(
    admin: psycopg.Connection[tuple[object, ...]], *, since: datetime, until: datetime, events: int, first: int
) -> None:
    turns = events // _EVENTS_A_TURN
    admin.execute(_TURNS, {"since": since, "until": until, "turns": turns, "first": first})


def _costing(name: str, server: EmbeddedPostgres, part: Callable[[], object]) -> dict[str, report.Value]:
    own, postgres = time.process_time(), _postgres_seconds(server)
    part()
    return {
        "part": name,
        "cpu_seconds": time.process_time() - own,
        "postgres_cpu_seconds": _postgres_seconds(server) - postgres,
    }


def _postgres_seconds(server: EmbeddedPostgres) -> float:
    return tree_seconds(psutil.Process(server.pid))


if __name__ == "__main__":
    main()
