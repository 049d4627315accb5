"""Migrating beside programs that serve: a table that is read for long holds up the migration, and nobody else."""

import threading
import time
from datetime import date

import psycopg

from mychatflow.settings import Settings
from mychatflow.store import schema

_POLICY = "select count(*) from pg_policy where polname = 'pipeline_spans_tenants' and polrelid = 'contacts'::regclass"


def test_nobody_waits_behind_a_migration_that_waits(fresh: Settings) -> None:
    with psycopg.connect(fresh.role_url("owner")) as owner:
        owner.execute("update alembic_version set version_num = '0049'")
        owner.execute("drop policy pipeline_spans_tenants on contacts")
    to_the_policy = {"today": date(2026, 11, 27), "until": "0050"}
    migrating = threading.Thread(target=schema.migrate, args=(fresh,), kwargs=to_the_policy)

    with psycopg.connect(fresh.role_url("pipeline")) as copying:
        copying.execute("lock table contacts in access share mode")
        migrating.start()
        with psycopg.connect(fresh.role_url("engine"), autocommit=True) as serving:
            until = time.monotonic() + 30
            while not serving.execute("select 1 from pg_locks where not granted").fetchone():
                assert time.monotonic() < until
            # What a worker waits at most.
            serving.execute("set lock_timeout = '5s'")
            serving.execute("select 1 from contacts limit 1")
        assert migrating.is_alive()
    migrating.join(timeout=30)

    with psycopg.connect(fresh.role_url("owner")) as owner:
        assert owner.execute(_POLICY).fetchone() == (1,)
        assert owner.execute("select version_num from alembic_version").fetchone() == ("0050",)
