"""Every switch of a tenant's agent: what may be changed, to what, and the one statement that changes it."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import business_hours, keywords, model_prices
from mychatflow.rules.activation import ActivationMode
from mychatflow.rules.business_hours import InvalidHours
from mychatflow.settings import Settings
from mychatflow.store import provider_keys

_MOST_KEYWORDS = 200


class SettingsRefused(Exception):
    """The change alone is well-formed, but not together with what is stored; `field` names where."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault


class UnknownModel(SettingsRefused):
    """A model without a price of ours, to be paid with a key of ours."""

    def __init__(self, role: str, provider: str, model: str) -> None:
        known = ", ".join(model_prices.names(provider))
        super().__init__(
            f"{role}_llm_model",
            f"{model} is no model of {provider} that is known here ({known}); any other takes your own {provider} key",
        )


def _known_zone(value: str) -> str:
    try:
        business_hours.zone(value)
    except InvalidHours as invalid:
        raise ValueError(invalid.fault) from invalid
    return value


def _followable(value: dict[str, Any]) -> dict[str, Any]:
    try:
        business_hours.parse(value)
    except InvalidHours as invalid:
        raise ValueError(str(invalid)) from invalid
    return value


def _followable_exceptions(value: dict[str, Any]) -> dict[str, Any]:
    try:
        business_hours.parse_exceptions(value)
    except InvalidHours as invalid:
        raise ValueError(str(invalid)) from invalid
    return value


def _usable(value: tuple[str, ...]) -> tuple[str, ...]:
    for keyword in value:
        if not keywords.is_usable(keyword):
            raise ValueError(f"{keyword!r} holds nothing that a message could match")
    return value


Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Provider = Literal["openai", "gemini", "anthropic"]
_Keyword = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Keywords = Annotated[tuple[_Keyword, ...], Field(max_length=_MOST_KEYWORDS), AfterValidator(_usable)]
_ReminderMinutes = Annotated[int, Field(ge=15, le=20_160)]
_Model = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")]
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Text = Annotated[str, StringConstraints(max_length=4_000)]
_Message = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class SettingsChange(BaseModel):
    """Any subset of a tenant's settings; a key that is not here is refused, and only keys that were given change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    auto_reply_enabled: bool = True
    agent_activation_mode: ActivationMode = ActivationMode.ALWAYS_ON
    activation_keywords: _Keywords = ()
    business_name: _Line | None = None
    industry: _Line = "general"
    business_description: _Text | None = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    business_hours: Annotated[dict[str, Any], AfterValidator(_followable)] = {}
    business_hours_exceptions: Annotated[dict[str, Any], AfterValidator(_followable_exceptions)] = {}
    multi_language_enabled: bool = True
    default_language: Language = "en"
    supported_languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=30)] = ("en",)
    away_message: _Message | None = None
    fallback_message: _Message | None = None
    handoff_message: _Message | None = None
    handoff_enabled: bool = True
    handoff_keywords: _Keywords = ()
    banned_words: _Keywords = ()
    llm_preset: Literal["fast", "quality", "vision"] = "fast"
    primary_llm_provider: Provider | None = None
    primary_llm_model: _Model | None = None
    fallback_llm_provider: Provider | None = None
    fallback_llm_model: _Model | None = None
    ai_temperature: float = Field(0.4, ge=0, le=2)
    ai_max_tokens: int = Field(400, ge=1, le=8192)
    llm_timeout_ms: int = Field(8_000, ge=100, le=60_000)
    llm_total_timeout_ms: int = Field(14_000, ge=100, le=120_000)
    hedging_enabled: bool = True
    llm_daily_budget_usd: float | None = Field(None, ge=0, le=1_000_000)
    debounce_ms: int = Field(500, ge=0, le=10_000)
    session_hours: int = Field(24, ge=0, le=720)
    freshness_minutes: int = Field(10, ge=1, le=1_440)
    reply_rate_per_contact_hour: int = Field(20, ge=0, le=10_000)
    loop_guard_enabled: bool = True
    human_pause_minutes: int = Field(120, ge=1, le=43_200)
    reply_saves_minutes: float = Field(2, ge=0, le=120)
    typing_indicator_enabled: bool = True
    reply_split_enabled: bool = False
    follow_up_enabled: bool = True
    lead_scoring_enabled: bool = True
    appointment_booking_enabled: bool = False
    appointment_reminder_minutes: Annotated[tuple[_ReminderMinutes, ...], Field(max_length=5)] = (1_440, 120)
    retention_days_messages: int | None = Field(None, ge=1, le=36_500)
    retention_days_events: int | None = Field(None, ge=1, le=36_500)
    retention_days_media: int | None = Field(90, ge=1, le=36_500)

    def changes(self) -> dict[str, Any]:
        """The keys that were given, as their columns hold them."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: _as_column(value) for name, value in given.items()}


KEYS: tuple[str, ...] = tuple(SettingsChange.model_fields)


async def read(transaction: AsyncConnection, tenant_id: UUID) -> Mapping[str, Any] | None:
    """All settings, or None for a tenant that is not there."""
    # The columns are this module's own names.
    statement = text(f"select {', '.join(KEYS)} from settings where tenant_id = :tenant_id")  # noqa: S608
    row = (await transaction.execute(statement, {"tenant_id": tenant_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def change(
    transaction: AsyncConnection, tenant_id: UUID, wanted: SettingsChange, *, house: Settings
) -> Mapping[str, Any] | None:
    """Write the given keys and return all settings; None for a tenant that is not there. Raises SettingsRefused."""
    changes = wanted.changes()
    if changes:
        assignments = ", ".join(f"{name} = :{name}" for name in changes)
        await transaction.execute(
            text(f"update settings set {assignments}, updated_at = now() where tenant_id = :tenant_id"),  # noqa: S608
            changes | {"tenant_id": tenant_id},
        )
    now = await read(transaction, tenant_id)
    if now is not None:
        _refuse_contradictions(now)
        await _refuse_unknown_models(transaction, tenant_id, now, wanted, house=house)
    return now


async def _refuse_unknown_models(
    transaction: AsyncConnection, tenant_id: UUID, now: Mapping[str, Any], wanted: SettingsChange, *, house: Settings
) -> None:
    """Who pays with a key of their own, or asks an address of the house's own, may know models that we do not."""
    for role in ("primary", "fallback"):
        provider, model = now[f"{role}_llm_provider"], now[f"{role}_llm_model"]
        is_touched = {f"{role}_llm_provider", f"{role}_llm_model"} & wanted.model_fields_set
        if not is_touched or not model or model in model_prices.names(provider):
            continue
        elsewhere = {name for name in get_args(Provider) if getattr(house, f"{name}_base_url")}
        elsewhere |= {key["provider"] for key in await provider_keys.all_keys(transaction, tenant_id)}
        if provider not in elsewhere:
            raise UnknownModel(role, provider, model)


def _refuse_contradictions(now: Mapping[str, Any]) -> None:
    if now["default_language"] not in now["supported_languages"]:
        raise SettingsRefused("default_language", f"{now['default_language']} is not one of supported_languages")
    if now["llm_total_timeout_ms"] < now["llm_timeout_ms"]:
        raise SettingsRefused("llm_total_timeout_ms", "is less than llm_timeout_ms")
    for role in ("primary", "fallback"):
        if now[f"{role}_llm_model"] and not now[f"{role}_llm_provider"]:
            raise SettingsRefused(f"{role}_llm_provider", f"is needed beside {role}_llm_model")


def _as_column(value: Any) -> Any:
    match value:
        case dict():
            return json.dumps(value)
        case tuple():
            return list(value)
        case _:
            return value
