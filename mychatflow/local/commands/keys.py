"""`mychatflow keys`: the keys over people's words, changed without a pause, or dropped for good."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import typer

from mychatflow.local import console
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.store import audit, tenant_keys
from mychatflow.store.cipher import CACHED_SECONDS
from mychatflow.store.erasure import OnLegalHold
from mychatflow.store.privacy import NoSuchTenant, NotConfirmed, Privacy
from mychatflow.store.session import Store
from mychatflow.store.tenant_keys import Rewrapped, RotationRefused

app = typer.Typer(no_args_is_help=True, add_completion=False)
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
_Tenant = Annotated[UUID, typer.Option(help="The tenant's id.")]
# Twice what any process keeps a key for without looking again.
_UNTIL_ALL_KNOW: Final = 2 * CACHED_SECONDS


@app.callback()
def _group() -> None:
    """Rotate keys, or shred a tenant."""


@app.command()
def rewrap(as_json: _Json = False) -> None:
    """Put every tenant's keys under the newest of MYCHATFLOW_MASTER_KEY (`new,old`); nothing else changes."""
    loaded = loading.settings()

    async def work(store: Store) -> Rewrapped:
        async with store.platform_transaction() as transaction:
            return await tenant_keys.rewrap(transaction, store.key_ring)

    done = database.with_store(loaded, work)
    _give({"tenants": done.tenants, "keys": done.keys}, as_json=as_json)


@app.command()
def rotate(
    tenant: _Tenant,
    wait_seconds: Annotated[
        float,
        typer.Option("--wait", min=0, max=3600, help="How long every process has to learn the key before it is used."),
    ] = _UNTIL_ALL_KNOW,
    as_json: _Json = False,
) -> None:
    """A new key for what a tenant writes from now on; older text stays readable. Safe to repeat."""
    loaded = loading.settings()

    async def prepare(store: Store) -> int:
        async with store.platform_transaction() as transaction:
            left = await tenant_keys.prepared(transaction, tenant)
            return left or await tenant_keys.prepare(transaction, store.key_ring, tenant)

    async def activate(store: Store) -> int:
        async with store.platform_transaction() as transaction:
            version = await tenant_keys.activate(transaction, tenant)
            await _record(store, tenant, "key.rotated", {"version": version})
        return version

    try:
        database.with_store(loaded, prepare)
        console.say(f"every process learns the new key; it is used in {wait_seconds:.0f} s …")
        time.sleep(wait_seconds)
        version = database.with_store(loaded, activate)
    except RotationRefused as refused:
        cause = f"the tenant {tenant} has no key to rotate, or another rotation ended meanwhile"
        raise Failure(cause, next_step="mychatflow tenant list") from refused
    _give({"tenant_id": str(tenant), "version": version}, as_json=as_json)


@app.command()
def shred(
    tenant: _Tenant,
    confirm: Annotated[str, typer.Option(help="The tenant's name, typed out.")],
    as_json: _Json = False,
) -> None:
    """End a tenant and drop its keys: nobody reads its words again. There is no way back.

    A backup of before keeps the keys until it ends; a restore of it drops them anew.
    """
    loaded = loading.settings()

    async def work(store: Store) -> int:
        now = datetime.now(UTC)
        count = await Privacy(store, loaded).end_tenant(tenant, confirm=confirm, at=now)
        await _record(store, tenant, "tenant.shredded", {"keys": count})
        return count

    try:
        count = database.with_store(loaded, work)
    except NoSuchTenant as missing:
        raise Failure(f"no tenant has the id {tenant}", next_step="mychatflow tenant list") from missing
    except OnLegalHold as held:
        raise Failure("the tenant is on legal hold", next_step="end the hold first") from held
    except NotConfirmed as mistyped:
        raise Failure(f"--confirm must be the tenant's name: {mistyped}", exit_code=console.USAGE) from mistyped
    _give({"tenant_id": str(tenant), "keys_dropped": count}, as_json=as_json)


async def _record(store: Store, tenant: UUID, action: str, detail: dict[str, int]) -> None:
    async with store.audit_transaction() as transaction:
        await audit.record(transaction, tenant, actor="operator", action=action, detail=detail, at=datetime.now(UTC))


def _give(answer: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        console.give_json(answer)
    else:
        console.give_record(answer)
