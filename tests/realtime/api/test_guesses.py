"""Who tries API keys is soon told to wait, and whoever has one goes on meanwhile."""

from realtime.api.guesses import Guesses
from realtime.webhooks.rate_limit import Rate, RateLimiter
from tests.realtime.api.conftest import bearer, served
from tests.realtime.api.possessions import a_key


async def test_wrong_keys_are_looked_up_only_so_often(fresh, shop, store, redis_client):
    assert await redis_client.ping()
    _, late = await a_key(store, shop.tenant)
    async with served(fresh.model_copy(update={"webhook_unsigned_rate": "3/minute"})) as client:

        async def asked(key: str) -> tuple[int, str]:
            answer = await client.get("/contacts", headers=bearer(key))
            return answer.status_code, answer.headers.get("retry-after", "")

        assert (await asked(shop.key))[0] == 200
        # The fourth is one too many, and the next are not looked up any more.
        assert [(await asked(f"mcf_guess{number}"))[0] for number in range(6)] == [401] * 4 + [429] * 2

        status, wait = await asked(late)
        # What slides out of a window does so in the next one.
        assert (status, 0 < int(wait) <= 120) == (429, True)
        assert (await asked(shop.key))[0] == 200


async def test_a_known_key_that_ends_is_a_guess_like_any_other(redis_client):
    guesses = Guesses(RateLimiter(redis_client), Rate(limit=1, window_ms=60_000))
    guesses.was_right("mcf_mine")
    for key in ("mcf_a", "mcf_b"):
        await guesses.was_wrong("192.0.2.1", key)
    assert (guesses.seconds_left("192.0.2.1", "mcf_mine"), guesses.seconds_left("192.0.2.2", "mcf_c")) == (0, 0)

    await guesses.was_wrong("192.0.2.1", "mcf_mine")

    assert guesses.seconds_left("192.0.2.1", "mcf_mine") > 0
