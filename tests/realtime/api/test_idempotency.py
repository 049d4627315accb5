"""An Idempotency-Key holds where a process dies, is stopped for a while, or loses its database on the way."""

import asyncio

import psycopg

from mychatflow.local.postgres import EmbeddedPostgres
from tests.journeys.conftest import until
from tests.realtime.api.conftest import bearer, served
from tests.realtime.api.test_gateway_down import unreachable

BODY = {"title": "t", "body": "b"}
AGED = "update idempotency_keys set created_at = created_at - interval '11 minutes' returning id"
# The last step of a request fails: its action is committed, and its answer is kept by nobody.
ANSWER_IS_LOST = """
create function lose() returns trigger language plpgsql as $$ begin raise exception 'lost'; end $$;
create trigger lost before update on idempotency_keys for each row
when (new.response is not null) execute function lose()
"""


def _admin(fresh, postgres: EmbeddedPostgres) -> psycopg.Connection:
    return psycopg.connect(postgres.admin_url(fresh.database_name), autocommit=True)


async def test_a_post_that_stands_still_for_ten_minutes_is_not_done_beside_its_repetition(api, fresh, postgres, rows):
    headers = {"idempotency-key": "slow"}
    with _admin(fresh, postgres) as admin:
        with admin.transaction():
            admin.execute("lock table quick_replies in share mode")
            first = asyncio.create_task(api.post("/quick-replies", json=BODY, headers=headers))
            await until(lambda: bool(rows("select 1 from idempotency_keys")))
            with _admin(fresh, postgres) as beside:
                assert beside.execute(AGED).fetchall() == [("slow",)]
            again = asyncio.create_task(api.post("/quick-replies", json=BODY, headers=headers))
            await until(
                lambda: bool(rows("select 1 from idempotency_keys where created_at > now() - interval '1 minute'"))
            )

        late, done = await asyncio.gather(first, again)

    assert (late.status_code, late.json()["code"]) == (409, "still_running")
    assert done.status_code == 201
    assert len(rows("select 1 from quick_replies where title = 't'")) == 1
    assert len(rows("select 1 from audit_log where action = 'quick_reply.created'")) == 1
    # The late one took nothing of the other's away.
    assert (await api.post("/quick-replies", json=BODY, headers=headers)).json() == done.json()


async def test_what_was_done_before_its_answer_was_lost_is_not_done_again(api, fresh, postgres, rows):
    headers = {"idempotency-key": "lost"}
    with _admin(fresh, postgres) as admin:
        admin.execute(ANSWER_IS_LOST)
        first = await api.post("/quick-replies", json=BODY, headers=headers)
        soon = await api.post("/quick-replies", json=BODY, headers=headers)
        admin.execute(AGED)
        later = await api.post("/quick-replies", json=BODY, headers=headers)

    assert first.status_code >= 500
    assert (soon.status_code, soon.json()["code"]) == (409, "still_running")
    assert (later.status_code, later.json()["code"]) == (409, "answer_lost")
    assert len(rows("select 1 from quick_replies where title = 't'")) == 1


async def test_what_died_before_it_was_done_is_done_by_its_repetition(api, fresh, postgres, rows):
    headers = {"idempotency-key": "died"}
    assert (await api.post("/quick-replies", json=BODY, headers=headers)).status_code == 201
    with _admin(fresh, postgres) as admin:
        # As a process leaves it that dies before its commit.
        admin.execute("delete from quick_replies where title = 't'")
        admin.execute("update idempotency_keys set status = null, response = null")
        soon = await api.post("/quick-replies", json=BODY, headers=headers)
        admin.execute(AGED)
        later = await api.post("/quick-replies", json=BODY, headers=headers)

    assert soon.status_code == 409
    assert later.status_code == 201
    assert "idempotency-replayed" not in later.headers
    assert len(rows("select 1 from quick_replies where title = 't'")) == 1


async def test_what_is_refused_after_it_was_put_on_record_may_be_tried_again(fresh, shop, redis_client):
    assert await redis_client.ping()
    headers = bearer(shop.key) | {"idempotency-key": "stop"}
    async with served(unreachable(fresh)) as client:
        answers = [await client.post(f"/instances/{shop.tenant.instance_id}/stop", headers=headers) for _ in range(2)]

    assert [answer.json()["code"] for answer in answers] == ["gateway_unreachable"] * 2
