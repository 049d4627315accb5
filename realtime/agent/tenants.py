"""What the agent knows of the business it speaks for: its switches, its hours, its knowledge, its keys."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import structlog

from mychatflow.rules import business_hours
from mychatflow.rules.activation import ActivationMode, ActivationSettings
from mychatflow.store.cipher import KeyRing, TenantCipher, Unreadable
from realtime.engine import sql
from realtime.engine.pool import Pool
from realtime.llm.budgets import Purse
from realtime.llm.contract import Passage
from realtime.llm.retrieval import Index

_SECONDS: Final = 5.0
_MOST_TENANTS: Final = 5_000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The tenant's settings; a tenant without a row has the defaults of the table."""

    auto_reply_enabled: bool = True
    ai_temperature: float = 0.4
    ai_max_tokens: int = 400
    llm_preset: str = "fast"
    primary_llm_provider: str | None = None
    primary_llm_model: str | None = None
    fallback_llm_provider: str | None = None
    fallback_llm_model: str | None = None
    llm_timeout_ms: int = 8000
    llm_total_timeout_ms: int = 14000
    hedging_enabled: bool = True
    llm_daily_budget_usd: float | None = None
    business_name: str | None = None
    industry: str = "general"
    business_description: str | None = None
    agent_activation_mode: str = "always_on"
    activation_keywords: list[str] = field(default_factory=list)
    multi_language_enabled: bool = True
    default_language: str = "en"
    supported_languages: list[str] = field(default_factory=lambda: ["en"])
    handoff_enabled: bool = True
    handoff_keywords: list[str] = field(default_factory=list)
    banned_words: list[str] = field(default_factory=list)
    handoff_message: str | None = None
    follow_up_enabled: bool = True
    lead_scoring_enabled: bool = True
    timezone: str = "UTC"
    business_hours: Any = field(default_factory=dict)
    business_hours_exceptions: Any = field(default_factory=dict)
    away_message: str | None = None
    fallback_message: str | None = None
    debounce_ms: int = 500
    session_hours: int = 24
    freshness_minutes: int = 10
    reply_rate_per_contact_hour: int = 20
    loop_guard_enabled: bool = True
    human_pause_minutes: int = 120
    typing_indicator_enabled: bool = True
    reply_split_enabled: bool = False
    appointment_booking_enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStep:
    """How a follow-up sequence begins after a reply that stays unanswered."""

    sequence_id: UUID
    version: int
    holdout_share: float
    step: int
    delay_minutes: int

    @property
    def delay(self) -> timedelta:
        return timedelta(minutes=self.delay_minutes)


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A business as its agent sees it."""

    tenant_id: UUID
    switches: Switches
    activation: ActivationSettings
    cipher: TenantCipher
    knowledge: tuple[Passage, ...]
    first_step: FirstStep | None
    # Provider → (id, key) that the tenant brought along.
    own_keys: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    @property
    def supported_languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.switches.supported_languages, self.switches.default_language)))

    @property
    def purse(self) -> Purse:
        return Purse.of_dollars(self.tenant_id, self.switches.llm_daily_budget_usd)

    @cached_property
    def index(self) -> Index:
        return Index(self.knowledge)


class TenantBook:
    """Tenants of this process, read again when their settings change and every few seconds anyway."""

    def __init__(self, pool: Pool, key_ring: KeyRing) -> None:
        self._pool = pool
        self._key_ring = key_ring
        self._known: dict[UUID, tuple[str, float, Tenant]] = {}
        self._reading: dict[tuple[UUID, str], asyncio.Task[Tenant]] = {}

    async def get(self, tenant_id: UUID, *, version: str) -> Tenant:
        known = self._known.get(tenant_id)
        if known is not None and known[0] == version and time.monotonic() < known[1]:
            return known[2]
        # A hundred turns may find at once that it is time: one reads for all.
        key = tenant_id, version
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._renewed(tenant_id, known, version=version))
            reading.add_done_callback(lambda _: self._reading.pop(key))
        return await asyncio.shield(reading)

    async def _renewed(self, tenant_id: UUID, known: tuple[str, float, Tenant] | None, *, version: str) -> Tenant:
        # Every change of the knowledge changes the version, and a large one is not read every few seconds for nothing.
        is_same = known is not None and known[0] == version
        tenant = await self._read(tenant_id, knowledge=known[2].knowledge if known and is_same else None)
        if known is not None and known[2] == tenant:
            # Unchanged: the old one may have its search index built.
            tenant = known[2]
        if len(self._known) > _MOST_TENANTS:
            self._known.clear()
        self._known[tenant_id] = (version, time.monotonic() + _SECONDS, tenant)
        return tenant

    async def _read(self, tenant_id: UUID, *, knowledge: tuple[Passage, ...] | None) -> Tenant:
        wanted = {"tenant_id": tenant_id}
        names = ["tenant_settings", "tenant_keys", "tenant_sequence", "tenant_provider_keys"]
        names += ["tenant_knowledge"] * (knowledge is None)
        settings, keys, sequence, own_keys, *read = await sql.run(
            self._pool, *((name, wanted) for name in names), is_durable=False
        )
        if knowledge is None:
            knowledge = tuple(Passage(**row | {"id": str(row["id"])}) for row in read[0])
        switches = _switches(settings[0] if settings else {})
        cipher = self._cipher(tenant_id, {row["id"]: row["wrapped_key"] for row in keys})
        return Tenant(
            tenant_id=tenant_id,
            switches=switches,
            activation=_activation(tenant_id, switches),
            cipher=cipher,
            knowledge=knowledge,
            first_step=FirstStep(**sequence[0]) if sequence else None,
            own_keys=_own_keys(own_keys, cipher),
        )

    def _cipher(self, tenant_id: UUID, wrapped: dict[int, bytes]) -> TenantCipher:
        known = self._key_ring.known(tenant_id)
        if known is not None and set(known.keys) == set(wrapped) and known.version == max(wrapped):
            return known
        return self._key_ring.remember(tenant_id, wrapped)


def _own_keys(rows: list[sql.Row], cipher: TenantCipher) -> dict[str, tuple[str, str]]:
    """A key that does not open is left out: the house's own answers, and the log says why."""
    found = {}
    for row in rows:
        try:
            found[row["provider"]] = (str(row["id"]), cipher.decrypt(row["sealed_key"], row_id=row["id"]))
        except Unreadable:
            log.warning("provider key does not open", tenant_id=str(cipher.tenant_id), provider=row["provider"])
    return found


def _switches(row: sql.Row) -> Switches:
    return Switches(**{each.name: row[each.name] for each in fields(Switches) if each.name in row})


def _activation(tenant_id: UUID, switches: Switches) -> ActivationSettings:
    plain = ActivationSettings(
        mode=ActivationMode(switches.agent_activation_mode),
        keywords=tuple(switches.activation_keywords),
        session_hours=switches.session_hours,
    )
    try:
        business_hours.zone(switches.timezone)
        return ActivationSettings(
            mode=plain.mode,
            keywords=plain.keywords,
            session_hours=plain.session_hours,
            hours=business_hours.parse(switches.business_hours),
            exceptions=business_hours.parse_exceptions(switches.business_hours_exceptions),
            timezone=switches.timezone,
        )
    except business_hours.InvalidHours as invalid:
        # Hours that no clock can follow count as none: a customer must not wait for a setting to be mended.
        log.warning("business hours unusable", tenant_id=str(tenant_id), field=invalid.field)
        return plain
