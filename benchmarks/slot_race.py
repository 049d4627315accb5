"""Fifty customers want one slot at the same moment, a thousand times: who gets it, and what the others are told."""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from benchmarks import report
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.rules import booking
from mychatflow.rules.booking import ForgedSlot
from mychatflow.settings import Settings
from mychatflow.store import appointments, offers, schema
from mychatflow.store.appointments import Gone
from mychatflow.store.session import Store
from tests.factories import Tenant, a_contact, a_resource, a_service, a_tenant

_SECRET = b"a key of the benchmark"
_ALTERNATIVES = 3
_TELLS_EVERY = 25


@dataclass(slots=True, kw_only=True)
class Tally:
    outcomes: Counter[str] = field(default_factory=Counter)
    clean_rounds: int = 0
    seconds: list[float] = field(default_factory=list)


async def race(store: Store, tenant: Tenant, service: dict[str, Any], customers: list[UUID], rounds: int) -> Tally:
    tally, tomorrow = Tally(), datetime.now(UTC).date() + timedelta(days=1)
    at = datetime.now(UTC)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        offered = await offers.offer(
            transaction, tenant.tenant_id, service, since=tomorrow, until=tomorrow + timedelta(days=700), at=at
        )
    for number, slot in enumerate(offered.slots[:rounds]):
        wanted = booking.slot_id(slot, key=_SECRET)
        answers = await asyncio.gather(
            *(attempt(store, tenant, wanted, each, f"{number}:{each}", tally.seconds) for each in customers)
        )
        counted = Counter(answers)
        tally.outcomes += counted
        tally.clean_rounds += counted == {"booked": 1, "alternatives": len(customers) - 1}
        # A thousand rounds take long: one that breaks off has said how far it came.
        if (number + 1) % _TELLS_EVERY == 0:
            print(
                f"{number + 1} rounds, {tally.clean_rounds} clean, {dict(tally.outcomes)}", file=sys.stderr, flush=True
            )
    return tally


async def connect(store: Store, tenant: Tenant, connections: int) -> None:
    """One after the other: fifty at once would measure how fast a busy Postgres starts processes."""
    async with AsyncExitStack() as held:
        for _ in range(connections):
            await held.enter_async_context(store.tenant_transaction(tenant.tenant_id))


async def attempt(store: Store, tenant: Tenant, wanted: str, customer: UUID, key: str, seconds: list[float]) -> str:
    began = time.perf_counter()
    try:
        return await _booked(store, tenant, wanted, customer, key)
    except (SQLAlchemyError, ForgedSlot) as error:
        return f"error {type(error).__name__}"
    finally:
        seconds.append(time.perf_counter() - began)


async def _booked(store: Store, tenant: Tenant, wanted: str, customer: UUID, key: str) -> str:
    at = datetime.now(UTC)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        held = await appointments.hold(
            transaction, tenant.tenant_id, wanted, contact_id=customer, key=key, secret=_SECRET, at=at
        )
        if isinstance(held, Gone):
            return "alternatives" if len(held.instead.slots) == _ALTERNATIVES else "too few alternatives"
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        booked = await appointments.confirm(transaction, tenant.tenant_id, held["id"], changed_by="race", at=at)
    return "booked" if booked else "lost its hold"


async def measure(settings: Settings, *, rounds: int, rivals: int, connections: int) -> dict[str, report.Value]:
    store = Store(settings, pool_size=connections)
    tenant = await a_tenant(store)
    service = await a_service(store, tenant, horizon_days=730)
    await a_resource(store, tenant)
    customers = [await a_contact(store, tenant) for _ in range(rivals)]
    await connect(store, tenant, connections)
    began = time.perf_counter()
    tally = await race(store, tenant, service, customers, rounds)
    took = time.perf_counter() - began
    async with store.platform_transaction() as transaction:
        rows = (await transaction.execute(text("select count(*) from appointments where status = 'booked'"))).scalar()
    await store.close()
    return {
        "who": f"{rivals} for one slot",
        "rounds": rounds,
        "rounds_with_one_booking_and_no_error": tally.clean_rounds,
        "booked": tally.outcomes["booked"],
        "rows_booked": rows,
        "alternatives": tally.outcomes["alternatives"],
        "anything_else": sum(tally.outcomes.values()) - tally.outcomes["booked"] - tally.outcomes["alternatives"],
        "else": ", ".join(set(tally.outcomes) - {"booked", "alternatives"}) or "nothing",
        "p50_ms": report.percentile(tally.seconds, 0.5) * 1000,
        "p99_ms": report.percentile(tally.seconds, 0.99) * 1000,
        "seconds": took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--rivals", type=int, default=50)
    parser.add_argument("--connections", type=int, default=50, help="how many ask Postgres at the same moment")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="mcf-race-"))
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=directory)
    server = EmbeddedPostgres(settings)
    server.start()
    try:
        schema.migrate(settings, today=datetime.now(UTC).date())
        row = uvloop.run(measure(settings, rounds=given.rounds, rivals=given.rivals, connections=given.connections))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    report.show("slot race", [row])


if __name__ == "__main__":
    main()
