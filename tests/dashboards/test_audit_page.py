"""The audit says who did what to whom by name; the ids that prove it stay in the row's whole text and in the file."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from dashboards import data as shared
from dashboards import exports
from dashboards.setup import data, record
from mychatflow.store import audit
from mychatflow.store.session import Store
from tests.dashboards.conftest import Town
from tests.dashboards.test_pages import opened
from tests.factories import Tenant, a_campaign
from tests.realtime.api.possessions import a_key, a_member

AT = datetime(2026, 11, 25, 12, 30, 5, tzinfo=UTC)
KEYS = ["business_hours", "timezone", *(f"setting_{number}" for number in range(30))]


@pytest.fixture
def things(pages: Town) -> Iterator[dict[str, UUID]]:
    """What the hotel has, and five rows of its audit that tell of it: the newest is about somebody who is gone."""
    shop = pages.hotel
    tenant = Tenant(tenant_id=shop.tenant_id, instance_id=shop.instance_id, session=f"session-{shop.instance_id}")

    async def make() -> dict[str, UUID]:
        store = Store(pages.settings)
        made = {
            "member": await a_member(store, tenant, email=f"asha-{uuid4().hex[:6]}@hotel.test"),
            "key": (await a_key(store, tenant))[0],
            "contact": shop.rows["contacts"][0][1],
            "campaign": await a_campaign(store, tenant, name="Winter offer"),
            "gone": uuid4(),
        }
        member, key = f"member:{made['member']}", f"key:{made['key']}"
        async with store.audit_transaction() as transaction:
            for actor, action, subject, detail in (
                (key, "settings.changed", tenant.tenant_id, {"keys": KEYS}),
                (member, "campaign.tested", made["campaign"], {"contact_id": str(made["contact"])}),
                (key, "conversation.opened", made["contact"], {}),
                ("local owner", "member.changed", made["member"], {"role": "agent", "previous": "viewer"}),
                (f"member:{made['gone']}", "contact.erased", made["gone"], {}),
            ):
                await audit.record(
                    transaction,
                    tenant.tenant_id,
                    actor=actor,
                    action=action,
                    subject=str(subject),
                    detail=detail,
                    at=AT,
                )
        await store.close()
        return made

    made = asyncio.run(make())
    yield made
    with psycopg.connect(pages.settings.role_url("engine"), autocommit=True) as connection:
        for table, name in (("campaigns", "campaign"), ("api_keys", "key"), ("team_members", "member")):
            connection.execute(sql.SQL("delete from {} where id = %s").format(sql.Identifier(table)), (made[name],))


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """The rows of the file that the page offers."""
    files: list[Mapping[str, Any]] = []

    def offered(_looking: object, rows: Sequence[Mapping[str, Any]], **_: object) -> None:
        files.extend(rows)

    monkeypatch.setattr(exports, "menu", offered)
    return files


def test_rows_name_who_did_it_and_to_whom(pages: Town, things: dict[str, UUID]) -> None:
    shown = opened("audit", workspace=pages.hotel.name).dataframe[0].value.to_dict("records")[:5]
    address = data.called(pages.hotel.tenant_id, [things["member"]])[things["member"]]
    gone = str(things["gone"])[:8]
    guest = pages.hotel.rows["contacts"][0][5]

    assert [(row["Who"], row["What"], row["On"]) for row in shown] == [
        (f"Member {gone}", "Contact erased", f"Contact {gone}"),
        ("Local owner", "Member changed", address),
        ("API key owner", "Conversation opened", guest),
        (address, "Campaign tested", "Winter offer"),
        ("API key owner", "Settings changed", pages.hotel.name),
    ]
    assert shown[1]["Detail"] == "role: agent, previous: viewer"
    assert shown[3]["Detail"] == f"contact: {guest}"


def test_names_are_asked_for_together(pages: Town, things: dict[str, UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    assert things
    asked: list[int] = []
    called, people = data.called, shared.people

    def counted(read: Any) -> Any:
        def reading(tenant_id: UUID, ids: Sequence[UUID]) -> Any:
            asked.append(len(ids))
            return read(tenant_id, ids)

        return reading

    monkeypatch.setattr(data, "called", counted(called))
    monkeypatch.setattr(shared, "people", counted(people))

    opened("audit", workspace=pages.hotel.name)

    assert len(asked) == 2
    assert min(asked) >= 5


def test_a_row_holds_everything_with_its_ids(pages: Town, things: dict[str, UUID]) -> None:
    rows = data.record(pages.hotel.tenant_id)[:5]
    known = {things["contact"]: "Guest of honour", things["campaign"]: "Winter offer", things["member"]: "a@hotel.test"}

    tested = record.whole(rows[3], known, "Asia/Kolkata")
    changed = record.whole(rows[4], {}, "UTC")

    assert tested == {
        "When": "25 Nov 2026, 18:00:05",
        "Who": f"a@hotel.test (member:{things['member']})",
        "What": "Campaign tested (campaign.tested)",
        "On": f"Winter offer ({things['campaign']})",
        "Contact": f"Guest of honour ({things['contact']})",
        "Row of the log": str(rows[3]["id"]),
    }
    assert changed["Keys"] == ", ".join(KEYS)
    assert record.whole(rows[1], {}, "UTC")["Who"] == "Local owner"


def test_the_file_keeps_the_ids(pages: Town, things: dict[str, UUID], taken: list[Mapping[str, Any]]) -> None:
    opened("audit", workspace=pages.hotel.name)

    assert [row["actor"] for row in taken[1:4]] == ["local owner", f"key:{things['key']}", f"member:{things['member']}"]
    assert [row["subject"] for row in taken[1:4]] == [str(things[name]) for name in ("member", "contact", "campaign")]
    assert taken[3]["detail"] == f"contact_id: {things['contact']}"


def test_a_key_called_like_a_member_is_no_member() -> None:
    key_id = uuid4()
    row = {"actor": f"key:{key_id}", "action": "x.y", "subject": None, "detail": None}

    assert record.actor(row, {key_id: "owner@hotel.test"}) == "API key owner@hotel.test"


@pytest.mark.parametrize("written", ["3EB0C767D71D3A5E1F3C9A2E00112233", "openai", "manage_campaigns", ""])
def test_what_is_no_id_of_ours_is_shown_as_it_is(written: str) -> None:
    assert record.subject({"subject": written, "action": "message.altered"}, {}) == written
