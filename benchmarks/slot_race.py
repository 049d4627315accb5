"""Fifty customers want one slot at the same moment, a thousand times: who gets it, and what the others are told."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
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
_KEEPS_EVERY = 25


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was counted so far; kept in a file, since a thousand rounds may need more than one sitting."""

    path: Path | None = None
    rounds: int = 0
    clean_rounds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path | None) -> Self:
        known = json.loads(path.read_text()) if path is not None and path.exists() else {}
        return cls(path=path, **known | {"outcomes": Counter(known.get("outcomes", {}))})

    def count(self, answers: list[str]) -> None:
        counted = Counter(answers)
        self.rounds += 1
        self.outcomes += counted
        self.clean_rounds += counted == {"booked": 1, "alternatives": len(answers) - 1}
        if self.rounds % _KEEPS_EVERY == 0:
            print(
                f"{self.rounds} rounds, {self.clean_rounds} clean: {dict(self.outcomes)}", file=sys.stderr, flush=True
            )
            self.keep()

    def keep(self) -> None:
        if self.path is not None:
            known = {name: getattr(self, name) for name in ("rounds", "clean_rounds", "outcomes", "seconds")}
            self.path.write_text(json.dumps(known))


async def race(
    store: Store, tenant: Tenant, service: dict[str, Any], customers: list[UUID], rounds: int, tally: Tally
) -> None:
    at = datetime.now(UTC)
    tomorrow = at.date() + timedelta(days=1)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        offered = await offers.offer(
            transaction, tenant.tenant_id, service, since=tomorrow, until=tomorrow + timedelta(days=700), at=at
        )
    for number, slot in enumerate(offered.slots[: max(0, rounds - tally.rounds)]):
        wanted = booking.slot_id(slot, key=_SECRET)
        tally.count(
            await asyncio.gather(
                *(attempt(store, tenant, wanted, each, f"{number}:{each}", tally.seconds) for each in customers)
            )
        )
    tally.keep()


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


async def measure(
    settings: Settings, *, rounds: int, rivals: int, connections: int, tally: Tally
) -> dict[str, report.Value]:
    store = Store(settings, pool_size=connections)
    tenant = await a_tenant(store)
    service = await a_service(store, tenant, horizon_days=730)
    await a_resource(store, tenant)
    customers = [await a_contact(store, tenant) for _ in range(rivals)]
    await connect(store, tenant, connections)
    booked_before = tally.outcomes["booked"]
    began = time.perf_counter()
    await race(store, tenant, service, customers, rounds, tally)
    took = time.perf_counter() - began
    async with store.platform_transaction() as transaction:
        rows = (await transaction.execute(text("select count(*) from appointments where status = 'booked'"))).scalar()
    await store.close()
    return {
        "who": f"{rivals} for one slot",
        "rounds": tally.rounds,
        "rounds_with_one_booking_and_no_error": tally.clean_rounds,
        "booked": tally.outcomes["booked"],
        "rows_booked_now": f"{rows} of {tally.outcomes['booked'] - booked_before}",
        "alternatives": tally.outcomes["alternatives"],
        "anything_else": sum(tally.outcomes.values()) - tally.outcomes["booked"] - tally.outcomes["alternatives"],
        "else": ", ".join(set(tally.outcomes) - {"booked", "alternatives"}) or "nothing",
        "p50_ms": report.percentile(tally.seconds, 0.5) * 1000,
        "p99_ms": report.percentile(tally.seconds, 0.99) * 1000,
        "seconds_now": took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--rivals", type=int, default=50)
    parser.add_argument("--connections", type=int, default=50, help="how many ask Postgres at the same moment")
    parser.add_argument("--tally", type=Path, help="a file that keeps the count, to go on with what is left of it")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="mcf-race-"))
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=directory)
    server = EmbeddedPostgres(settings)
    server.start()
    try:
        schema.migrate(settings, today=datetime.now(UTC).date())
        tally = Tally.read(given.tally)
        row = uvloop.run(
            measure(settings, rounds=given.rounds, rivals=given.rivals, connections=given.connections, tally=tally)
        )
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    report.show("slot race", [row])


if __name__ == "__main__":
    main()
