"""Whatever the API's own document allows to be sent, and what it does not, never ends in a 500."""

import asyncio
import contextlib

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from tests.realtime.api.conftest import bearer

EXAMPLES = 2
_HOW = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


async def test_no_request_ends_in_a_500(api, shop):
    root = str(api.base_url).removesuffix("/api/v1/")
    document = (await api.get(f"{root}/api/openapi.json")).json()

    answered = await asyncio.to_thread(_walk, document, root, shop.key)

    assert len(answered) >= sum(len(operations) for operations in document["paths"].values()) - len(_UNWALKED)
    assert [found for found in answered if found[2] == 500] == []
    # It got past the door, and further than the checks of the form.
    assert {200, 404, 422} <= {status for _, _, status in answered}


# A stream that ends when its reader leaves.
_UNWALKED = {"/api/v1/live"}


def _walk(document, root, key):
    schema = schemathesis.openapi.from_dict(document)
    answered = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in _UNWALKED:
            continue
        for mode in GenerationMode:

            @_HOW
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case):
                answer = case.call(base_url=root, headers=bearer(key), timeout=30)
                answered.append((case.method, case.path, answer.status_code))

            # Not every operation can be called wrongly.
            with contextlib.suppress(schemathesis.errors.SchemathesisError, Unsatisfiable):
                send()
    return answered
