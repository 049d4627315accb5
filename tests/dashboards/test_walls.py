"""Two businesses whose every name and text is marked: no page of one holds a mark or a number of the other."""

import asyncio
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow.parquet
import pytest
from psycopg import sql
from streamlit.testing.v1 import AppTest

from dashboards import exports, navigation, shell
from dashboards.navigation import Place
from dashboards.viewer import Viewer
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import audit
from mychatflow.store.session import Store
from tests import factories
from tests.dashboards.conftest import Town, forget
from tests.dashboards.shop import Shop
from tests.dashboards.test_pages import opened
from tests.realtime.api import possessions
from warehouse.exports import MEDIA_TYPES
from warehouse.periods import Period

# Pages that name somebody or something at once; the others are numbers when they open.
NAMING = frozenset(
    {
        "leads", "conversations", "inbox", "campaigns", "follow-ups", "settings", "knowledge", "services", "numbers",
        "team",
    }
)  # fmt: skip
# These offer what they list as a file.
OFFERING = frozenset({"overview", "leads", "conversations", "agent", "audit"})
# What differs between two looks that show the same: where a file waits, and who has read a chat since.
_OF_THE_LOOK = re.compile(r"^ *deferred_file_id: .*$| :green-badge\[new\]", re.MULTILINE)
# Looked up, so that a table made tomorrow is marked too. The names of the workspaces themselves stay: whoever works in
# both may choose.
TEXT_COLUMNS = """
select class.relname, attribute.attname
from pg_class as class
inner join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.atttypid = 'text'::regtype
where
    class.relnamespace = 'public'::regnamespace
    and class.relkind in ('r', 'p')
    and not class.relispartition
    and class.relname <> 'tenants'
    and attribute.attgenerated = ''
    and exists (
        select from pg_attribute as tenant where tenant.attrelid = class.oid and tenant.attname = 'tenant_id'
    )
order by class.relname, attribute.attname
"""
NAMES = frozenset({"name", "title", "email", "body", "template", "filename", "key_prefix"})


def mark_of(shop: Shop) -> str:
    return f"CANARY{shop.tenant_id.hex[:8]}"


async def possess(settings: Settings, shop: Shop, said: str | None = None) -> None:
    """One of each thing that a page may list, and the newest message of all: the shop's mark, or those words."""
    said = said or mark_of(shop)
    store = Store(settings)
    tenant = factories.Tenant(
        tenant_id=shop.tenant_id, instance_id=shop.instance_id, session=f"session-{shop.instance_id}"
    )
    contact_id = await factories.a_contact(
        store, tenant, wa_id="4915999999999@c.us", name="Marked", last_message_at=datetime.now(UTC)
    )
    await possessions.a_message(store, tenant, contact_id, f"I want {said}")
    await possessions.a_question(store, tenant, contact_id, f"What is {said}?")
    await factories.a_quick_reply(store, tenant, title="Marked", body="Marked")
    await factories.a_campaign(store, tenant)
    await factories.a_sequence(store, tenant, "Are you there?")
    for make in (
        possessions.a_notification,
        possessions.a_document,
        possessions.a_member,
        possessions.a_key,
        possessions.a_segment,
        possessions.an_import,
        possessions.an_endpoint,
    ):
        await make(store, tenant)
    async with store.audit_transaction() as transaction:
        await audit.record(transaction, shop.tenant_id, actor="owner", action="settings.changed", at=datetime.now(UTC))
    await store.close()


def mark(connection: psycopg.Connection[Any], shop: Shop) -> None:
    named = [place for place in connection.execute(TEXT_COLUMNS).fetchall() if place[1] in NAMES]
    for table, column in named:
        change = sql.SQL("update {table} set {column} = {word} || {column} where tenant_id = {tenant}").format(
            table=sql.Identifier(table), column=sql.Identifier(column), word=mark_of(shop), tenant=str(shop.tenant_id)
        )
        connection.execute(change)
    connection.execute(
        "update settings set business_description = %s where tenant_id = %s", (mark_of(shop), str(shop.tenant_id))
    )


