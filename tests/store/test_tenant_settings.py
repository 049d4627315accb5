"""Which settings may be changed, to what, and that nothing else changes."""

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from mychatflow.rules import model_prices
from mychatflow.store import provider_keys, tenant_settings
from mychatflow.store.tenant_settings import KEYS, SettingsChange, SettingsRefused, UnknownModel
from tests.factories import a_tenant


async def test_only_given_keys_change(store, fresh):
    tenant = await a_tenant(store, away_message="Back soon")

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        before = await tenant_settings.read(transaction, tenant.tenant_id)
        wanted = SettingsChange(timezone="Europe/Madrid", supported_languages=("es", "en"), default_language="es")
        after = await tenant_settings.change(transaction, tenant.tenant_id, wanted, house=fresh)

    changed = {name for name in KEYS if before[name] != after[name]}
    assert changed == {"timezone", "supported_languages", "default_language"}


async def test_every_column_of_settings_can_be_changed(store):
    async with store.platform_transaction() as transaction:
        found = await transaction.execute(
            text("select column_name from information_schema.columns where table_name = 'settings'")
        )
        columns = set(found.scalars())

    machines = {"tenant_id", "knowledge_version", "embedded_as", "created_at", "updated_at"}
    assert columns - set(KEYS) == machines


async def test_defaults_are_the_databases(store):
    tenant = await a_tenant(store, debounce_ms=500, reply_rate_per_contact_hour=20, loop_guard_enabled=True)

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        stored = await tenant_settings.read(transaction, tenant.tenant_id)

    written = SettingsChange.model_validate(
        {name: field.default for name, field in SettingsChange.model_fields.items()}
    )
    assert stored == {name: list(value) if isinstance(value, tuple) else value for name, value in written}


async def test_empty_texts_can_be_cleared(store, fresh):
    tenant = await a_tenant(store, away_message="Back soon")

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        after = await tenant_settings.change(
            transaction, tenant.tenant_id, SettingsChange(away_message=None), house=fresh
        )

    assert after["away_message"] is None


@pytest.mark.parametrize(
    "given",
    [
        {"credits": 1_000_000},
        {"tenant_id": "x"},
        {"ai_temperature": float("nan")},
        {"ai_temperature": 2.1},
        {"ai_max_tokens": 0},
        {"ai_max_tokens": 10**9},
        {"timezone": "Mars/X"},
        {"timezone": "../../etc/passwd"},
        {"timezone": None},
        {"business_hours": {"mon": [["25:00", "26:00"]]}},
        {"business_hours": {"someday": []}},
        {"business_hours_exceptions": {"not a date": []}},
        {"activation_keywords": [""]},
        {"activation_keywords": [" "]},
        {"activation_keywords": ["\u200b"]},
        {"activation_keywords": ["x"] * 10_000},
        {"supported_languages": []},
        {"default_language": "english"},
        {"agent_activation_mode": "sometimes"},
        {"primary_llm_provider": "nobody"},
        {"primary_llm_model": "x y"},
        {"retention_days_messages": 0},
        {"llm_timeout_ms": 10},
    ],
)
def test_impossible_values_are_refused(given):
    with pytest.raises(ValidationError):
        SettingsChange(**given)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"default_language": "fr"}, "default_language"),
        ({"llm_total_timeout_ms": 100}, "llm_total_timeout_ms"),
        ({"fallback_llm_model": "gpt-5.4-mini"}, "fallback_llm_provider"),
    ],
)
async def test_contradictions_change_nothing(store, fresh, given, field):
    tenant = await a_tenant(store)

    with pytest.raises(SettingsRefused) as refused:
        async with store.tenant_transaction(tenant.tenant_id) as transaction:
            await tenant_settings.change(transaction, tenant.tenant_id, SettingsChange(**given), house=fresh)

    assert refused.value.field == field
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        assert (await tenant_settings.read(transaction, tenant.tenant_id))["default_language"] == "en"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"primary_llm_provider": "openai", "primary_llm_model": "gpt-5.4-mimi"}, "primary_llm_model"),
        ({"primary_llm_provider": "anthropic", "primary_llm_model": "gpt-5.4-mini"}, "primary_llm_model"),
        ({"fallback_llm_provider": "openai", "fallback_llm_model": "text-embedding-3-small"}, "fallback_llm_model"),
        ({"fallback_llm_provider": "openai", "fallback_llm_model": "otherwise"}, "fallback_llm_model"),
    ],
)
async def test_a_model_that_nobody_knows_is_refused_unless_its_address_or_key_is_ones_own(store, fresh, given, field):
    tenant = await a_tenant(store)
    provider = given[field.replace("model", "provider")]
    elsewhere = fresh.model_copy(update={f"{provider}_base_url": "http://127.0.0.1:9/v1"})

    async def change(house):
        async with store.tenant_transaction(tenant.tenant_id) as transaction:
            return await tenant_settings.change(transaction, tenant.tenant_id, SettingsChange(**given), house=house)

    with pytest.raises(UnknownModel) as refused:
        await change(fresh)
    assert refused.value.field == field
    assert all(name in refused.value.fault for name in (given[field], *model_prices.names(provider)))
    assert (await change(elsewhere))[field] == given[field]

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        await provider_keys.put(transaction, tenant.tenant_id, provider, "sk-of-our-own", cipher=cipher)
    assert (await change(fresh))[field] == given[field]


async def test_a_model_that_was_retired_bars_no_other_change(store, fresh):
    tenant = await a_tenant(store, primary_llm_provider="openai", primary_llm_model="gpt-3")

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        after = await tenant_settings.change(
            transaction, tenant.tenant_id, SettingsChange(industry="Dentist"), house=fresh
        )

    assert (after["industry"], after["primary_llm_model"]) == ("Dentist", "gpt-3")


async def test_another_tenants_settings_are_not_there(store, fresh):
    mine, theirs = await a_tenant(store), await a_tenant(store)

    async with store.tenant_transaction(mine.tenant_id) as transaction:
        wanted = SettingsChange(industry="x")
        assert await tenant_settings.change(transaction, theirs.tenant_id, wanted, house=fresh) is None
