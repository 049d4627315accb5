"""What people think of the agent's answers: one grade for each answer of the sample."""

from mychatflow.store.migrations.walls import run, tenant_wall

revision = "0027"
down_revision = "0026"

SQL = """
create table answer_grades (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    interaction_id uuid not null,
    interaction_at timestamptz not null,
    contact_id uuid not null,
    language text not null,
    verdict text not null check (verdict in ('good', 'bad', 'escalate')),
    reason text,
    member_id uuid,
    graded_at timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, interaction_id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id) on delete cascade
)

create index answer_grades_by_answer on answer_grades (tenant_id, interaction_at)
"""


def upgrade() -> None:
    run(SQL)
    tenant_wall("answer_grades", app="select, insert", engine="select, insert, delete")
