"""What Postgres itself knows of each message: when it was on disk, and when its answer was, by commit timestamps."""

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
