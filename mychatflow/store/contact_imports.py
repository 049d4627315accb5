"""Spreadsheets of contacts on their way in: kept sealed until read, written batch by batch, each row once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.rules import phone_twins
from mychatflow.rules.contact_sheet import Entry, Issue
from mychatflow.store.cipher import TenantCipher

MOST_ATTEMPTS: Final = 5
_LEASE: Final = timedelta(minutes=2)
_COLUMNS: Final = """
    id, instance_id, state, failure, opt_in_method, row_count, done_count, created_count, updated_count,
    skipped_count, created_by, created_at, finished_at
"""
_CREATE = text(
    f"""
    insert into contact_imports (tenant_id, id, instance_id, opt_in_method, body, row_count, due_at, created_by)
    values (:tenant_id, :id, :instance_id, :opt_in_method, :body, :row_count, :at, :created_by)
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_ONE = text(f"select {_COLUMNS} from contact_imports where tenant_id = :tenant_id and id = :id")  # noqa: S608
_ISSUES = text(
    """
    select row_number as row, column_name as column, problem from contact_import_issues
    where tenant_id = :tenant_id and import_id = :id and row_number > :after
    order by row_number, column_name limit :limit
    """
)
_CLAIM = text(
    """
    update contact_imports set due_at = :until, attempts = attempts + 1
    where (tenant_id, id) in (
        select tenant_id, id from contact_imports where due_at <= :at order by due_at limit 1 for update skip locked
    )
    returning tenant_id, id, instance_id, opt_in_method, done_count, attempts, created_by
    """
)
_BODY = text("select body from contact_imports where tenant_id = :tenant_id and id = :id")
# Whoever wrote the rows before counts them too: of two workers one finds its place taken and stops.
_ADVANCE = text(
    """
    update contact_imports set
        done_count = :done, created_count = created_count + :created, updated_count = updated_count + :updated,
        skipped_count = skipped_count + :skipped, due_at = :until, attempts = 0
    where tenant_id = :tenant_id and id = :id and done_count = :before and state = 'pending'
    """
)
_END = text(
    """
    update contact_imports set state = :state, failure = :failure, body = null, due_at = null, finished_at = :at
    where tenant_id = :tenant_id and id = :id
    """
)
_NOTE = text(
    """
    insert into contact_import_issues (tenant_id, import_id, row_number, column_name, problem)
    select cast(:tenant_id as uuid), cast(:id as uuid), given.row, given."column", given.problem
    from jsonb_to_recordset(cast(:issues as jsonb)) as given (row integer, "column" text, problem text)
    on conflict do nothing
    """
)
_GIVEN: Final = """
    select * from jsonb_to_recordset(cast(:entries as jsonb)) as given (
        row integer, id uuid, wa_id text, twin text, phone text, name text, tags text[], language text, timezone text,
        attributes jsonb, is_opted_in boolean, consent_id uuid, method text, opted_in_at timestamptz
    )
"""
# One phone may be known under two ids; the sheet's words go to whom we know already.
_WRITE = text(
    f"""
    with

    given as materialized ({_GIVEN}),

    -- By their id, by its other form, or by a number that leads to them: people merge, and some ids hide the number.
    who as materialized (
        select distinct on (found.row) found.row, found.id
        from (
            select given.row, contacts.id, case contacts.wa_id when given.wa_id then 1 else 2 end as place
            from given
            inner join contacts
                on contacts.tenant_id = :tenant_id and contacts.wa_id = any(array[given.wa_id, given.twin])
            union all
            select given.row, contact_identities.contact_id, 3
            from given
            inner join contact_identities
                on contact_identities.tenant_id = :tenant_id
                and contact_identities.kind = 'phone'
                and contact_identities.value = any(array[given.phone, '+' || split_part(given.twin, '@', 1)])
        ) as found
        inner join contacts on contacts.tenant_id = :tenant_id and contacts.id = found.id
        where contacts.merged_into_id is null
        order by found.row, found.place
    ),

    firsts as materialized (
        select distinct on (id) id, row from who order by id, row
    ),

    known as (
        update contacts set
            name = coalesce(given.name, contacts.name),
            tags = array(select distinct tag from unnest(contacts.tags || given.tags) as tag order by tag),
            preferred_language = coalesce(given.language, contacts.preferred_language),
            timezone = coalesce(given.timezone, contacts.timezone),
            attributes = contacts.attributes || given.attributes,
            updated_at = now()
        from given
        inner join firsts using (row)
        where contacts.tenant_id = :tenant_id and contacts.id = firsts.id
        returning given.row, contacts.id, contacts.opted_out_at
    ),

    fresh as (
        insert into contacts (
            tenant_id, id, instance_id, wa_id, chat_id, name, phone, tags, preferred_language, timezone, attributes
        )
        select
            cast(:tenant_id as uuid), id, cast(:instance_id as uuid), wa_id, wa_id, name, phone, tags, language,
            timezone, attributes
        from given
        where row not in (select row from who)
        order by id
        on conflict do nothing
        returning id, wa_id
    ),

    people as (
        select row, id, opted_out_at from known
        union all
        select given.row, fresh.id, null from fresh inner join given using (wa_id)
    ),

    consented as (
        insert into consents (tenant_id, id, contact_id, kind, method, recorded_at)
        select cast(:tenant_id as uuid), given.consent_id, people.id, 'opt_in', given.method, given.opted_in_at
        from given inner join people using (row)
        where given.is_opted_in and people.opted_out_at is null
        on conflict do nothing
    )

    select
        people.row,
        fresh.id is not null as is_new,
        people.opted_out_at is not null and given.is_opted_in as stays_out,
        cast(null as integer) as same_as
    from people
    inner join given using (row)
    left join fresh on fresh.id = people.id
    union all
    select who.row, false, false, firsts.row
    from who inner join firsts using (id)
    where firsts.row <> who.row
    """  # noqa: S608 - constant query
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    tenant_id: UUID
    id: UUID
    instance_id: UUID
    opt_in_method: str | None
    done_count: int
    attempts: int
    created_by: str


async def create(
    transaction: AsyncConnection, import_id: UUID, body: bytes, *, cipher: TenantCipher, **values: Any
) -> Mapping[str, Any]:
    """`values`: instance_id, opt_in_method, row_count, created_by and at."""
    sealed = cipher.encrypt_bytes(body, row_id=import_id)
    values |= {"tenant_id": cipher.tenant_id, "id": import_id, "body": sealed}
    return dict((await transaction.execute(_CREATE, values)).mappings().one())


async def by_id(transaction: AsyncConnection, tenant_id: UUID, import_id: UUID) -> Mapping[str, Any] | None:
    row = (await transaction.execute(_ONE, {"tenant_id": tenant_id, "id": import_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def issues(
    transaction: AsyncConnection, tenant_id: UUID, import_id: UUID, *, after: int, limit: int
) -> list[Mapping[str, Any]]:
    """What was wrong, by row, from the row after that one."""
    values = {"tenant_id": tenant_id, "id": import_id, "after": after, "limit": limit}
    return [dict(row) for row in (await transaction.execute(_ISSUES, values)).mappings()]


async def claim(transaction: AsyncConnection, *, at: datetime) -> Waiting | None:
    """The oldest that waits, of any tenant; whoever dies with it leaves it to the next when its time is over."""
    row = (await transaction.execute(_CLAIM, {"at": at, "until": at + _LEASE})).mappings().one_or_none()
    return None if row is None else Waiting(**row)


async def body_of(transaction: AsyncConnection, waiting: Waiting, *, cipher: TenantCipher) -> bytes | None:
    sealed = (await transaction.execute(_BODY, {"tenant_id": waiting.tenant_id, "id": waiting.id})).scalar_one_or_none()
    return None if sealed is None else cipher.decrypt_bytes(bytes(sealed), row_id=waiting.id)


async def write(
    transaction: AsyncConnection,
    waiting: Waiting,
    entries: Sequence[Entry],
    faults: Sequence[Issue],
    *,
    before: int,
    done: int,
    at: datetime,
) -> bool:
    """The rows from `before` to `done`; False when another worker wrote them."""
    values = {"tenant_id": waiting.tenant_id, "id": waiting.id, "instance_id": waiting.instance_id}
    given = [_row(waiting, each, at) for each in entries]
    written = (await transaction.execute(_WRITE, values | {"entries": json.dumps(given)})).all()
    out = [
        Issue(row=row.row, column="opt_in", problem="opted out before; only their own START undoes that")
        for row in written
        if row.stays_out
    ]
    twice = [
        Issue(row=row.row, column="phone", problem=f"leads to the same person as row {row.same_as}")
        for row in written
        if row.same_as
    ]
    noted = json.dumps(
        [{"row": each.row, "column": each.column, "problem": each.problem} for each in (*faults, *out, *twice)]
    )
    await transaction.execute(_NOTE, values | {"issues": noted})
    created, used = sum(row.is_new for row in written), len(written) - len(twice)
    counts = {"created": created, "updated": used - created, "skipped": done - before - used}
    progress = counts | {"before": before, "done": done, "until": at + _LEASE}
    return (await transaction.execute(_ADVANCE, values | progress)).rowcount > 0


async def end(transaction: AsyncConnection, waiting: Waiting, *, failure: str | None, at: datetime) -> None:
    """The sheet itself is thrown away."""
    values = {"tenant_id": waiting.tenant_id, "id": waiting.id, "failure": failure, "at": at}
    await transaction.execute(_END, values | {"state": "failed" if failure else "done"})


def _row(waiting: Waiting, each: Entry, at: datetime) -> dict[str, Any]:
    return {
        "row": each.row,
        # The id that the engine would give them at their first message.
        "id": str(named_id("contact", waiting.tenant_id, each.wa_id)),
        "wa_id": each.wa_id,
        "twin": phone_twins.twin(each.wa_id),
        "phone": each.phone,
        "name": each.name,
        "tags": each.tags,
        "language": each.language,
        "timezone": each.timezone,
        "attributes": dict(each.attributes),
        "is_opted_in": each.is_opted_in,
        "consent_id": str(named_id("consent", waiting.tenant_id, f"import:{waiting.id}:{each.row}")),
        "method": each.opt_in_method or waiting.opt_in_method or "import",
        # Never later than now: a yes that is still to come would count for more than the person's next no.
        "opted_in_at": min(each.opted_in_at or at, at).isoformat(),
    }
