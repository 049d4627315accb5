"""What a benchmark says of statements and round trips is what the server's log says."""

from benchmarks.statements import Asked, count

LOG = """\
11|3/7|mychatflow_engine|LOG:  execute _pg3_1: select set_config('synchronous_commit', 'off', true)
11|3/7|mychatflow_engine|LOG:  execute _pg3_2: -- Takes chats that are due and free.
\twith mine as (
11|3/7|mychatflow_engine|LOG:  execute _pg3_3: -- How long until the next free chat is due.
12|4/1|mychatflow_app|LOG:  statement: BEGIN
12|4/1|mychatflow_app|LOG:  execute _pg3_0: select 1
12|4/1|mychatflow_app|LOG:  statement: COMMIT
12|4/2|mychatflow_app|LOG:  statement: select 2
12|4/2|mychatflow_app|ERROR:  canceling statement due to user request
13|5/1|postgres|LOG:  statement: select pg_reload_conf()
"""


def test_a_pipeline_is_one_round_trip_and_a_block_is_many():
    asked = Asked()

    count(LOG.splitlines(keepends=True), asked)

    assert asked == Asked(statements=7, round_trips=5)
