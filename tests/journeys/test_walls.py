"""No model ever reads of two businesses at once, and a customer of both is two people."""

from sqlalchemy import text

from mychatflow.store import contact_book
from tests.factories import Tenant, a_quick_reply
from tests.journeys.conftest import House

CANARIES = ("zirconia", "obsidian")


async def a_business_of(house: House, canary: str) -> Tenant:
    """Whose every text that may reach a prompt holds the canary."""
    tenant = await house.a_business(
        business_name=f"{canary} shop",
        business_description=f"We sell {canary} rings.",
        banned_words=[f"cheap {canary}"],
    )
    await a_quick_reply(house.store, tenant, title="Price", body=f"A {canary} ring costs 20 euros.")
    return tenant


async def noted(house: House, tenant: Tenant, chat: str, canary: str) -> None:
    contact = house.contact(tenant, chat)
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await house.store.key_ring.for_tenant(tenant.tenant_id, transaction)
        await contact_book.set_notes(transaction, tenant.tenant_id, contact["id"], f"loves {canary}", cipher=cipher)
        await transaction.execute(
            text("update contacts set name = :name where id = :id"),
            {"name": f"{canary} fan", "id": contact["id"]},
        )


async def test_no_prompt_holds_another_businesss_words(house: House):
    shops = [await a_business_of(house, canary) for canary in CANARIES]
    shared = house.a_customer()

    for number in range(2):
        for shop, canary in zip(shops, CANARIES, strict=True):
            house.write(shop, shared, f"What does a {canary} ring cost, please? ({number})")
        for shop, canary in zip(shops, CANARIES, strict=True):
            await house.quiet(shop)
            if number == 0:
                await noted(house, shop, shared, canary)

    read = [str(call.body) for call in house.models.calls()]
    assert [body for body in read if all(canary in body for canary in CANARIES)] == []
    # Each was asked about, with its own words.
    for canary in CANARIES:
        assert sum(canary in body for body in read) >= 2
    for shop, other in zip(shops, reversed(CANARIES), strict=True):
        assert not [words for words in house.texts(shop, shared) if other in words]
    people = house.rows("select tenant_id from contacts where wa_id = %(w)s", w=shared)
    assert {row["tenant_id"] for row in people} == {shop.tenant_id for shop in shops}
