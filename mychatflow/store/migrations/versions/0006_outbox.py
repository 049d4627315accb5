"""The only way a message leaves: text and WhatsApp id are fixed here before the first attempt."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0006"
down_revision = "0005"

SQL = """
create table outbox (
    tenant_id uuid not null,
    id uuid not null default gen_random_uuid(),
    seq bigint generated always as identity,
    instance_id uuid not null,
    contact_id uuid not null,
    chat_id text not null,
    interaction_id uuid not null,
    interaction_at timestamptz not null,
    inbox_seq bigint,
    kind text not null check (kind in ('reply', 'notice', 'away', 'confirmation', 'fallback', 'human', 'follow_up', 'campaign', 'appointment')),
    idempotency_key text not null,
    body bytea not null,
    media jsonb,
    wa_message_id text,
    state text not null default 'pending' check (state in ('pending', 'sending', 'sent', 'ambiguous', 'failed', 'cancelled')),
    attempts integer not null default 0,
    next_try_at timestamptz not null default now(),
    first_try_at timestamptz,
    waits_since timestamptz,
    last_error text,
    sent_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, idempotency_key),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create unique index outbox_one_reply on outbox (tenant_id, inbox_seq) where inbox_seq is not null

create index outbox_open_by_chat on outbox (tenant_id, instance_id, chat_id, seq) where state in ('pending', 'sending', 'ambiguous')

create index outbox_by_message on outbox (tenant_id, wa_message_id) where wa_message_id is not null
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("outbox")
