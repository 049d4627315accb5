"""The API's own document, operation by operation: what it allows and what it does not ends as the document says.

`SCHEMA_EXAMPLES=50 pytest tests/realtime/api/test_schema.py` tries each operation so many times in both ways.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.realtime.api.conftest import bearer

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "2"))
_HOW = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# The document's word on an answer: its status, its media type and its form.
_AS_DOCUMENTED = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# A stream that ends when its reader leaves.
_UNWALKED = {"/api/v1/live"}
# What destroys comes last, and the tenant itself at the very end.
_ORDER = ("GET", "PATCH", "PUT", "POST", "DELETE")
# The key that asks must outlive the walk.
_KEPT_IDS = {"key_id"}


@pytest.mark.timeout(1_800)
async def test_every_answer_is_as_the_document_says(api, shop, redis_url):
    root = str(api.base_url).removesuffix("/api/v1/")
    document = (await api.get(f"{root}/api/openapi.json")).json()
    ids = {name: str(value) for name, value in shop.ids.items() if name not in _KEPT_IDS}

    with redis.Redis.from_url(redis_url) as counters:
        walk = Walk(document, root, shop.key, ids, counters)
        await asyncio.to_thread(walk.go)

    asked = {(method.upper(), path) for path, each in document["paths"].items() for method in each}
    assert {(method, path) for method, path, _ in walk.answered} == {each for each in asked if each[1] not in _UNWALKED}
    assert [found for found in walk.answered if found[2] in {429, 500}] == []
    assert walk.undocumented == [], "\n".join(walk.undocumented)
    # It got past the door, and further than the checks of the form.
    assert {200, 201, 202, 204, 404, 422} <= {status for _, _, status in walk.answered}


class Walk:
    """Every operation, with what its schema allows and what it forbids; ids in paths are the shop's own or nobody's."""

    def __init__(
        self, document: dict[str, Any], root: str, key: str, ids: dict[str, str], counters: redis.Redis
    ) -> None:
        self._document, self._root, self._key, self._ids, self._counters = document, root, key, ids, counters
        self.answered: list[tuple[str, str, int]] = []
        self.undocumented: list[str] = []

    def go(self) -> None:
        load_all_checks()
        for operation in self._operations():
            for mode in GenerationMode:

                @_HOW
                @given(case=operation.as_strategy(generation_mode=mode))
                def send(case: schemathesis.Case) -> None:
                    self._send(case)

                # Not every operation can be called wrongly.
                with contextlib.suppress(schemathesis.errors.SchemathesisError, Unsatisfiable):
                    send()

    def _operations(self) -> Iterator[Any]:
        schema = schemathesis.openapi.from_dict(self._document)
        found = [operation.ok() for operation in schema.get_all_operations()]
        walked = [operation for operation in found if operation.path not in _UNWALKED]
        yield from sorted(walked, key=lambda each: (_ORDER.index(each.method.upper()), each.path == "/api/v1/tenant"))

    def _send(self, case: schemathesis.Case) -> None:
        if len(self.answered) % 500 == 0:
            # How many calls a minute holds is another test's.
            self._counters.flushall()
        # Every second time something that is really there.
        if len(self.answered) % 2 and case.meta.generation.mode is GenerationMode.POSITIVE:
            case.path_parameters = {
                name: self._ids.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        answer = case.call(base_url=self._root, headers=bearer(self._key), timeout=30)
        self.answered.append((case.method, case.path, answer.status_code))
        try:
            case.validate_response(answer, checks=_AS_DOCUMENTED)
        except FailureGroup as failed:
            told = "; ".join(str(each).splitlines()[0] for each in failed.exceptions)
            self.undocumented.append(f"{case.method} {case.path} {answer.status_code}: {told} {answer.text[:300]}")
