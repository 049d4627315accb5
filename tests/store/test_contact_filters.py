"""The filter means the same to Postgres and to the rule, whatever is asked of whomever."""

import json
from datetime import timedelta
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import text

from mychatflow.rules import contact_filter, holdout
from mychatflow.rules.contact_filter import AttributeCondition, Comparison, ContactFacts, ContactFilter, Grade
from mychatflow.store import contact_filters
from tests.factories import NOON, a_contact, a_tenant

TAGS = ("vip", "new", "ünïcode 'quote'")
LANGUAGES = ("en", "es", None)
VALUES = ("Madrid", "2026-11-01", "2026-12-24", 3, 3.5, 10, True, False, "", None)
KEYS = ("city", "visits", "member")
days = st.none() | st.integers(1, 60)
tags = st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(tuple)
conditions = st.builds(
    AttributeCondition,
    key=st.sampled_from(KEYS),
    comparison=st.sampled_from([each for each in get_args(Comparison) if each != "is_set"]),
    value=st.sampled_from([value for value in VALUES if value is not None]),
) | st.builds(AttributeCondition, key=st.sampled_from(KEYS), comparison=st.just("is_set"), value=st.booleans())
moments = st.none() | st.integers(1, 60).map(lambda ago: NOON - timedelta(days=ago))
filters = st.builds(
    ContactFilter,
    tags_all=tags,
    tags_any=tags,
    tags_none=tags,
    grades=st.lists(st.sampled_from(get_args(Grade)), max_size=3, unique=True).map(tuple),
    languages=st.lists(st.sampled_from(["en", "es"]), max_size=1).map(tuple),
    active_within_days=days,
    silent_for_days=days,
    active_since=moments,
    active_until=moments,
    is_opted_in=st.none() | st.booleans(),
    is_handed_off=st.none() | st.booleans(),
    owner=st.sampled_from([None, "agent", "human"]),
    attributes=st.lists(conditions, max_size=2).map(tuple),
)


@pytest.fixture
async def people(store):
    """Contacts that differ in everything a filter may ask."""
    tenant = await a_tenant(store)
    known: dict[UUID, ContactFacts] = {}
    for n in range(48):
        days_ago = None if n % 8 == 7 else (n * 5) % 47
        attributes = {
            key: VALUES[(n * 3 + 5 * place) % len(VALUES)]
            for place, key in enumerate(KEYS)
            if VALUES[(n * 3 + 5 * place) % len(VALUES)] is not None
        }
        owner = "human" if n % 6 == 1 else "agent"
        facts = ContactFacts(
            tags=frozenset(TAGS[: n % 4]),
            grade="ABCDF"[n % 5],
            language=LANGUAGES[n % 3],
            last_inbound_at=None if days_ago is None else NOON - timedelta(days=days_ago),
            is_opted_in=n % 4 == 2,
            is_handed_off=n % 7 == 0 or owner == "human",
            owner=owner,
            attributes=attributes,
        )
        contact_id = await a_contact(
            store,
            tenant,
            tags=sorted(facts.tags),
            lead_grade=facts.grade,
            preferred_language=facts.language,
            last_inbound_at=facts.last_inbound_at,
            is_handed_off=n % 7 == 0,
            owner=owner,
            attributes=json.dumps(attributes),
            # An opt-in before a stop is worth nothing.
            opted_out_at=NOON if n % 8 == 3 else None,
        )
        if n % 4 in {2, 3}:
            await _opt_in(store, tenant, contact_id, is_out=n % 4 == 3)
        known[contact_id] = facts
    return tenant, known


async def _opt_in(store, tenant, contact_id, *, is_out):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await transaction.execute(
            text(
                "insert into consents (tenant_id, contact_id, kind, method, recorded_at)"
                " values (:t, :c, :kind, 'import', :at)"
            ),
            {"t": tenant.tenant_id, "c": contact_id, "kind": "opt_out" if is_out else "opt_in", "at": NOON},
        )


async def found(transaction, tenant, wanted):
    asked = contact_filters.condition(wanted, at=NOON)
    rows = await transaction.execute(
        text(f"select id from contacts where tenant_id = :tenant_id and {asked.sql}"),
        asked.values | {"tenant_id": tenant.tenant_id},
    )
    return set(rows.scalars())


async def test_postgres_and_the_rule_agree_on_every_filter(store, people):
    tenant, known = people
    asked: list[ContactFilter] = []

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(wanted=filters)
    def collect(wanted):
        asked.append(wanted)

    collect()
    hits = 0
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        for wanted in asked:
            expected = {one for one, facts in known.items() if contact_filter.matches(wanted, facts, at=NOON)}
            assert await found(transaction, tenant, wanted) == expected, wanted
            hits += 0 < len(expected) < len(known)
    assert hits > 30


async def test_a_saved_filter_comes_back_as_it_was():
    wanted = ContactFilter(tags_any=("vip",), active_since=NOON, attributes=(AttributeCondition(key="a", value=1),))

    assert contact_filters.read(json.loads(contact_filters.written(wanted))) == wanted
    assert contact_filters.written(ContactFilter()) == "{}"


@pytest.mark.parametrize(
    "written",
    [
        {"tag": ["vip"]},
        {"grades": ["E"]},
        {"silent_for_days": 0},
        {"tags_all": [""]},
        {"tags_all": ["x"] * 101},
        {"active_since": "2026-12-01T00:00:00"},
        {"attributes": [{"key": "city"}]},
        {"attributes": [{"key": "city", "comparison": "like", "value": "x"}]},
    ],
)
def test_a_slip_in_a_filter_is_refused(written):
    with pytest.raises(ValidationError):
        contact_filters.read(written)


async def test_words_of_the_caller_are_never_sql(store, people):
    tenant, _ = people
    for hostile in ("' or 1=1 --", "vip') or true --", ":tenant_id", "%(x)s"):
        wanted = ContactFilter(tags_all=(hostile,), attributes=(AttributeCondition(key=hostile, value=hostile),))
        async with store.tenant_transaction(tenant.tenant_id) as transaction:
            assert await found(transaction, tenant, wanted) == set()


async def test_the_control_group_is_the_same_in_postgres(store, people):
    tenant, known = people
    subject = UUID(int=42)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        rows = await transaction.execute(
            text(f"select id from contacts where {holdout.HELD_OUT_SQL}"), {"subject_id": subject, "holdout_share": 0.4}
        )
        drawn = set(rows.scalars())

    assert drawn == {one for one in known if holdout.is_held_out(subject, one, share=0.4)}
    assert 5 < len(drawn) < 35
