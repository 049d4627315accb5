"""What the pages read from the operational store: the right rows, of the right tenant, in the right order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text

from mychatflow.store import chats, contacts, operations, viewers
from mychatflow.store.contacts import ChatFilter
from mychatflow.store.session import Store
from tests.factories import a_contact, a_tenant

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def a_message(
    store: Store, tenant_id: UUID, contact_id: UUID, instance_id: UUID, words: str, *, at: datetime
) -> UUID:
    row_id = uuid4()
    async with store.platform_transaction() as transaction:
        cipher = await store.key_ring.for_tenant(tenant_id, transaction)
        await transaction.execute(
            text(
                "insert into interactions"
                " (tenant_id, id, occurred_at, contact_id, instance_id, direction, author, content, status)"
                " values (:tenant, :id, :at, :contact, :instance, 'incoming', 'customer', :content, 'received')"
            ),
            {
                "tenant": tenant_id,
                "id": row_id,
                "at": at,
                "contact": contact_id,
                "instance": instance_id,
                "content": cipher.encrypt(words, row_id=row_id),
            },
        )
    return row_id


async def an_inbox_row(
    store: Store, tenant_id: UUID, instance_id: UUID, *, received_at: datetime, done_at: datetime | None = None
) -> None:
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at,"
                " received_at, body, state, done_at)"
                " values (:tenant, :instance, 's', :id, 'message', 'message', 'c', :at, :at, 'x', :state, :done)"
            ),
            {
                "tenant": tenant_id,
                "instance": instance_id,
                "id": uuid4().hex,
                "at": received_at,
                "state": "done" if done_at else "open",
                "done": done_at,
            },
        )


async def test_contacts_are_found_by_name_and_number(store: Store) -> None:
    tenant = await a_tenant(store)
    ana = await a_contact(store, tenant, name="Ana 100%", phone="+34 611 222 333", last_message_at=NOON)
    bob = await a_contact(store, tenant, name="Bob", phone="+1 555 0100", last_message_at=NOON - timedelta(hours=1))

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        every = await contacts.page(transaction, tenant.tenant_id)
        by_name = await contacts.page(transaction, tenant.tenant_id, search="100%")
        by_number = await contacts.page(transaction, tenant.tenant_id, search="555-01")

    assert [contact.contact_id for contact in every] == [ana, bob]
    assert [contact.contact_id for contact in by_name] == [ana]
    assert [contact.contact_id for contact in by_number] == [bob]


async def test_pages_of_contacts_follow_without_gap(store: Store) -> None:
    tenant = await a_tenant(store)
    written = {await a_contact(store, tenant, last_message_at=NOON) for _ in range(5)}

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        first = await contacts.page(transaction, tenant.tenant_id, limit=3)
        second = await contacts.page(transaction, tenant.tenant_id, limit=3, before=first[-1])

    assert {contact.contact_id for contact in (*first, *second)} == written
    assert len(first) == 3


async def test_who_waits_is_told_as_the_filter_finds_it(store: Store) -> None:
    tenant = await a_tenant(store)
    waiting, answered, over = [await a_contact(store, tenant, last_message_at=NOON) for _ in range(3)]
    async with store.platform_transaction() as transaction:
        for contact_id, is_waiting, closed_at in ((waiting, True, None), (answered, False, None), (over, True, NOON)):
            await transaction.execute(
                text(
                    "insert into episodes"
                    " (tenant_id, contact_id, instance_id, start_reason, is_waiting, started_at, closed_at, outcome)"
                    " values (:tenant, :contact, :instance, 'initial', :waiting, :at, :closed, :outcome)"
                ),
                {
                    "tenant": tenant.tenant_id,
                    "contact": contact_id,
                    "instance": tenant.instance_id,
                    "waiting": is_waiting,
                    "at": NOON,
                    "closed": closed_at,
                    "outcome": "abandoned" if closed_at else "open",
                },
            )

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        every = await contacts.page(transaction, tenant.tenant_id)
        found = await contacts.page(transaction, tenant.tenant_id, where=ChatFilter(is_waiting=True))

    assert {contact.contact_id for contact in every if contact.is_waiting} == {waiting}
    assert [contact.contact_id for contact in found] == [waiting]
    assert {contact.contact_id for contact in every} == {waiting, answered, over}


async def test_one_tenant_never_reads_anothers_people(store: Store) -> None:
    mine, theirs = await a_tenant(store), await a_tenant(store)
    stranger = await a_contact(store, theirs, last_message_at=NOON)

    async with store.tenant_transaction(mine.tenant_id) as transaction:
        assert await contacts.page(transaction, mine.tenant_id) == []
        assert await contacts.by_ids(transaction, mine.tenant_id, [stranger]) == []
        assert await contacts.by_ids(transaction, theirs.tenant_id, [stranger]) == []


async def test_a_chat_opens_oldest_first(store: Store) -> None:
    tenant = await a_tenant(store)
    contact = await a_contact(store, tenant)
    for minute, words in enumerate(("one", "two", "three")):
        at = NOON + timedelta(minutes=minute)
        await a_message(store, tenant.tenant_id, contact, tenant.instance_id, words, at=at)

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        newest_two = await chats.of_contact(transaction, tenant.tenant_id, contact, cipher=cipher, limit=2)
        last = await chats.last_of_each(transaction, tenant.tenant_id, [contact], cipher=cipher)

    assert [message.text for message in newest_two] == ["two", "three"]
    assert last[contact].text == "three"


async def test_one_damaged_message_hides_no_other(store: Store) -> None:
    tenant = await a_tenant(store)
    contact = await a_contact(store, tenant)
    damaged = await a_message(store, tenant.tenant_id, contact, tenant.instance_id, "lost", at=NOON)
    await a_message(store, tenant.tenant_id, contact, tenant.instance_id, "kept", at=NOON + timedelta(minutes=1))
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update interactions set content = 'broken' where id = :id"), {"id": damaged})

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        messages = await chats.of_contact(transaction, tenant.tenant_id, contact, cipher=cipher)

    assert [message.text for message in messages] == [None, "kept"]


async def test_the_queue_counts_what_waits(store: Store) -> None:
    tenant = await a_tenant(store)
    await an_inbox_row(store, tenant.tenant_id, tenant.instance_id, received_at=NOON)
    await an_inbox_row(
        store, tenant.tenant_id, tenant.instance_id, received_at=NOON, done_at=NOON + timedelta(seconds=9)
    )

    async with store.platform_transaction() as transaction:
        queue = await operations.queue(transaction)
        since, until = NOON - timedelta(minutes=2), NOON + timedelta(minutes=2)
        minutes = await operations.minutes(transaction, since=since, until=until)
        waits = await operations.waits(transaction, since=since, until=until)

    assert (queue.waiting_count, queue.oldest_received_at) == (1, NOON)
    assert [minute.message_count for minute in minutes] == [0, 0, 2, 0, 0]
    assert [minute.waiting_count for minute in minutes] == [0, 0, 2, 1, 1]
    assert waits[0].message_count == 2
    assert waits[0].p95_seconds > 9


async def test_an_older_backlog_counts_from_the_start(store: Store) -> None:
    tenant = await a_tenant(store)
    await an_inbox_row(store, tenant.tenant_id, tenant.instance_id, received_at=NOON - timedelta(hours=9))

    async with store.platform_transaction() as transaction:
        minutes = await operations.minutes(transaction, since=NOON, until=NOON + timedelta(minutes=1))

    assert [minute.waiting_count for minute in minutes] == [1, 1]
    assert [minute.message_count for minute in minutes] == [0, 0]


async def test_a_member_sees_their_workspaces_alone(store: Store) -> None:
    mine, gone, theirs = await a_tenant(store), await a_tenant(store), await a_tenant(store)
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into users (id, clerk_user_id, email)"
                " values ('00000000-0000-4000-8000-000000000001', 'user_1', 'a@b.c')"
            )
        )
        for tenant, removed_at in ((mine, None), (gone, NOON)):
            await transaction.execute(
                text(
                    "insert into team_members (tenant_id, user_id, email, role, removed_at)"
                    " values (:tenant, '00000000-0000-4000-8000-000000000001', 'a@b.c', 'agent', :removed_at)"
                ),
                {"tenant": tenant.tenant_id, "removed_at": removed_at},
            )

        found = await viewers.of_subject(transaction, "user_1")
        every = await viewers.all_workspaces(transaction)
        nobody = await viewers.of_subject(transaction, "user_2")

    assert [(workspace.tenant_id, workspace.role) for workspace in found] == [(mine.tenant_id, "agent")]
    assert {workspace.tenant_id for workspace in every} == {mine.tenant_id, gone.tenant_id, theirs.tenant_id}
    assert nobody == []
    assert not found[0].is_platform_staff
