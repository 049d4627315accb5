"""Services, resources and bookings; two bookings of one resource can never overlap."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0011"
down_revision = "0010"

SQL = """
create type uuidrange as range (subtype = uuid)

create table services (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    name text not null,
    duration_minutes integer not null check (duration_minutes between 5 and 1440),
    step_minutes integer not null default 30 check (step_minutes between 5 and 1440),
    buffer_before_minutes integer not null default 0 check (buffer_before_minutes >= 0),
    buffer_after_minutes integer not null default 0 check (buffer_after_minutes >= 0),
    min_notice_minutes integer not null default 60 check (min_notice_minutes >= 0),
    horizon_days integer not null default 60 check (horizon_days between 1 and 730),
    price_cents integer check (price_cents >= 0),
    currency text,
    version integer not null default 1,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table resources (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    name text not null,
    timezone text not null,
    hours jsonb not null default '{}',
    exceptions jsonb not null default '{}',
    service_ids uuid[] not null default '{}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id)
)

create table appointments (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    contact_id uuid not null,
    service_id uuid not null,
    resource_id uuid not null,
    during tstzrange not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    timezone text not null,
    status text not null check (status in ('held', 'booked', 'cancelled', 'completed', 'no_show', 'expired')),
    held_until timestamptz,
    idempotency_key text not null,
    ics_uid text not null,
    ics_sequence integer not null default 0,
    booked_at timestamptz,
    cancelled_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, idempotency_key),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade,
    foreign key (tenant_id, service_id) references services (tenant_id, id),
    foreign key (tenant_id, resource_id) references resources (tenant_id, id),
    exclude using gist (uuidrange(resource_id, resource_id, '[]') with &&, during with &&) where (status in ('held', 'booked'))
)

create index appointments_by_start on appointments (tenant_id, starts_at)

create index appointments_by_contact on appointments (tenant_id, contact_id, starts_at)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("services")
    tenant_wall("resources")
    tenant_wall("appointments")
