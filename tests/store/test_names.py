"""Whatever a list tells of is called by its name, and nobody is told a name of somebody else's."""

from uuid import UUID

from mychatflow.store import names
from tests.realtime.api.conftest import Shop, a_shop

CALLED = {
    "key_id": "owner",
    "campaign_id": "Offer",
    "sequence_id": "Silence",
    "run_id": "Silence",
    "segment_id": "All",
    "service_id": "Haircut",
    "appointment_id": "Haircut",
    "resource_id": "Chair",
    "quick_reply_id": "Price",
    "document_id": "Page",
}
# Named by what differs from one tenant of the tests to the next.
DIFFERS = {"instance_id", "member_id", "endpoint_id"}


def ids_of(shop: Shop) -> dict[str, UUID]:
    return {name: each for name, each in shop.ids.items() if isinstance(each, UUID)} | {
        "tenant_id": shop.tenant.tenant_id
    }


async def test_a_tenants_things_are_called_by_their_names(store):
    mine, theirs = await a_shop(store), await a_shop(store)
    asked = ids_of(mine)

    async with store.tenant_transaction(mine.tenant.tenant_id) as transaction:
        found = await names.of(transaction, mine.tenant.tenant_id, [*asked.values(), *ids_of(theirs).values()])
        of_another = await names.of(transaction, theirs.tenant.tenant_id, list(ids_of(theirs).values()))
        of_nothing = await names.of(transaction, mine.tenant.tenant_id, [])

    assert set(found) == {asked[name] for name in {*CALLED, *DIFFERS, "tenant_id"}}
    assert {name: found[asked[name]] for name in CALLED} == CALLED
    assert "@" in found[asked["member_id"]]
    assert (of_another, of_nothing) == ({}, {})
