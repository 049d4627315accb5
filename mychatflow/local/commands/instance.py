"""`mychatflow instance`: a tenant's WhatsApp numbers."""

from typing import Annotated, Final
from uuid import UUID

import typer

from mychatflow.local import console, gateway
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.local.gateway import GatewayFailed
from mychatflow.rules import names
from mychatflow.settings import Settings
from mychatflow.store import instances
from mychatflow.store.cipher import Unreadable
from mychatflow.store.instances import SessionTaken, UnknownTenant
from mychatflow.store.session import Store

# Makes the session with the same webhook, key and retries.
_START: Final = "start the number on the page Numbers, or by POST /api/v1/instances/ID/start"
app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Connect a WhatsApp number."""


@app.command()
def create(
    tenant: Annotated[UUID, typer.Option(help="The tenant's id.")],
    session: Annotated[str, typer.Option(help="The gateway's name of the session; unique.")],
    name: Annotated[str | None, typer.Option(help="What people call this number.")] = None,
    webhook_secret: Annotated[str | None, typer.Option(help="Its own HMAC key; WEBHOOK_SECRET otherwise.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Where the gateway reaches us.")] = None,
    no_gateway: Annotated[
        bool, typer.Option("--no-gateway", help="Only here; make the session there by hand.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """A number, and its session at the gateway with our webhook, HMAC key and retries."""
    loaded = loading.settings()
    _refuse(session=session, name=name, webhook_secret=webhook_secret, webhook_url=webhook_url)
    instance_id = _create(loaded, tenant=tenant, session=session, name=name, webhook_secret=webhook_secret)
    status = None
    if not no_gateway:
        status = _connect(
            loaded,
            tenant=tenant,
            instance_id=instance_id,
            session=session,
            name=name or session,
            hmac_key=webhook_secret or loaded.webhook_secrets[0].decode(),
            webhook_url=webhook_url,
        )
    answer = {"instance_id": str(instance_id), "session": session, "session_status": status}
    if as_json:
        console.give_json(answer)
    else:
        console.give_record(answer)


def _refuse(*, session: str, name: str | None, webhook_secret: str | None, webhook_url: str | None) -> None:
    """By the rules of the API, before anything is made."""
    if not names.is_session_name(session):
        raise Failure(f"--session {session!r} must be 1 to 54 letters, digits, - and _", exit_code=console.USAGE)
    if name is not None and not names.is_line(name.strip()):
        raise Failure(f"--name must be one line of 1 to {names.LONGEST_LINE} characters", exit_code=console.USAGE)
    if webhook_secret is not None and not names.SHORTEST_SECRET <= len(webhook_secret) <= names.LONGEST_SECRET:
        length = f"{names.SHORTEST_SECRET} to {names.LONGEST_SECRET}"
        raise Failure(f"--webhook-secret must have {length} characters", exit_code=console.USAGE)
    if webhook_url is not None and not names.is_web_address(webhook_url):
        raise Failure(f"--webhook-url {webhook_url!r} must begin with http:// or https://", exit_code=console.USAGE)


def _create(loaded: Settings, *, tenant: UUID, session: str, name: str | None, webhook_secret: str | None) -> UUID:
    async def work(store: Store) -> UUID:
        async with store.platform_transaction() as transaction:
            cipher = await store.key_ring.for_tenant(tenant, transaction)
            return await instances.create(
                transaction,
                cipher,
                session=session,
                name=name,
                engine=loaded.waha_engine,
                webhook_secret=webhook_secret,
            )

    try:
        return database.with_store(loaded, work)
    except SessionTaken as taken:
        raise Failure(f"a number with the session {session!r} exists", next_step="choose another --session") from taken
    except (UnknownTenant, Unreadable) as unknown:
        cause = f"no tenant has the id {tenant}, or its keys were dropped"
        raise Failure(cause, next_step="mychatflow tenant list") from unknown


def _connect(
    loaded: Settings,
    *,
    tenant: UUID,
    instance_id: UUID,
    session: str,
    name: str,
    hmac_key: str,
    webhook_url: str | None,
) -> str:
    try:
        status = gateway.create_session(loaded, session=session, name=name, hmac_key=hmac_key, webhook_url=webhook_url)
    except GatewayFailed as failed:
        raise Failure(
            f"the number is here ({instance_id}), but the gateway has no session: {failed}",
            next_step=f"start the gateway, or check WAHA_BASE_URL and WAHA_API_KEY; then {_START}",
            exit_code=console.PARTIAL,
        ) from failed

    async def work(store: Store) -> None:
        async with store.platform_transaction() as transaction:
            await instances.connected(transaction, tenant_id=tenant, instance_id=instance_id, session_status=status)

    database.with_store(loaded, work)
    return status
