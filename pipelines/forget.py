"""`python -m pipelines.forget`: takes an erased person out of the warehouse now, not at the next hour."""

import argparse
import functools
import sys
from datetime import UTC, datetime
from uuid import UUID

from mychatflow import settings as configuration
from pipelines import answers
from warehouse import connection, forgotten, rollup


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.forget", description=__doc__)
    parser.add_argument("--tenant", type=UUID, required=True)
    parser.add_argument("--contact", type=UUID, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    return answers.run(functools.partial(_forget, options.tenant, options.contact, as_json=options.json))


def _forget(tenant_id: UUID, contact_id: UUID, *, as_json: bool) -> int:
    settings = configuration.load()
    counted = {"before": 0, "after": 0}
    if connection.exists(settings):
        counted["before"] = forgotten.count(settings, tenant_id, contact_id)
        # The usual way: the erase list is applied, the touched days are computed, the file is written anew.
        rollup.rollup(settings, at=datetime.now(UTC))
        counted["after"] = forgotten.count(settings, tenant_id, contact_id)
    answers.give(counted, as_json=as_json, sentence=f"{counted['before']} rows before, {counted['after']} after")
    return answers.OK if counted["after"] == 0 else answers.FAILED


if __name__ == "__main__":
    sys.exit(main())
