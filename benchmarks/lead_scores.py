"""The hour's recalculation of a million leads, a tenth of them written back: `mychatflow bench lead_scores`."""

import argparse
import time
from datetime import UTC, datetime

import psutil
import psycopg

from benchmarks import report
from benchmarks.processes import database, tree_seconds
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from warehouse import scores

_AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
_MOST_CPU_SECONDS = 15
_BUSINESSES = """
insert into tenants (id, email, name, plan)
select md5('tenant ' || number)::uuid, 'owner@example.test', 'Shop', 'pro' from generate_series(0, 49) as number;
insert into instances (tenant_id, id, session, name, status)
select id, md5('number ' || id)::uuid, 'session-' || id, 'Desk', 'connected' from tenants
"""
# All have been silent for two days, which costs 5 of 30 points; a tenth still stands as it was before.
_CONTACTS = """
insert into contacts (
    tenant_id, id, instance_id, wa_id, chat_id, lead_inbound_count, lead_question_count, lead_reply_latencies,
    lead_last_inbound_at, lead_base, lead_score, lead_grade
)
select
    tenants.id, gen_random_uuid(), md5('number ' || tenants.id)::uuid, number || '@c.us', number || '@c.us', 5, 2,
    array[40.0, 90.0, 200.0], %(at)s - interval '2 days' - number %% 3600 * interval '1 second', 30,
    case when number %% 10 = 0 then 30 else 25 end, 'D'
from generate_series(1, %(count)s) as number
inner join tenants on tenants.id = md5('tenant ' || number %% 50)::uuid
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    count = parser.parse_args(arguments).contacts
    with database(today=_AT.date()) as (settings, server):
        with psycopg.connect(server.admin_url("mychatflow"), cursor_factory=psycopg.ClientCursor) as admin:
            admin.execute(_BUSINESSES)
            admin.execute(_CONTACTS, {"at": _AT, "count": count})
            admin.execute("analyze contacts")
        changing, still = (_costing(settings, server, changed=changed) for changed in (count // 10, 0))
    report.show("lead scores", [changing, still])
    own = float(changing["cpu_seconds"] or 0)
    postgres = float(changing["postgres_cpu_seconds"] or 0)
    report.show_goals(
        "lead scores", [report.goal("the hour's recalculation", own + postgres, "CPU s", _MOST_CPU_SECONDS)]
    )
    return 0


def _costing(settings: Settings, server: EmbeddedPostgres, *, changed: int) -> dict[str, report.Value]:
    """What the recalculation costs here and in Postgres; it must change exactly so many."""
    process = psutil.Process(server.pid)
    wall, own, postgres = time.perf_counter(), time.process_time(), tree_seconds(process)
    done = scores.rescore(settings, at=_AT)
    if done.changed_count != changed:
        raise SystemExit(f"{done.changed_count} scores changed, not {changed}: the times mean nothing")
    return {
        "run": f"{changed:,} change",
        "contacts": done.scored_count,
        "cpu_seconds": time.process_time() - own,
        "postgres_cpu_seconds": tree_seconds(process) - postgres,
        "wall_seconds": time.perf_counter() - wall,
    }


if __name__ == "__main__":
    main()
