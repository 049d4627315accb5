"""Every call to a model, the lost and failed ones too, with its tokens and price; and the breaker's history."""

from mychatflow.store.migrations.walls import platform_table, run, tenant_wall

revision = "0008"
down_revision = "0007"

SQL = """
create table llm_attempts (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    turn_id uuid not null,
    contact_id uuid,
    role text not null check (role in ('primary', 'retry', 'hedge', 'probe', 'fallback')),
    provider text not null,
    model text not null,
    outcome text not null,
    error_class text,
    started_at timestamptz not null,
    ttft_ms integer,
    latency_ms integer not null,
    input_tokens integer not null default 0,
    cached_tokens integer not null default 0,
    output_tokens integer not null default 0,
    is_estimated boolean not null default false,
    cost_micro_usd bigint not null default 0,
    price_version text not null,
    won boolean not null default false,
    primary key (tenant_id, id)
)

create index llm_attempts_by_time on llm_attempts (tenant_id, started_at)

create index llm_attempts_by_turn on llm_attempts (tenant_id, turn_id)

create table breaker_history (
    id uuid primary key default gen_random_uuid(),
    target text not null,
    from_state text not null,
    to_state text not null,
    reason text not null,
    changed_at timestamptz not null,
    ingested_xid xid8 not null default pg_current_xact_id()
)

create index breaker_history_by_time on breaker_history (changed_at desc)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("llm_attempts", app="select, insert")
    platform_table("breaker_history")
