"""Grades of answers: one each, drawn evenly over languages, and nobody else's."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import text

from mychatflow.rules.answer_quality import Reason, Verdict
from mychatflow.store import answer_grades
from mychatflow.store.session import Store
from tests.factories import NOON, Tenant, a_contact, a_tenant

SINCE, UNTIL = NOON - timedelta(days=28), NOON + timedelta(days=1)


async def an_answer(store: Store, tenant: Tenant, contact_id: UUID, *, language: str, author: str = "agent") -> UUID:
    row_id = uuid4()
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into interactions (tenant_id, id, occurred_at, contact_id, instance_id, direction, author,"
                " content, status, language)"
                " values (:tenant, :id, :at, :contact, :instance, 'outgoing', :author, 'x', 'sent', :language)"
            ),
            {
                "tenant": tenant.tenant_id,
                "id": row_id,
                "at": NOON,
                "contact": contact_id,
                "instance": tenant.instance_id,
                "author": author,
                "language": language,
            },
        )
    return row_id


async def graded(store: Store, tenant: Tenant, interaction_id: UUID, verdict: Verdict = Verdict.GOOD) -> bool:
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return await answer_grades.grade(
            transaction,
            tenant.tenant_id,
            interaction_id,
            verdict=verdict,
            reason=None if verdict == Verdict.GOOD else Reason.WRONG_FACT,
            at=NOON,
            member_id=None,
        )


async def following(store: Store, tenant: Tenant) -> answer_grades.Answer | None:
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return await answer_grades.next_answer(transaction, tenant.tenant_id, since=SINCE, until=UNTIL)


async def test_a_rare_language_is_asked_as_often_as_a_common_one(store: Store) -> None:
    tenant = await a_tenant(store)
    contact = await a_contact(store, tenant)
    for language in ("en",) * 12 + ("ar",) * 3:
        await an_answer(store, tenant, contact, language=language)

    asked = []
    for _ in range(6):
        answer = await following(store, tenant)
        assert answer is not None
        asked.append(answer.language)
        assert await graded(store, tenant, answer.interaction_id)

    assert sorted(asked) == ["ar", "ar", "ar", "en", "en", "en"]


async def test_an_answer_is_graded_once(store: Store) -> None:
    tenant = await a_tenant(store)
    answer = await an_answer(store, tenant, await a_contact(store, tenant), language="en")

    assert await graded(store, tenant, answer, Verdict.BAD)
    assert not await graded(store, tenant, answer, Verdict.GOOD)

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        (counts,) = await answer_grades.by_language(transaction, tenant.tenant_id, since=SINCE, until=UNTIL)
        why = await answer_grades.reasons(transaction, tenant.tenant_id, since=SINCE, until=UNTIL)
    assert (counts.answer_count, counts.graded_count, counts.good_count) == (1, 1, 0)
    assert why == [{"verdict": "bad", "reason": "wrong_fact", "answer_count": 1}]
    assert await following(store, tenant) is None


async def test_a_colleagues_answer_is_not_the_agents(store: Store) -> None:
    tenant = await a_tenant(store)
    theirs = await an_answer(store, tenant, await a_contact(store, tenant), language="en", author="human")

    assert await following(store, tenant) is None
    assert not await graded(store, tenant, theirs)


async def test_nobody_grades_another_tenants_answer(store: Store) -> None:
    mine, theirs = await a_tenant(store), await a_tenant(store)
    answer = await an_answer(store, theirs, await a_contact(store, theirs), language="en")

    assert not await graded(store, mine, answer)
    assert await following(store, mine) is None
