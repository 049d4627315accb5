"""Of two contacts that are one person, what was decided holds, whichever of the two it was said of."""

from datetime import timedelta
from typing import Any

import pytest

from tests.factories import NOON, a_contact, a_tenant
from tests.store.campaigning import rows
from tests.store.test_campaign_merging import merged

_SOON, _LATER = NOON + timedelta(hours=1), NOON + timedelta(hours=2)


@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize(
    ("one", "two", "united"),
    [
        (("human", None), ("human", _SOON), ("human", None)),
        (("human", None), ("agent", None), ("human", None)),
        (("human", _SOON), ("human", _LATER), ("human", _LATER)),
        (("human", _SOON), ("agent", None), ("human", _SOON)),
        (("agent", None), ("agent", None), ("agent", None)),
    ],
)
async def test_a_chat_taken_over_without_an_end_stays_so(store, one: Any, two: Any, united: Any, is_turned: bool):
    tenant = await a_tenant(store)
    both = [
        await a_contact(store, tenant, owner=owner, paused_until=until)
        for owner, until in ((two, one) if is_turned else (one, two))
    ]

    await merged(store, tenant, *both)

    [row] = await rows(store, "select owner, paused_until from contacts where id = :id", id=both[0])
    assert (row["owner"], row["paused_until"]) == united


@pytest.mark.parametrize("is_turned", [False, True])
async def test_the_language_that_a_person_asked_for_holds(store, is_turned: bool):
    tenant = await a_tenant(store)
    guessed = {"preferred_language": "en"}
    asked_for = {"preferred_language": "es", "language_locked_at": NOON}
    both = [
        await a_contact(store, tenant, **values)
        for values in ((asked_for, guessed) if is_turned else (guessed, asked_for))
    ]

    await merged(store, tenant, *both)

    [row] = await rows(store, "select preferred_language, language_locked_at from contacts where id = :id", id=both[0])
    assert (row["preferred_language"], row["language_locked_at"]) == ("es", NOON)
