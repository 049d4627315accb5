"""A Postgres that ends what was begun is told to the caller as being away, however it words it."""

import psycopg

from tests.realtime.api.conftest import bearer, served


async def test_a_transaction_that_postgres_ends_is_to_be_tried_again(fresh, shop, postgres, redis_client):
    assert await redis_client.ping()
    with psycopg.connect(postgres.admin_url(fresh.database_name)) as holder:
        # Whoever waits longer than that is ended by an error which the driver calls an internal one.
        holder.execute(f"alter database {fresh.database_name} set transaction_timeout = '700ms'")
        holder.commit()
        holder.execute("set transaction_timeout = 0")
        holder.commit()
        holder.execute("lock table contacts in access exclusive mode")

        async with served(fresh) as client:
            answer = await client.get("/contacts", headers=bearer(shop.key))

    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"
    assert answer.headers["retry-after"] == "2"
