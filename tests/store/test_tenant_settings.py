"""Which settings may be changed, to what, and that nothing else changes."""

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from mychatflow.store import tenant_settings
from mychatflow.store.tenant_settings import KEYS, SettingsChange, SettingsRefused
from tests.factories import a_tenant


async def test_only_given_keys_change(store):
    tenant = await a_tenant(store, away_message="Back soon")

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        before = await tenant_settings.read(transaction, tenant.tenant_id)
        wanted = SettingsChange(timezone="Europe/Madrid", supported_languages=("es", "en"), default_language="es")
        after = await tenant_settings.change(transaction, tenant.tenant_id, wanted)

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


async def test_empty_texts_can_be_cleared(store):
    tenant = await a_tenant(store, away_message="Back soon")

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        after = await tenant_settings.change(transaction, tenant.tenant_id, SettingsChange(away_message=None))

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
async def test_contradictions_change_nothing(store, given, field):
    tenant = await a_tenant(store)

    with pytest.raises(SettingsRefused) as refused:
        async with store.tenant_transaction(tenant.tenant_id) as transaction:
            await tenant_settings.change(transaction, tenant.tenant_id, SettingsChange(**given))

    assert refused.value.field == field
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        assert (await tenant_settings.read(transaction, tenant.tenant_id))["default_language"] == "en"


async def test_another_tenants_settings_are_not_there(store):
    mine, theirs = await a_tenant(store), await a_tenant(store)

    async with store.tenant_transaction(mine.tenant_id) as transaction:
        assert await tenant_settings.change(transaction, theirs.tenant_id, SettingsChange(industry="x")) is None
