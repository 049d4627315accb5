"""`mychatflow audit`: whether the record of who did what is still the one that was written."""

from typing import Annotated, Any
from uuid import UUID

import typer

from mychatflow.local import console
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.store import audit
from mychatflow.store.audit import Chain
from mychatflow.store.session import Store

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Check the audit log's chain of hashes."""


@app.command()
def verify(
    tenant: Annotated[UUID | None, typer.Option(help="One tenant; all otherwise.")] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="TENANT:HASH of an earlier run, kept elsewhere: the chain must still contain it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Walk every chain; exit 1 names the first row that was changed, removed or put in between."""
    loaded = loading.settings()
    anchors = dict(_anchor(words) for words in head or ())

    async def work(store: Store) -> list[Chain]:
        async with store.audit_transaction() as transaction:
            found = [tenant] if tenant else await audit.tenants(transaction)
            # Whose whole record is gone is in no table any more: the head that was kept knows of them.
            wanted = dict.fromkeys([*found, *anchors])
            return [await audit.verify(transaction, each, anchor=anchors.get(each)) for each in wanted]

    chains = database.with_store(loaded, work)
    broken = [chain for chain in chains if not chain.holds]
    answer: dict[str, Any] = {
        "tenants": len(chains),
        "rows": sum(chain.row_count for chain in chains),
        "heads": {str(chain.tenant_id): chain.head.hex() for chain in chains},
        "broken": [
            {"tenant_id": str(chain.tenant_id), "row_id": chain.broken_at, "why": chain.why} for chain in broken
        ],
    }
    if as_json:
        console.give_json(answer)
    else:
        console.give_record(answer)
    if broken:
        first = broken[0]
        where = f"row {first.broken_at}" if first.broken_at is not None else "its end"
        raise Failure(
            f"the audit log of tenant {first.tenant_id} is broken at {where}: {first.why}",
            next_step="compare it with a backup; the row before is the last that is proven",
        )


def _anchor(words: str) -> tuple[UUID, bytes]:
    tenant, _, head = words.partition(":")
    try:
        return UUID(tenant), bytes.fromhex(head)
    except ValueError as error:
        raise Failure(f"--head {words!r} must be TENANT:HASH", exit_code=console.USAGE) from error