@pytest.fixture(scope="module")
def marked(town: Town, postgres: EmbeddedPostgres) -> Iterator[Town]:
    """The town, in a database of its own whose every name says whose it is."""
    source = town.environment["DATABASE_URL"].partition("@/")[2].partition("?")[0]
    copy = f"{source}_marked"
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source,))
        connection.execute(f"create database {copy} template {source} strategy file_copy")
    values: dict[str, Any] = town.environment | {
        "DATABASE_URL": town.environment["DATABASE_URL"].replace(f"/{source}?", f"/{copy}?")
    }
    settings = Settings(_env_file=None, **values)
    for shop in (town.dental, town.hotel):
        asyncio.run(possess(settings, shop))
        # Above the wall and every grant, as nobody in the product is.
        with psycopg.connect(postgres.admin_url(), dbname=copy) as writing:
            mark(writing, shop)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in values.items():
            patched.setenv(name, value)
        forget()
        yield town
    forget()
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"drop database {copy} with (force)")


def shown(page: str, shop: Shop) -> str:
    """Every element of the page as it goes to the browser: words, tables, points of charts."""
    test: AppTest = opened(page, workspace=shop.name)
    assert not test.exception
    protos = [getattr(node, "proto", None) for node in test._tree]
    return _OF_THE_LOOK.sub("", "\n".join(str(proto) for proto in protos if proto is not None))


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The files that the pages offer to take, readable."""
    files: list[bytes] = []
    menu, of_page = exports.menu, exports.of_page

    def take(rows: exports.Rows, columns: Sequence[str]) -> None:
        made = {kind: exports.made(kind, rows, columns=columns, timezone="UTC") for kind in MEDIA_TYPES}
        sheet = zipfile.ZipFile(io.BytesIO(made["xlsx"]))
        table = pyarrow.parquet.read_table(io.BytesIO(made["parquet"]))
        files.extend([made["csv"], *(sheet.read(name) for name in sheet.namelist()), str(table.to_pylist()).encode()])

    def offered(looking: Viewer, rows: exports.Rows, *, columns: Sequence[str], **more: Any) -> None:
        menu(looking, rows, columns=columns, **more)
        take(rows, columns)

    def chosen(looking: Viewer, page: str, sheets: Mapping[str, exports.Sheet], period: Period) -> None:
        of_page(looking, page, sheets, period)
        for sheet in sheets.values():
            rows = sheet.rows()
            # A column that the rows do not have would leave empty.
            assert all(set(sheet.columns) <= row.keys() for row in rows), sheet.file
            take(rows, sheet.columns)

    monkeypatch.setattr(exports, "menu", offered)
    monkeypatch.setattr(exports, "of_page", chosen)
    return files


@pytest.mark.parametrize("place", navigation.PLACES, ids=lambda place: place.path)
def test_no_page_shows_one_business_what_it_showed_another(
    marked: Town, place: Place, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In turn they see what each sees alone, to the last number; the platform's pages are the same for both."""
    monkeypatch.setattr(shell, "now", lambda: marked.at)
    alone = {}
    for shop in (marked.dental, marked.hotel):
        forget()
        alone[shop.name] = shown(place.path, shop)

    for shop, other in ((marked.dental, marked.hotel), (marked.hotel, marked.dental)):
        taken.clear()
        found = shown(place.path, shop)

        assert found == alone[shop.name]
        if place.least != "staff":
            _holds_its_own_words(place.path, found, taken, mine=mark_of(shop), theirs=mark_of(other))


def _holds_its_own_words(page: str, found: str, taken: list[bytes], *, mine: str, theirs: str) -> None:
    """On the page and in the files that it offers."""
    assert theirs not in found
    assert [file for file in taken if theirs.encode() in file] == []
    assert page not in OFFERING or taken
    if page in OFFERING & NAMING:
        assert any(mine.encode() in file for file in taken)
    # The marks are where the pages look: a wall that hides everything proves nothing.
    assert page not in NAMING or mine in found
