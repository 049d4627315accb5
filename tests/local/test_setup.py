"""What `migrate` does with an administrative login, and whom it refuses."""

import psycopg
import pytest
from pydantic import SecretStr

from mychatflow.local import setup
from mychatflow.local.commands import database
from mychatflow.local.console import Failure
from mychatflow.settings import ConfigurationRefused, Settings
from mychatflow.store import schema
from mychatflow.store.session import Store
from tests.factories import NOON

_DATABASE = "elsewhere"


@pytest.fixture
def elsewhere(settings, postgres):
    """Settings whose DATABASE_URL is an administrative login of an empty database."""
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"create database {_DATABASE}")
    yield Settings(
        _env_file=None,
        MYCHATFLOW_DATA_DIR=settings.data_dir,
        database_url=SecretStr(postgres.admin_url(_DATABASE)),
    )
    with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
        connection.execute(f"drop database {_DATABASE} with (force)")


async def test_an_administrative_login_makes_roles_and_schema(elsewhere):
    setup.migrate(elsewhere, today=NOON.date())

    store = Store(elsewhere)
    await store.refuse_unsafe_role()
    await store.close()


def test_migrating_twice_changes_nothing(elsewhere):
    assert setup.migrate(elsewhere, today=NOON.date()) == setup.migrate(elsewhere, today=NOON.date())


def test_an_older_server_is_told_before_anything_is_made(elsewhere, monkeypatch):
    monkeypatch.setattr(schema, "OLDEST_SERVER", 99)

    with pytest.raises(Failure, match="is Postgres 18, and 99 or newer is needed"):
        setup.migrate(elsewhere, today=NOON.date())

    with psycopg.connect(elsewhere.database_url.get_secret_value()) as connection:
        assert connection.execute("select to_regclass('tenants')").fetchone() == (None,)


def test_a_login_that_may_not_make_roles_is_told(elsewhere, settings):
    lesser = elsewhere.model_copy(
        update={"database_url": SecretStr(settings.role_url("app").replace("/mychatflow?", f"/{_DATABASE}?"))}
    )

    with pytest.raises(Failure, match="may not make"):
        setup.migrate(lesser, today=NOON.date())


@pytest.mark.parametrize(("role", "word"), [("owner", "owns"), ("above", "BYPASSRLS"), ("admin", "superuser")])
async def test_production_refuses_a_role_above_the_wall(settings, postgres, role, word):
    url = postgres.admin_url("mychatflow")
    if role == "above":
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create role above with login bypassrls password 'above'")
        url = url.replace(url[url.index("//") : url.index("@")], "//above:above")
    elif role == "owner":
        url = settings.role_url("owner")
    unsafe = settings.model_copy(update={"env": "production", "database_url": SecretStr(url)})
    store = Store(unsafe)

    with pytest.raises(ConfigurationRefused, match=word):
        await database.refuse_unsafe_role(store, unsafe)

    await store.close()
    if role == "above":
        with psycopg.connect(postgres.admin_url(), autocommit=True) as connection:
            connection.execute("drop role above")


def test_an_unreachable_database_is_a_dependency(settings):
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://me@127.0.0.1:1/none")})

    with pytest.raises(Failure) as failed:
        setup.migrate(away, today=NOON.date())

    assert failed.value.exit_code == 3
