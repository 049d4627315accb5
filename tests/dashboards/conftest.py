"""Two businesses with a published past, and the environment that the dashboards read it from."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import streamlit as st
from playwright.sync_api import Browser, sync_playwright

from dashboards import shell
from mychatflow import settings as configuration
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE, Settings
from tests.dashboards import browsing, shop
from tests.dashboards.browsing import Visit
from tests.dashboards.shop import Shop
from warehouse import rollup

_databases = itertools.count(1)
HOSTILE = '<img src=x onerror="alert(1)"> [link](javascript:alert(1))'


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """What the pages show in the tests: two shops of different sizes, and one that just opened."""

    settings: Settings
    environment: dict[str, str]
    dental: Shop
    hotel: Shop
    at: datetime


@pytest.fixture(scope="session")
def town(settings: Settings, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Written and rolled up once; pages only read it."""
    name = f"dashboards_{next(_databases)}"
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {DATABASE} strategy file_copy")
    environment = _environment(settings, name, tmp_path_factory.mktemp("published"))
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    values: dict[str, Any] = dict(environment)
    opened = Settings(_env_file=None, **values)
    yield _written(opened, environment, at)
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def _written(settings: Settings, environment: dict[str, str], at: datetime) -> Town:
    dental = shop.open_shop(settings, name="Bella Dental", timezone="Europe/Madrid", people=80, days=60, until=at)
    hotel = shop.open_shop(settings, name="Jaipur Hotel", timezone="Asia/Kolkata", people=15, days=60, until=at, seed=8)
    shop.an_incident(settings, at=at - timedelta(days=12))
    with psycopg.connect(settings.role_url("engine")) as connection:
        connection.execute(
            "update contacts set name = %s where (tenant_id, id) in"
            " (select tenant_id, id from contacts where tenant_id = %s order by last_message_at desc limit 1)",
            (HOSTILE, dental.tenant_id),
        )
    rollup.rollup(settings, at=at)
    # One number of a day that everybody has seen changes afterwards.
    shop.a_late_message(settings, dental, at=at - timedelta(hours=30))
    rollup.rollup(settings, at=at)
    return Town(settings=settings, environment=environment, dental=dental, hotel=hotel, at=at)


def _environment(settings: Settings, database: str, directory: Path) -> dict[str, str]:
    return {
        "MYCHATFLOW_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": f"postgresql://tests@/{database}?host={settings.socket_dir}",
        "WAREHOUSE_URL": f"duckdb:///{directory}/warehouse.duckdb",
    }


@pytest.fixture
def pages(town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """The town as this process's installation, with empty caches; nothing of it stays for other tests."""
    for name, value in town.environment.items():
        monkeypatch.setenv(name, value)
    # Here no browser has to draw.
    monkeypatch.setattr(shell, "BREATH_SECONDS", 0)
    forget()
    yield town
    forget()


def forget() -> None:
    """Read the settings anew, and every number with them."""
    configuration.load.cache_clear()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="session")
def address(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application as an operator starts it, with the town's past."""
    with browsing.serving(town.environment, tmp_path_factory.mktemp("dashboards") / "dashboards.log") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=browsing.CHROMIUM, args=browsing.ARGUMENTS)


@pytest.fixture
def visit(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    with browsing.visiting(browser, address, **getattr(request, "param", {})) as found:
        yield found
