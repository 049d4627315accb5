"""`python -m warehouse.score_replay`: another score policy over the published past, beside the live one."""

import argparse
import dataclasses
import json
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from mychatflow.rules.lead_score import DEFAULT_POLICY
from warehouse import query, reader, what_if, windows
from warehouse.reader import NothingPublished
from warehouse.what_if import PolicyRefused, WhatIf

_SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    """Print the answer; exit codes as the `mychatflow` command's."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.since >= options.until:
        parser.error(f"--from {options.since} is not before --to {options.until}")
    try:
        policy = what_if.read_policy(options.policy) if options.policy else DEFAULT_POLICY
        with reader.current().cursor() as cursor:
            found = what_if.ask(
                cursor,
                since=options.since,
                until=options.until,
                policy=policy,
                known_at=options.known_at,
                tenant_id=options.tenant,
            )
    except PolicyRefused as refused:
        return _complain(str(refused), query.USAGE)
    except NothingPublished as missing:
        return _complain(str(missing), query.DEPENDENCY_DOWN)
    if options.json:
        asked = {"from": options.since, "to": options.until, "policy": _plain(policy)}
        print(json.dumps(asked | dataclasses.asdict(found), default=query.plain))
    else:
        _print(found)
    return query.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mychatflow score replay", description=__doc__)
    parser.add_argument("--from", dest="since", type=windows.instant, required=True, metavar="T")
    parser.add_argument("--to", dest="until", type=windows.instant, required=True, metavar="T", help="not included")
    parser.add_argument("--policy", type=Path, help="YAML or JSON; the live rules when absent")
    parser.add_argument(
        "--known-at", type=windows.instant, default=None, metavar="T", help="hide what arrived later than that"
    )
    parser.add_argument("--tenant", type=UUID, default=None, metavar="ID", help="all tenants when absent")
    parser.add_argument("--json", action="store_true")
    return parser


def _plain(policy: Any) -> dict[str, Any]:
    fields = {item.name: getattr(policy, item.name) for item in dataclasses.fields(policy)}
    return fields | {"intent_points": dict(policy.intent_points)}


def _print(found: WhatIf) -> None:
    out = Console(width=None if sys.stdout.isatty() else 160)
    out.print(
        f"{found.totals['contact_count']} contacts: {found.totals['up_count']} up, {found.totals['down_count']} down"
    )
    grades = sorted({row["from_grade"] for row in found.matrix})
    if found.left_out_count:
        out.print(f"{found.left_out_count} left out: their business no longer keeps all that they wrote")
    out.print("grades at the end: live (rows) → policy (columns)")
    table = Table(box=None, header_style="bold")
    table.add_column("")
    for grade in grades:
        table.add_column(grade, justify="right")
    counts = {(row["from_grade"], row["to_grade"]): row["contact_count"] for row in found.matrix}
    for old in grades:
        table.add_row(old, *(str(counts[old, new]) for new in grades))
    out.print(table)
    _print_people(out, "would have been hot", found.would_have_been_hot)
    _print_people(out, "would not have been hot", found.no_longer_hot)
    agreement = found.agreement
    out.print(
        f"replayed live rules against the ledger: {agreement['compared_count']} compared, "
        f"{agreement['differing_count']} differ"
    )


def _print_people(out: Console, title: str, people: list[dict[str, Any]]) -> None:
    out.print(f"{len(people)} {title} (B or better)")
    for person in people[:_SHOWN]:
        out.print(
            f"  {person['contact_id']}  {person['first_hot_at']:%Y-%m-%d %H:%M}  "
            f"highest {person['current_peak']} → {person['other_peak']}"
        )
    if len(people) > _SHOWN:
        out.print(f"  … and {len(people) - _SHOWN} more; --json names all")


def _complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    # Who has read enough, as `head` has, ends it: without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
