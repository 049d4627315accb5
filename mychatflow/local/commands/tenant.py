"""`mychatflow tenant`: the platform's customers."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from mychatflow.local import console
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.rules import business_hours, names
from mychatflow.rules.business_hours import InvalidHours
from mychatflow.rules.plan import Plan
from mychatflow.rules.role import Role
from mychatflow.store import api_keys, audit, tenants
from mychatflow.store.session import Store
from mychatflow.store.tenants import Tenant

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Create a tenant and its owner's API key, or list who is there."""


@app.command()
def create(
    name: Annotated[str, typer.Option(help="The business's name.")],
    email: Annotated[str, typer.Option(help="The owner's address.")],
    plan: Annotated[Plan, typer.Option(help="What it may use.")] = Plan.FREE,
    timezone: Annotated[str, typer.Option(help="IANA time zone, as in Europe/Madrid.")] = "UTC",
    as_json: Annotated[bool, typer.Option("--json", help='{"tenant_id", "api_key"} on one line.')] = False,
) -> None:
    """A tenant with an API key of the owner role, which is shown this once."""
    loaded = loading.settings()
    _refuse(name=name, email=email, timezone=timezone)

    async def work(store: Store) -> tuple[UUID, str]:
        now = datetime.now(UTC)
        async with store.platform_transaction() as transaction:
            created = await tenants.create(
                transaction, store.key_ring, name=name.strip(), email=email.strip(), plan=plan, timezone=timezone
            )
            key, secret = await api_keys.create(transaction, created.tenant_id, name="first key", role=Role.OWNER)
        async with store.audit_transaction() as transaction:
            await audit.record(
                transaction,
                created.tenant_id,
                actor="operator",
                action="tenant.create",
                subject=str(created.tenant_id),
                detail={"plan": plan.value, "key_id": str(key.key_id)},
                at=now,
            )
        return created.tenant_id, secret

    tenant_id, secret = database.with_store(loaded, work)
    answer = {"tenant_id": str(tenant_id), "api_key": secret}
    if as_json:
        console.give_json(answer)
    else:
        console.give_record(answer)
        console.say("the key is shown this once; next: mychatflow instance create --tenant ID --session NAME")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Every tenant that may work, with the id that other commands ask for."""

    async def work(store: Store) -> list[Tenant]:
        async with store.platform_transaction() as transaction:
            return await tenants.everyone(transaction)

    found = [asdict(tenant) for tenant in database.with_store(loading.settings(), work)]
    if as_json:
        for tenant in found:
            console.give_json(tenant)
    elif found:
        console.give_table(tuple(found[0]), [tuple(tenant.values()) for tenant in found])
    else:
        console.say("no tenants; next: mychatflow tenant create --name N --email E")


def _refuse(*, name: str, email: str, timezone: str) -> None:
    if not names.is_line(name.strip()):
        raise Failure(f"--name must be one line of 1 to {names.LONGEST_LINE} characters", exit_code=console.USAGE)
    if not names.is_address(email.strip()):
        raise Failure(
            f"--email {email!r} is no address", next_step="write one as me@example.com", exit_code=console.USAGE
        )
    try:
        business_hours.zone(timezone)
    except InvalidHours as invalid:
        raise Failure(
            f"--timezone: {invalid.fault}", next_step="name one as Europe/Madrid", exit_code=console.USAGE
        ) from invalid
