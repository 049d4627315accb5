"""A sequence that changes becomes a new version: what runs keeps the steps that it began with."""

from mychatflow.store.migrations.walls import run

revision = "0028"
down_revision = "0027"

SQL = """
alter table follow_up_sequences
    add column version integer not null default 1,
    add column holdout_share double precision not null default 0 check (holdout_share between 0 and 0.9)

alter table follow_up_steps
    add column version integer not null default 1,
    drop constraint follow_up_steps_tenant_id_sequence_id_step_key,
    add unique (tenant_id, sequence_id, version, step)

alter table follow_up_runs
    add column version integer not null default 1,
    add column started_by text

create index follow_up_runs_by_sequence on follow_up_runs (tenant_id, sequence_id, started_at desc, id desc)

create index follow_up_runs_by_contact on follow_up_runs (tenant_id, contact_id, started_at desc, id desc)

create index follow_ups_by_run on follow_ups (tenant_id, run_id, step)

create index follow_up_sequences_by_creation on follow_up_sequences (tenant_id, created_at desc, id desc)
"""


def upgrade() -> None:
    run(SQL)
