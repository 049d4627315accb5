"""What Postgres itself knows: when each message and its answer were on disk, and whether what it counts is right."""

from collections.abc import Mapping
from datetime import datetime

import psycopg

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE, Settings
from tests.chaos.verdict import Moments

# Columns like received_at are written before the commit, and a slow commit may come seconds after them: nobody
# can know of a message before it. So the numbers of the transactions are kept, and Postgres says when they ended.
_WATCH = """
create schema chaos;
create table chaos.marks (message_id text, step text, xid xid8 not null, primary key (message_id, step));
create function chaos.mark() returns trigger security definer set search_path = '' language plpgsql as $$
begin
    insert into chaos.marks values (split_part(new.message_id, '_', 3), tg_argv[0], pg_current_xact_id())
    on conflict (message_id, step) do nothing;
    return null;
end $$;
create trigger stored after insert on inbox for each row
    when (new.kind = 'message' and not new.is_own) execute function chaos.mark('stored');
create trigger answered after update of state on inbox for each row
    when (new.kind = 'message' and not new.is_own and old.state = 'open' and new.state = 'done')
    execute function chaos.mark('answered');
"""
_MOMENTS = """
select stored.message_id, pg_xact_commit_timestamp(stored.xid::xid), pg_xact_commit_timestamp(answered.xid::xid)
from chaos.marks as stored
left join chaos.marks as answered on answered.message_id = stored.message_id and answered.step = 'answered'
where stored.step = 'stored'
"""
# What is counted while it happens, beside what it counts: whoever of them is off, and by which count. Of the forgotten
# the counts are left and the rows are not; of the merged both are with somebody else.
_MISCOUNTED = """
with

told as (
    select
        tenant_id, contact_id,
        count(*) filter (where is_countable) as inbound_count,
        count(*) filter (where is_countable and is_question) as question_count
    from interactions where direction = 'incoming' group by tenant_id, contact_id
),

heard as (
    select tenant_id, episode_id, count(*) as inbound_count
    from interactions where direction = 'incoming' group by tenant_id, episode_id
),

answered as (
    select tenant_id, contact_id, count(*) as reply_count
    from outbox where kind = 'reply' and part_of is null and state = 'sent' group by tenant_id, contact_id
),

replies as (
    select tenant_id, contact_id, sum(agent_reply_count) as reply_count from episodes group by tenant_id, contact_id
),

credits as (
    select
        tenant_id, usage_date,
        count(*) filter (where kind = 'reserve') - count(*) filter (where kind = 'release') as used
    from usage_ledger group by tenant_id, usage_date
)

select 'messages of ' || contacts.chat_id from contacts left join told
    on told.tenant_id = contacts.tenant_id and told.contact_id = contacts.id
where merged_into_id is null
    and (lead_inbound_count, lead_question_count) <> (coalesce(inbound_count, 0), coalesce(question_count, 0))
union all
select 'messages of episode ' || episodes.id from episodes left join heard
    on heard.tenant_id = episodes.tenant_id and heard.episode_id = episodes.id
where episodes.inbound_count <> coalesce(heard.inbound_count, 0)
    and episodes.contact_id not in (select id from contacts where erased_at is not null)
union all
select 'replies to ' || contacts.chat_id from contacts
left join answered on answered.tenant_id = contacts.tenant_id and answered.contact_id = contacts.id
left join replies on replies.tenant_id = contacts.tenant_id and replies.contact_id = contacts.id
where merged_into_id is null and coalesce(answered.reply_count, 0) <> coalesce(replies.reply_count, 0)
union all
select 'credits of ' || usage_days.usage_date from usage_days left join credits
    on credits.tenant_id = usage_days.tenant_id and credits.usage_date = usage_days.usage_date
where usage_days.used <> coalesce(credits.used, 0)
"""


def let_postgres_tell_time(settings: Settings) -> None:
    """Before the run: have the server of this installation keep its commits' times, and stop it again."""
    server = EmbeddedPostgres(settings)
    server.start()
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute("alter system set track_commit_timestamp = on")
    server.stop()


def watch(settings: Settings) -> None:
    """After the migrations, before the first message."""
    with psycopg.connect(EmbeddedPostgres(settings).admin_url(DATABASE)) as connection:
        connection.execute(_WATCH)


def moments(settings: Settings, ids: Mapping[str, int]) -> dict[int, Moments]:
    """By the number that each message carries."""
    with psycopg.connect(EmbeddedPostgres(settings).admin_url(DATABASE)) as connection:
        rows: list[tuple[str, datetime, datetime | None]] = connection.execute(_MOMENTS).fetchall()
    return {
        ids[message_id]: Moments(stored_at=stored_at, answered_at=answered_at)
        for message_id, stored_at, answered_at in rows
        if message_id in ids
    }


def miscounted(settings: Settings) -> tuple[str, ...]:
    """Which running count is not what stands in the rows that it counts, once all is quiet."""
    with psycopg.connect(EmbeddedPostgres(settings).admin_url(DATABASE)) as connection:
        return tuple(name for (name,) in connection.execute(_MISCOUNTED).fetchall())
