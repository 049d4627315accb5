"""How far each member has read each chat, so that the inbox can show them what they have not."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0047"
down_revision = "0046"

# Without a member: the owner of a development machine, who is nobody's account.
SQL = """
create table read_markers (
    tenant_id uuid not null references tenants (id),
    contact_id uuid not null,
    member_id uuid,
    read_through_at timestamptz not null,
    unique nulls not distinct (tenant_id, contact_id, member_id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade,
    foreign key (tenant_id, member_id) references team_members (tenant_id, id) on delete cascade
)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("read_markers")
