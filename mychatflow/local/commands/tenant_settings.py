"""`mychatflow settings`: a tenant's settings, by the same keys and checks as the API's."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, get_origin
from uuid import UUID

import typer
from pydantic import ValidationError

from mychatflow.local import console
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.store import tenant_settings
from mychatflow.store.session import Store
from mychatflow.store.tenant_settings import SettingsChange, SettingsRefused, UnknownModel

app = typer.Typer(no_args_is_help=True, add_completion=False)
_SOURCES: Final = "mychatflow settings show --tenant ID lists the keys"
_OWN_KEY: Final = "name a known model, or PUT /api/v1/provider-keys gives the tenant a key of its own"
_Tenant = Annotated[UUID, typer.Option(help="The tenant's id.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.callback()
def _group() -> None:
    """Change a tenant's settings."""


@app.command("set")
def set_(
    pairs: Annotated[list[str], typer.Argument(metavar="KEY=VALUE …", help="Lists by commas, objects as JSON.")],
    tenant: _Tenant,
    as_json: _Json = False,
) -> None:
    """Change the named settings and print all of them."""
    wanted = parse(pairs)
    house = loading.settings()

    async def work(store: Store) -> Mapping[str, Any] | None:
        async with store.tenant_transaction(tenant) as transaction:
            return await tenant_settings.change(transaction, tenant, wanted, house=house)

    try:
        _give(database.with_store(house, work), tenant, as_json=as_json)
    except UnknownModel as refused:
        raise Failure(str(refused), next_step=_OWN_KEY, exit_code=console.USAGE) from refused
    except SettingsRefused as refused:
        raise Failure(str(refused), next_step="set both keys in one command", exit_code=console.USAGE) from refused


@app.command()
def show(tenant: _Tenant, as_json: _Json = False) -> None:
    """Print all settings of a tenant."""

    async def work(store: Store) -> Mapping[str, Any] | None:
        async with store.tenant_transaction(tenant) as transaction:
            return await tenant_settings.read(transaction, tenant)

    _give(database.with_store(loading.settings(), work), tenant, as_json=as_json)


def parse(pairs: Sequence[str]) -> SettingsChange:
    """The change that `key=value …` asks for; raises Failure (2) naming the key."""
    given: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise Failure(f"{pair!r} is not key=value", next_step=_SOURCES, exit_code=console.USAGE)
        if key not in SettingsChange.model_fields:
            raise Failure(f"{key}: no such setting", next_step=_SOURCES, exit_code=console.USAGE)
        given[key] = _read(key, value)
    try:
        return SettingsChange(**given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in found["loc"])
        message = found["msg"].removeprefix("Value error, ")
        raise Failure(f"{place}: {message}", next_step=_SOURCES, exit_code=console.USAGE) from error


def _read(key: str, value: str) -> Any:
    """The value as JSON would say it; plain words and numbers are left for the model to read."""
    if value in {"", "null", "none"}:
        # The empty word clears what may be empty, and an empty list is a list.
        return [] if _is_list(key) else None
    if value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise Failure(f"{key}: not JSON: {error}", next_step=_SOURCES, exit_code=console.USAGE) from error
    return [part.strip() for part in value.split(",")] if _is_list(key) else value


def _is_list(key: str) -> bool:
    return get_origin(SettingsChange.model_fields[key].annotation) is tuple


def _give(found: Mapping[str, Any] | None, tenant: UUID, *, as_json: bool) -> None:
    if found is None:
        raise Failure(f"no tenant has the id {tenant}", next_step="mychatflow tenant list")
    if as_json:
        console.give_json(dict(found))
    else:
        console.give_record(found)
