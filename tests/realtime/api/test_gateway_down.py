"""A gateway that does not answer is said to be just that."""

from pydantic import SecretStr

from mychatflow.settings import Settings
from tests.realtime.api.conftest import bearer, served


def unreachable(settings: Settings) -> Settings:
    return settings.model_copy(update={"waha_base_url": "http://127.0.0.1:9", "waha_api_key": SecretStr("k")})


async def test_an_absent_gateway_is_named(fresh, shop, redis_client):
    assert await redis_client.ping()

    async with served(unreachable(fresh)) as client:
        answer = await client.post(f"/instances/{shop.tenant.instance_id}/start", headers=bearer(shop.key))

    assert answer.status_code == 503
    assert answer.json()["code"] == "gateway_unreachable"
    assert "127.0.0.1" not in answer.text
