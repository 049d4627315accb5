"""Puts the demo into an installation, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from mychatflow.local.demo import business as businesses
from mychatflow.local.demo import generate
from mychatflow.local.demo import rows as demo_rows
from mychatflow.local.demo.rhythm import DAYS
from mychatflow.settings import Settings
from mychatflow.store import schema

_EXISTS = "select exists (select 1 from tenants where id = any(%s))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written, by table; nothing when the demo was there before."""

    counts: dict[str, int]

    @property
    def is_new(self) -> bool:
        return bool(self.counts)


def write(settings: Settings, *, until: datetime, seed: int = generate.DEFAULT_SEED, scale: float = 1.0) -> Written:
    """All or nothing; does nothing where the demo exists. Raises psycopg.OperationalError when Postgres is away."""
    with psycopg.connect(settings.role_url("engine"), connect_timeout=5) as connection:
        # Two starts at once must not write it twice.
        connection.execute("select pg_advisory_xact_lock(7249183346)")
        if _exists(connection):
            return Written(counts={})
        since = (until - timedelta(days=DAYS + 1)).date()
        schema.ensure_months(settings, first=since, last=until.date())
        rows = generate.generate(settings, until=until, seed=seed, scale=scale)
        demo_rows.write(connection, rows)
    return Written(counts=rows.counts)


def _exists(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    tenant_ids = [business.tenant_id for business in businesses.read_all()]
    row = connection.execute(_EXISTS, (tenant_ids,)).fetchone()
    return row is not None and row[0] is True
