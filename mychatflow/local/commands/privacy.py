"""`mychatflow export` and `mychatflow erase`: a person's data copied to a file, or forgotten everywhere."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from mychatflow.local import console, programs
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.settings import Settings
from mychatflow.store import tenants
from mychatflow.store.erasure import OnLegalHold
from mychatflow.store.export import Exported
from mychatflow.store.privacy import NoSuchPerson, Privacy
from mychatflow.store.session import Store

export = typer.Typer(add_completion=False)
erase = typer.Typer(add_completion=False)
_ACTOR: Final = "operator"


@export.command()
def write_export(
    tenant: Annotated[UUID, typer.Option(help="The tenant's id.")],
    out: Annotated[Path, typer.Option(help="Where the zip goes; a file that is there already is not touched.")],
    contact: Annotated[UUID | None, typer.Option(help="One person; all that the tenant has otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """A zip of JSON lines, CSV and files of all that is kept, readable by its owner alone."""
    loaded = loading.settings()
    if out.exists():
        raise Failure(f"--out {out} exists", next_step="name another file", exit_code=console.USAGE)
    if not out.parent.is_dir():
        raise Failure(f"--out: there is no folder {out.parent}", exit_code=console.USAGE)

    async def work(store: Store) -> Exported:
        await _refuse_unknown(store, tenant)
        draft = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                copy = Privacy(store, loaded).copy
                found = await copy(file, tenant, contact, actor=_ACTOR, at=datetime.now(UTC))
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
        return found

    try:
        found = database.with_store(loaded, work)
    except NoSuchPerson as missing:
        raise _no_contact(tenant, contact) from missing
    answer = {"file": str(out), "rows": sum(found.rows.values()), "media_files": found.media_files}
    _give(answer | {"tables": dict(found.rows)}, as_json=as_json)


@erase.command()
def write_erasure(
    tenant: Annotated[UUID | None, typer.Option(help="The tenant's id.")] = None,
    contact: Annotated[UUID | None, typer.Option(help="The person's id.")] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="After a restore: erase and shred again what the backup brought back.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The certificate as one JSON object.")] = False,
) -> None:
    """Forget a person in the database, the warehouse, kept files and copies, and print the certificate."""
    loaded = loading.settings()
    if replay:
        _give(database.with_store(loaded, lambda store: _again(Privacy(store, loaded))), as_json=as_json)
        return
    if tenant is None or contact is None:
        step = "mychatflow tenant list has the one, GET /api/v1/contacts the other"
        raise Failure("--tenant and --contact are needed", next_step=step, exit_code=console.USAGE)

    async def work(store: Store) -> dict[str, Any]:
        await _refuse_unknown(store, tenant)
        erased = await Privacy(store, loaded).forget(tenant, contact, actor=_ACTOR, at=datetime.now(UTC))
        return erased.certificate()

    try:
        certificate = database.with_store(loaded, work)
    except NoSuchPerson as missing:
        raise _no_contact(tenant, contact) from missing
    except OnLegalHold as held:
        raise Failure("the tenant is on legal hold", next_step="end the hold first") from held
    certificate["warehouse"] = _out_of_the_warehouse(loaded, tenant, contact)
    _give(certificate, as_json=as_json)
    if certificate["warehouse"] is None:
        raise Failure(
            "the database has forgotten, the warehouse has not yet",
            next_step="its next hourly run does it by itself; or now: mychatflow rollup",
            exit_code=console.PARTIAL,
        )


async def _again(privacy: Privacy) -> dict[str, Any]:
    at = datetime.now(UTC)
    return {"erased_again": await privacy.forget_again(at=at), "shredded_again": await privacy.end_again(at=at)}


def _out_of_the_warehouse(loaded: Settings, tenant: UUID, contact: UUID) -> dict[str, int] | None:
    """Rows before and after; None when it could not be done now."""
    command = [sys.executable, "-m", "pipelines.forget", "--tenant", str(tenant), "--contact", str(contact), "--json"]
    done = subprocess.run(command, env=programs.environment(loaded), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return None
    counted: dict[str, int] = json.loads(done.stdout)
    return counted


async def _refuse_unknown(store: Store, tenant: UUID) -> None:
    async with store.platform_transaction() as transaction:
        if await tenants.by_id(transaction, tenant) is None:
            raise Failure(f"no tenant has the id {tenant}", next_step="mychatflow tenant list")


def _no_contact(tenant: UUID, contact: UUID | None) -> Failure:
    return Failure(f"the tenant {tenant} has no contact {contact}")


def _give(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.give_json(answer)
    else:
        console.give_record(answer)
