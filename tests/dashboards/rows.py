"""How a made-up business gets into Postgres, row by row and table by table."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg


def write_business(
    connection: psycopg.Connection[Any], *, tenant_id: UUID, instance_id: UUID, name: str, timezone: str, wrapped: bytes
) -> None:
    tenant = (tenant_id,)
    connection.execute(
        "insert into tenants (id, email, name, plan, is_demo) values (%s, 'owner@example.test', %s, 'pro', true)",
        (*tenant, name),
    )
    connection.execute("insert into settings (tenant_id, timezone) values (%s, %s)", (*tenant, timezone))
    connection.execute("insert into tenant_keys (tenant_id, id, wrapped_key) values (%s, 1, %s)", (*tenant, wrapped))
    connection.execute(
        "insert into instances (tenant_id, id, session, name, status) values (%s, %s, %s, 'Desk', 'connected')",
        (*tenant, instance_id, f"session-{instance_id}"),
    )


def write_bookings(
    connection: psycopg.Connection[Any], *, tenant_id: UUID, timezone: str, bookings: list[tuple[UUID, datetime]]
) -> None:
    service, resource = uuid4(), uuid4()
    connection.execute(
        "insert into services (tenant_id, id, name, duration_minutes) values (%s, %s, 'Cleaning', 30)",
        (tenant_id, service),
    )
    connection.execute(
        "insert into resources (tenant_id, id, name, timezone) values (%s, %s, 'Chair', %s)",
        (tenant_id, resource, timezone),
    )
    for contact_id, at in bookings:
        start = at + timedelta(days=2)
        connection.execute(
            "insert into appointments (tenant_id, contact_id, service_id, resource_id, during, starts_at, ends_at,"
            " timezone, status, idempotency_key, ics_uid, booked_at)"
            " values (%s, %s, %s, %s, tstzrange(%s, %s), %s, %s, %s, 'completed', %s, %s, %s)",
            (tenant_id, contact_id, service, resource, start, start + timedelta(minutes=30), start,
             start + timedelta(minutes=30), timezone, str(contact_id), str(contact_id), at),
        )  # fmt: skip


def copy_rows(connection: psycopg.Connection[Any], table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    """COPY refuses tables behind row-level security, so rows come by way of a temporary one."""
    connection.execute(f"create temp table copied_{table} on commit drop as select {columns} from {table} limit 0")
    with connection.cursor() as cursor, cursor.copy(f"copy copied_{table} ({columns}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(f"insert into {table} ({columns}) select {columns} from copied_{table} on conflict do nothing")
