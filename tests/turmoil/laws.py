"""What must hold when all is quiet again, whatever was done at once: each law finds the rows that break it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

_HEARD: Final = (
    "not exists (select from contacts as m where m.tenant_id = o.tenant_id and m.merged_into_id = o.contact_id)"
)
# The one that time alone may still mend.
REST: Final = "nothing is left to do"
LAWS: Final[Mapping[str, str]] = {
    REST: """
        select 'inbox ' || state as what, count(*) from inbox where state <> 'done' group by 1
        union all
        select 'outbox ' || state, count(*) from outbox where state in ('pending', 'sending', 'ambiguous') group by 1
        union all
        select 'held chats', count(*) from chat_leases where leased_until is not null having count(*) > 0
        union all
        select 'erasures ' || state, count(*) from erasures
        where state = 'pending' or failure not in (
            'the tenant is on legal hold', 'there is no such contact (any more)'
        ) group by 1
        union all
        select 'imports ' || state, count(*) from contact_imports
        where state <> 'done' and failure is distinct from 'the business has ended' group by 1
        union all
        select 'documents ' || status, count(*) from documents where status = 'pending' group by 1
        union all
        select 'copies ' || state, count(*) from exports where state = 'pending' group by 1
    """,
    "a person has one open conversation": """
        select contact_id, count(*) from episodes where closed_at is null group by 1 having count(*) > 1
    """,
    "nothing is left with who was merged into another": """
        select 'message' as what, i.id from interactions as i
        join contacts as c on c.tenant_id = i.tenant_id and c.id = i.contact_id
        where c.merged_into_id is not null
        union all
        select 'outbox', o.id from outbox as o join contacts as c on c.tenant_id = o.tenant_id and c.id = o.contact_id
        where c.merged_into_id is not null
    """,
    "a campaign that ended leaves nobody waiting": """
        select c.id, c.state, count(*) from campaigns as c
        join campaign_recipients as r on r.tenant_id = c.tenant_id and r.campaign_id = c.id
        where r.state = 'queued' and c.state in ('finished', 'cancelled') group by 1, 2
    """,
    "a campaign tells of its messages what the conversation tells": """
        select r.id, r.state, o.state as sent, i.status from campaign_recipients as r
        join outbox as o on o.tenant_id = r.tenant_id and o.id = r.outbox_id
        join interactions as i on i.tenant_id = o.tenant_id and i.id = o.interaction_id
        where r.state not in ('replied', 'skipped') and r.state <> i.status
    """,
    "a message's state is the same wherever it stands": """
        select o.id, o.kind, o.state, i.status from outbox as o
        left join interactions as i
            on i.tenant_id = o.tenant_id and i.id = o.interaction_id and i.occurred_at = o.interaction_at
        where i.id is null
            or (o.state = 'sent') <> (i.status in ('sent', 'delivered', 'read'))
    """,
    "the day's counter is what the ledger says": """
        select d.tenant_id, d.usage_date, d.used from usage_days as d
        left join usage_ledger as l on l.tenant_id = d.tenant_id and l.usage_date = d.usage_date
        group by 1, 2, 3
        having d.used <> count(*) filter (where l.kind = 'reserve') - count(*) filter (where l.kind = 'release')
    """,
    # Whoever was merged may have been told before the other said stop; a confirmation answers the stop itself. What was
    # decided in another chat in the same moment is on its way already; a busy machine's moment is long.
    "who said stop hears nothing that nobody wrote by hand": f"""
        select o.id, o.kind, o.created_at from outbox as o
        join interactions as i on i.tenant_id = o.tenant_id and i.id = o.interaction_id
        cross join lateral (
            select kind, recorded_at from consents as c
            where c.tenant_id = o.tenant_id and c.contact_id = o.contact_id and c.recorded_at <= o.created_at
            order by c.recorded_at desc, c.kind limit 1
        ) as latest
        where latest.kind = 'opt_out' and latest.recorded_at < o.created_at - interval '5 seconds'
            and o.state = 'sent' and o.kind <> 'confirmation' and i.author <> 'human'
            and {_HEARD}
    """,
    "who was handed off has a reason": """
        select id from contacts where is_handed_off and handoff_reason is null and merged_into_id is null
    """,
    "a follow-up that goes on has a step to come, and one that ended has none": """
        select r.id, r.state, count(f.id) from follow_up_runs as r
        left join follow_ups as f
            on f.tenant_id = r.tenant_id and f.run_id = r.id and f.state in ('scheduled', 'due')
        group by 1, 2 having (r.state = 'running') <> (count(f.id) > 0)
    """,
    "the score that is shown is the ledger's latest": """
        select c.id, c.lead_score, latest.score from contacts as c
        cross join lateral (
            select score from lead_score_events as e where e.tenant_id = c.tenant_id and e.contact_id = c.id
            order by e.as_of desc, e.ingested_xid desc limit 1
        ) as latest
        where c.merged_into_id is null and c.lead_score <> latest.score
    """,
    "WhatsApp knows each message by an id of its own": """
        select wa_message_id, count(*) from outbox where wa_message_id is not null group by 1 having count(*) > 1
    """,
}


def broken(url: str, *, laws: Iterable[str] = LAWS) -> dict[str, list[dict[str, Any]]]:
    """Those laws that do not hold, with the first rows that break each; `url` is an administrator's."""
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
        found = {law: connection.execute(LAWS[law].encode()).fetchmany(5) for law in laws}
    return {law: rows for law, rows in found.items() if rows}
