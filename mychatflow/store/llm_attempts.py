"""The ledger of calls to models that no turn commits: what was embedded, and what was only tried out."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_BOOK = text(
    """
    insert into llm_attempts (
        tenant_id, id, turn_id, role, provider, model, outcome, error_class, started_at, ttft_ms, latency_ms,
        input_tokens, cached_tokens, output_tokens, is_estimated, cost_micro_usd, price_version, won
    )
    values (
        :tenant_id, :attempt_id, :turn_id, :role, :provider, :model, :outcome, :error_class, :started_at, :ttft_ms,
        :latency_ms, :input_tokens, :cached_tokens, :output_tokens, :is_estimated, :cost_micro_usd, :price_version, :won
    )
    """
)


async def book(
    transaction: AsyncConnection, tenant_id: UUID, attempt: Mapping[str, Any], *, turn_id: UUID | None = None
) -> None:
    """One call, in the same ledger as every other; a turn of its own unless one is named."""
    own = {"tenant_id": tenant_id, "turn_id": turn_id or attempt["attempt_id"]}
    await transaction.execute(_BOOK, dict(attempt) | own)
