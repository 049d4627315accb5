"""How far a campaign's audience is frozen, which number writes to whom and when, and how fast a number may go on."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0022"
down_revision = "0021"

SQL = """
alter table campaigns
    add column freeze_cursor uuid,
    add column frozen_at timestamptz,
    add column turn_at timestamptz not null default now()

comment on column campaigns.turn_at is 'Whose turn was longest ago hands over next: campaigns on one number share its pace.'

create index campaigns_running on campaigns (turn_at) where state = 'running'

create index campaigns_scheduled on campaigns (scheduled_at) where state = 'scheduled'

create index campaigns_by_creation on campaigns (tenant_id, created_at desc, id desc)

alter table campaign_recipients
    add column instance_id uuid,
    add column due_at timestamptz,
    add column sent_at timestamptz,
    add foreign key (tenant_id, instance_id) references instances (tenant_id, id)

drop index campaign_recipients_queued

create index campaign_recipients_waiting on campaign_recipients (tenant_id, campaign_id, instance_id, due_at, id) where state = 'queued' and outbox_id is null

create index campaign_recipients_handed_over on campaign_recipients (tenant_id, campaign_id) where state = 'queued' and outbox_id is not null

create index campaign_recipients_by_state on campaign_recipients (tenant_id, campaign_id, state, id)

create index campaign_recipients_by_outbox on campaign_recipients (tenant_id, outbox_id) where outbox_id is not null

create index campaign_recipients_to_answer on campaign_recipients (tenant_id, contact_id, sent_at desc) where state in ('sent', 'delivered', 'read')

create table campaign_paces (
    tenant_id uuid not null,
    instance_id uuid not null,
    free_at timestamptz not null,
    primary key (tenant_id, instance_id),
    foreign key (tenant_id, instance_id) references instances (tenant_id, id) on delete cascade
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("campaign_paces", engine=None)
