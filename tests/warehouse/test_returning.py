"""Whoever was erased and writes again is a customer like others, and may be erased again."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON, Business
from warehouse import reconciliation, rollup
from warehouse.reader import Reader


def _erase(installation: Settings, business: Business, contact_id: UUID) -> None:
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("delete from contacts where id = %s", (contact_id,))
        engine.execute("delete from analytics_events where contact_id = %s", (contact_id,))
        engine.execute(
            "insert into erase_list (tenant_id, contact_id, wa_hash, erased_at) values (%s, %s, 'hash', now())"
            " on conflict (tenant_id, wa_hash) do update set erased_at = excluded.erased_at",
            (business.tenant_id, contact_id),
        )


def _write_again(installation: Settings, business: Business, contact_id: UUID) -> None:
    """As the engine does: the same WhatsApp id is the same contact id."""
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "insert into contacts (tenant_id, id, instance_id, wa_id, chat_id) values (%s, %s, %s, 'a@c.us', 'a@c.us')",
            (business.tenant_id, contact_id, business.instance_id),
        )
    word = history.an_event(
        business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=1), contact_id=contact_id, message_id="new"
    )
    history.write_events(installation, [word])


def _found(published: Reader, contact_id: UUID) -> tuple[int, int]:
    """Events, and contacts, that are published of them."""
    tables = ("analytics_events", "lead_scores_current")
    events, contacts = (
        len(published.rows(f"select 1 from {name} where contact_id = $1", [contact_id])) for name in tables
    )
    return events, contacts


@pytest.mark.parametrize("lands_between", [True, False])
def test_who_writes_again_after_an_erasure_is_counted(
    installation: Settings, published: Reader, lands_between: bool
) -> None:
    business = history.a_business(installation)
    past = history.a_past(business, turns=20, days=5)
    history.write(installation, past)
    contact_id = past.contacts[0][1]
    rollup.rollup(installation, at=NOON)

    _erase(installation, business, contact_id)
    if lands_between:
        rollup.rollup(installation, at=NOON)
        assert _found(published, contact_id) == (0, 0)
    _write_again(installation, business, contact_id)
    for _ in range(2):
        rollup.rollup(installation, at=NOON)
        assert _found(published, contact_id) == (1, 1)
    assert reconciliation.reconcile(installation, at=NOON).missing == ()

    _erase(installation, business, contact_id)
    rollup.rollup(installation, at=NOON)
    assert _found(published, contact_id) == (0, 0)
