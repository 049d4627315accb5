"""The prompt's mark: the same in every request of a business, so that it is cached, and no other business's."""

from uuid import uuid4

from mychatflow.store.cipher import KeyRing, TenantCipher
from realtime.agent import prompt
from realtime.agent.knowledge import Knowledge
from realtime.agent.tenants import Switches

MASTER = b"m" * 32


def a_cipher() -> TenantCipher:
    tenant_id, ring = uuid4(), KeyRing(MASTER)
    return ring.remember(tenant_id, {1: ring.wrap_new_key(tenant_id)})


def test_a_business_has_one_mark_and_no_others():
    mine, theirs = a_cipher(), a_cipher()

    assert mine.mark("prompt") == mine.mark("prompt")
    assert len({mine.mark("prompt"), mine.mark("other"), theirs.mark("prompt")}) == 3
    assert mine.mark("prompt").isalpha()


def test_the_mark_stands_in_the_part_that_vendors_cache():
    mark = a_cipher().mark("prompt")
    nothing = Knowledge(stable=(), found=())

    first, second = (prompt.system(Switches(), nothing, mark=mark) for _ in range(2))

    assert mark in first
    assert first == second
