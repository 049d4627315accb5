"""An open inbox hears of everything it shows, and of nothing that happens in another business."""

import pytest
from sqlalchemy import text

from mychatflow.store import chat_marks
from tests.factories import NOON, a_contact, a_tenant

_MESSAGE = (
    "insert into interactions (tenant_id, contact_id, instance_id, id, occurred_at, direction, type, author, status)"
    " select tenant_id, id, instance_id, gen_random_uuid(), '2026-11-24 12:01+00', 'incoming', 'text', 'customer',"
    " 'received' from contacts where tenant_id = :t and id = :c"
)
_EPISODE = (
    "insert into episodes (tenant_id, contact_id, instance_id, id, start_reason, started_at, ingested_xid)"
    " select tenant_id, id, instance_id, gen_random_uuid(), 'initial', now(), pg_current_xact_id()"
    " from contacts where tenant_id = :t and id = :c"
)
_CHANGE_OF_HANDS = (
    "insert into ownership_history (tenant_id, id, contact_id, owner, reason, changed_at)"
    " values (:t, gen_random_uuid(), :c, 'human', 'takeover', now())"
)
# One after the other, on the chat that is open; which of the two parts of the page is told.
_CHANGES = {
    "a message": (_MESSAGE, {"chat"}),
    "it is delivered": ("update interactions set status = 'read' where tenant_id = :t and contact_id = :c", {"chat"}),
    "a reaction": ("update interactions set reactions = '[\"👍\"]' where tenant_id = :t and contact_id = :c", {"chat"}),
    "a takeover": ("update contacts set owner = 'human' where tenant_id = :t and id = :c", {"list", "chat"}),
    "who took it": (
        _CHANGE_OF_HANDS,
        {"chat"},
    ),
    "a conversation begins": (_EPISODE, {"list"}),
    "it ends": ("update episodes set closed_at = now() where tenant_id = :t and contact_id = :c", {"list"}),
    "somebody joins": (
        "insert into team_members (tenant_id, email, role) values (:t, 'ann@shop.test', 'agent')",
        {"list", "chat"},
    ),
    "their role changes": ("update team_members set role = 'viewer' where tenant_id = :t", {"list", "chat"}),
}


async def _marks(store, tenant, contact_id):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return await chat_marks.marks(transaction, tenant.tenant_id, contact_id=contact_id)


async def _happens(store, change, tenant, contact_id):
    async with store.platform_transaction() as transaction:
        await transaction.execute(text(change), {"t": tenant.tenant_id, "c": contact_id})


async def test_an_open_inbox_hears_of_all_that_it_shows(store):
    mine, theirs = await a_tenant(store), await a_tenant(store)
    chat, other = await a_contact(store, mine, last_message_at=NOON), await a_contact(store, theirs)

    heard = {}
    for what, (change, _) in _CHANGES.items():
        before = await _marks(store, mine, chat)
        await _happens(store, change, theirs, other)
        assert await _marks(store, mine, chat) == before, f"{what} elsewhere"
        await _happens(store, change, mine, chat)
        after = await _marks(store, mine, chat)
        heard[what] = {
            part for part in ("list", "chat") if getattr(after, f"of_{part}") != getattr(before, f"of_{part}")
        }

    assert heard == {what: told for what, (_, told) in _CHANGES.items()}


@pytest.mark.parametrize("opened", [True, False])
async def test_another_chats_message_is_told_to_the_list_alone(store, opened):
    tenant = await a_tenant(store)
    chat, other = [await a_contact(store, tenant, last_message_at=NOON) for _ in range(2)]
    contact_id = chat if opened else None
    before = await _marks(store, tenant, contact_id)

    await _happens(store, "update contacts set last_message_at = now() where tenant_id = :t and id = :c", tenant, other)

    after = await _marks(store, tenant, contact_id)
    assert after.of_list != before.of_list
    assert after.of_chat == before.of_chat
