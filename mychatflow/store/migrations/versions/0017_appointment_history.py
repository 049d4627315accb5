"""Who moved an appointment last and why it ended, and its reminders as follow-ups without a sequence."""

from mychatflow.store.migrations.walls import run

revision = "0017"
down_revision = "0016"

SQL = """
alter table appointments
    add column changed_by text,
    add column cancel_reason text,
    add column notes text

create index appointments_by_resource on appointments (tenant_id, resource_id, starts_at)

alter table settings add column appointment_reminder_minutes integer[] not null default '{1440,120}'

alter table follow_ups
    alter column run_id drop not null,
    alter column sequence_id drop not null,
    add column appointment_id uuid,
    add foreign key (tenant_id, appointment_id) references appointments (tenant_id, id) on delete cascade,
    add check ((appointment_id is null) = (run_id is not null and sequence_id is not null))

create unique index follow_ups_of_appointments on follow_ups (tenant_id, appointment_id, due_at) where appointment_id is not null and state = 'scheduled'
"""


def upgrade() -> None:
    run(SQL)
