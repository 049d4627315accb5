"""Whatever people write into any field: every page shows it as text, keeps its shape and fetches nothing for it."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as TooLate
from psycopg import sql

from dashboards import navigation
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from tests.dashboards import browsing
from tests.dashboards.browsing import CHROMIUM, Visit
from tests.dashboards.conftest import Town
from tests.dashboards.test_walls import NAMING, TEXT_COLUMNS, possess

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
MARK = "MARKED"
# A formula to spreadsheets, a tag and a script to HTML, a link and a picture to markdown, an icon and a colour to
# Streamlit, a formula to KaTeX, a turn of the writing direction, and characters that mean an end to somebody.
SHORT = f'=1+1 {MARK} <img src=x onerror="alert(1)">'
HOSTILE = (
    f"{SHORT}</div></style><script>alert(2)</script> [a](javascript:alert(3)) ![b](http://evil.example/b.png)"
    " **c** :red[d] :material/home: $\\frac{1}{0}$ {{7*7}} %{y} \u202e\u2067\u0645\u0631\u062d\u0628\u0627\u200f"
    " \\0 \\u0000 %00 \u0001\u001f ';--\n\r\t\ufeff\U0001f9d1\u200d\U0001f680"
)
# Each column takes the longest that it may hold; a name has 200 characters, which need not hold a blank.
VALUES = (HOSTILE + "W" * 200, HOSTILE, SHORT)
# Words of ours alone, which no person types: a made-up zone or state would test nothing but the making.
OURS = frozenset({"timezone", "language", "session", "engine", "status", "state", "kind", "role", "plan", "provider"})


def plant(connection: psycopg.Connection[Any], tenant_id: str) -> set[tuple[str, str]]:
    """Hostile words before what every text column of the tenant holds; the columns that took them."""
    taken = set()
    for table, column in connection.execute(TEXT_COLUMNS).fetchall():
        if column not in OURS and any(_took(connection, table, column, value, tenant_id) for value in VALUES):
            taken.add((table, column))
    connection.execute("update tenants set name = %s where id = %s", (f"{SHORT} Bella", tenant_id))
    connection.execute(
        "update contacts set tags = %s where tenant_id = %s", ([HOSTILE.replace("\n", " ")[:50]], tenant_id)
    )
    return taken


def _took(connection: psycopg.Connection[Any], table: str, column: str, value: str, tenant_id: str) -> bool:
    change = sql.SQL("update {table} set {column} = {value} || {column} where tenant_id = {tenant}").format(
        table=sql.Identifier(table), column=sql.Identifier(column), value=value, tenant=tenant_id
    )
    try:
        with connection.transaction():
            return connection.execute(change).rowcount > 0
    except psycopg.Error:
        # A rule of the table keeps such words out, or an index cannot hold them.
        return False


@pytest.fixture(scope="module")
def address(town: Town, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The town with every name and text replaced, and the dashboards before it."""
    source = town.environment["DATABASE_URL"].partition("@/")[2].partition("?")[0]
    copy = f"{source}_hostile"
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source,))
        connection.execute(f"create database {copy} template {source} strategy file_copy")
    environment: dict[str, Any] = town.environment | {
        "DATABASE_URL": town.environment["DATABASE_URL"].replace(f"/{source}?", f"/{copy}?")
    }
    # Not in this thread, where the browser has a loop of its own.
    with start_blocking_portal() as portal:
        portal.call(partial(possess, Settings(_env_file=None, **environment), town.dental, said=HOSTILE))
    # Above the wall and every grant, as nobody in the product is.
    with psycopg.connect(postgres.admin_url(), dbname=copy) as writing:
        taken = plant(writing, str(town.dental.tenant_id))
    assert len({table for table, _ in taken}) > 15, taken
    with browsing.serving(environment, tmp_path_factory.mktemp("hostile") / "dashboards.log") as found:
        yield found
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"drop database {copy} with (force)")


# What a person reads there, in fields too.
_READ = """[document.querySelector('[data-testid=stMain]').innerText,
    ...[...document.querySelectorAll('input, textarea')].map(each => each.value)].join()"""
# What reaches beyond the window without a scroll bar of its own.
_WIDE = """[...document.querySelectorAll('[data-testid=stMain] *')]
    .filter(each => each.getBoundingClientRect().right > window.innerWidth + 1)
    .filter(each => !each.closest('.mcf-scroll, [data-testid=stDataFrame], [role=tablist], pre'))
    .slice(0, 3).map(each => each.outerHTML.slice(0, 200))"""


def test_every_page_shows_hostile_words_as_words(browser: Browser, address: str) -> None:
    shown, faults = set(), []
    with browsing.visiting(browser, address) as visit:
        for path in (
            *(place.path for place in navigation.PLACES),
            "knowledge?part=Documents",
            "knowledge?part=Unanswered",
        ):
            visit.page.set_viewport_size({"width": 1440, "height": 900})
            visit.open(path)
            if _shows_words(visit.page, patient=path in NAMING):
                shown.add(path.partition("?")[0])
            faults += [f"{path}: {fault}" for fault in _faults(visit.page)]
        _open_a_member(visit)
        faults += [f"a member's dialog: {fault}" for fault in _faults(visit.page)]
    assert not faults + visit.failures, "\n".join(faults + visit.failures)
    assert visit.hosts <= {"127.0.0.1", ""}
    # Words that are nowhere prove nothing; a table is drawn on a canvas, which holds no text.
    assert NAMING - {"leads", "conversations"} <= shown


def _shows_words(page: Page, *, patient: bool) -> bool:
    """Whether the words are to be read there; fields are drawn a moment after the page is settled."""
    if patient:
        with suppress(TooLate):
            page.wait_for_function(f"{_READ}.includes('{MARK}')", timeout=15_000, polling=250)
    return MARK in page.evaluate(_READ)


def _open_a_member(visit: Visit) -> None:
    """A dialog that bears a name as its title."""
    visit.open("team")
    for _ in range(3):
        # A late redraw of the page shuts a list that stands open.
        visit.page.get_by_label("Change somebody").press("ArrowDown")
        with suppress(TooLate):
            visit.page.get_by_role("option").first.click(timeout=10_000)
            break
    visit.page.locator(".st-key-edit-member button:enabled").click()
    visit.page.get_by_role("dialog").get_by_text(MARK).first.wait_for()


def _faults(page: Page) -> Iterator[str]:
    """What words did to the page beyond being read."""
    for selector in (
        "img[src=x]",
        "a[href^=javascript]",
        "[src*=evil], a[href*=evil]",
        ".katex",
        "[data-testid=stException]",
    ):
        if page.locator(selector).count():
            yield selector
    if page.get_by_text("Something broke on our side").count():
        yield "it broke"
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        # Charts follow the window by themselves, a moment later.
        with suppress(TooLate):
            page.wait_for_function(f"!{_WIDE}.length", timeout=15_000, polling=250)
        yield from (f"wider than {width}: {each}" for each in page.evaluate(_WIDE))
