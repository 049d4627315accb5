"""A large knowledge is found by meaning too, where the extension and a provider are there; else as before."""

from collections.abc import AsyncIterator
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text

from mychatflow.rules.activation import ActivationMode, ActivationSettings
from mychatflow.settings import Settings
from mychatflow.store.cipher import KeyRing
from mychatflow.store.session import Store
from realtime.agent import knowledge
from realtime.agent.ledger import Ledger
from realtime.agent.meanings import Meanings
from realtime.agent.tenants import Switches, Tenant
from realtime.engine.pool import engine_pool
from realtime.llm.budgets import Budgets
from realtime.llm.contract import Passage
from realtime.llm.embedding import Embedder
from realtime.llm.router import Router
from tests.factories import a_quick_reply, a_tenant
from tests.fakes.llm import FakeModels
from tests.realtime.llm.conftest import model_settings, models, router, served_models

__all__ = ["model_settings", "models", "router", "served_models"]
MODEL = "text-embedding-3-small"
FILLER = "Our studio keeps old vinyl records, plants and a parrot called Ringo. " * 10
QUESTION = "¿Cuánto tarda un reembolso?"


def meaning(said: str) -> list[float]:
    """Two directions: money given back, and everything else."""
    return [1.0, 0.1] if "refund" in said.lower() or "reembolso" in said.lower() else [0.0, 1.0]


@pytest.fixture
async def tenant(store: Store) -> Tenant:
    """One English passage about refunds among far too many about vinyl."""
    owner = await a_tenant(store)
    texts = [("Refunds", "Refunds take five days.")] + [(f"Vinyl {number}", FILLER) for number in range(25)]
    known = []
    for title, body in texts:
        passage_id = await a_quick_reply(store, owner, title=title, body=body)
        known.append(Passage(id=str(passage_id), title=title, body=body, language="en"))
    ring = KeyRing(b"m" * 32)
    return Tenant(
        tenant_id=owner.tenant_id,
        switches=Switches(),
        activation=ActivationSettings(mode=ActivationMode.ALWAYS_ON),
        cipher=ring.remember(owner.tenant_id, {1: ring.wrap_new_key(owner.tenant_id)}),
        knowledge=tuple(known),
        first_step=None,
    )


@pytest.fixture
async def meanings(store: Store, router: Router, models: FakeModels) -> AsyncIterator[Meanings]:
    models.meaning = meaning
    made = Meanings(store, Embedder(router.providers, MODEL))
    yield made
    models.meaning = None


async def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    async with store.platform_transaction() as transaction:
        return [tuple(row) for row in await transaction.execute(text(sql))]


async def embed_all(meanings: Meanings) -> None:
    while await meanings.embed_next():
        pass


async def test_a_question_in_another_language_finds_its_passage(tenant: Tenant, meanings: Meanings):
    await embed_all(meanings)
    ledger = Ledger()

    near = await meanings.near(tenant, QUESTION, ledger)

    by_letters = knowledge.for_question(tenant, QUESTION)
    fused = knowledge.for_question(tenant, QUESTION, near=near)
    assert "Refunds" not in [passage.title for passage in by_letters.found]
    assert fused.found[0].title == "Refunds"
    assert [(each.model, each.outcome, each.input_tokens > 0) for each in ledger.attempts] == [(MODEL, "ok", True)]


async def test_each_passage_is_embedded_and_paid_for_once(
    store: Store, tenant: Tenant, meanings: Meanings, models: FakeModels
):
    await embed_all(meanings)
    await embed_all(meanings)

    booked = await rows(
        store, "select model, outcome, input_tokens, is_estimated, cost_micro_usd > 0 from llm_attempts"
    )
    emitted = sum(-(-len(said.encode()) // 4) for said in models.embedded)
    assert len(models.embedded) == len(tenant.knowledge)
    assert booked == [(MODEL, "ok", emitted, False, True)]


@pytest.mark.usefixtures("meanings")
async def test_uploaded_knowledge_is_paid_from_the_tenants_money(
    fresh: Settings, store: Store, router: Router, tenant: Tenant, models: FakeModels
):
    await rows(store, "update settings set llm_daily_budget_usd = 0.000001 returning 1")
    async with engine_pool(fresh, name="test", size=2) as pool:
        poor = Meanings(store, Embedder(router.providers, MODEL, Budgets(pool=pool)))
        assert await poor.embed_next()
        assert await rows(store, "select count(*) from passage_vectors") == [(0,)]

        await rows(store, "update settings set llm_daily_budget_usd = 1 returning 1")
        await embed_all(Meanings(store, Embedder(router.providers, MODEL, Budgets(pool=pool))))

    assert await rows(store, "select count(*) from passage_vectors") == [(len(tenant.knowledge),)]
    paid = "select subject, spent_micro_usd = (select sum(cost_micro_usd) from llm_attempts) from llm_spending"
    assert await rows(store, paid) == [(f"tenant:{tenant.tenant_id}", True)]


async def test_a_passage_that_changed_is_embedded_anew(
    store: Store, tenant: Tenant, meanings: Meanings, models: FakeModels
):
    await embed_all(meanings)
    models.embedded.clear()
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text("update quick_replies set body = 'Refunds take ten days.' where title = 'Refunds'")
        )
        await transaction.execute(text("delete from quick_replies where title = 'Vinyl 7'"))
        await transaction.execute(text("update settings set knowledge_version = knowledge_version + 1"))

    await embed_all(meanings)

    assert models.embedded == ["Refunds\nRefunds take ten days."]
    assert await rows(store, "select count(*) from passage_vectors") == [(len(tenant.knowledge) - 1,)]


async def test_a_small_knowledge_asks_nobody(store: Store, tenant: Tenant, meanings: Meanings, models: FakeModels):
    small = replace(tenant, knowledge=tenant.knowledge[:2])

    assert await meanings.near(small, QUESTION, Ledger()) == ()
    assert models.embedded == []


async def test_a_silent_provider_leaves_the_letters(tenant: Tenant, meanings: Meanings, models: FakeModels):
    await embed_all(meanings)
    ledger = Ledger()
    models.meaning = None

    assert await meanings.near(tenant, QUESTION, ledger) == ()
    assert [attempt.outcome for attempt in ledger.attempts] == ["failed"]


async def test_without_the_extension_nothing_is_asked(
    store: Store, tenant: Tenant, meanings: Meanings, models: FakeModels, postgres, fresh
):
    with psycopg.connect(postgres.admin_url(fresh.database_name), autocommit=True) as admin:
        admin.execute("drop extension vector")

    await embed_all(meanings)

    assert await meanings.near(tenant, QUESTION, Ledger()) == ()
    assert models.embedded == []


async def test_without_a_model_everything_stays_as_it_was(store: Store, tenant: Tenant, router: Router):
    off = Meanings(store, Embedder(router.providers, None))

    assert await off.embed_next() is False
    assert await off.near(tenant, QUESTION, Ledger()) == ()
    assert knowledge.for_question(tenant, QUESTION, near=()) == knowledge.for_question(tenant, QUESTION)
