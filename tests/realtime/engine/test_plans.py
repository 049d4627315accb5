"""Ten thousand chats under way at once make no single one dearer: each finds its own rows by an index."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from realtime.engine import sql
from realtime.engine.pool import Pool

_OPEN_ROWS = {"inbox_open_by_chat", "outbox_open_by_chat"}
_OF_A_CHAT = ("commit", "echoes", "facts", "fail", "lock", "release", "renew", "sent", "start_sending")


def numbered(statement: str) -> str:
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)[sb]", statement)))
    return re.sub(r"%\((\w+)\)[sb]", lambda found: f"${names.index(found.group(1)) + 1}", statement)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def planned(pool: Pool, *names: str) -> dict[str, Any]:
    plans: dict[str, Any] = {}
    async with pool.connection() as connection:
        for name in names:
            explain = f"explain (generic_plan, format json) {numbered(sql.statement(name))}"
            found = await (await connection.execute(explain.encode(), prepare=False)).fetchone() or ()
            plans[name] = found[0][0]["Plan"]
    return plans


async def test_leases_are_found_chat_by_chat(pool: Pool) -> None:
    plans = await planned(pool, *_OF_A_CHAT)

    read = [node for plan in plans.values() for node in nodes(plan) if node.get("Relation Name") == "chat_leases"]
    whole = [
        node for node in read if node["Node Type"] != "ModifyTable" and "chat_id" not in node.get("Index Cond", "")
    ]

    assert len(read) > len(_OF_A_CHAT)
    assert whole == []


async def test_open_rows_are_found_chat_by_chat(pool: Pool) -> None:
    plans = await planned(pool, "inbox", "outbox", "sent", "start_sending")

    whole = {
        name
        for name, plan in plans.items()
        for node in nodes(plan)
        if node.get("Index Name") in _OPEN_ROWS and "chat_id" not in node.get("Index Cond", "")
    }

    assert whole == set()


async def test_a_quiet_worker_keeps_to_one_connection(pool: Pool) -> None:
    await pool.wait()
    backends = set()
    for _ in range(5):
        async with pool.connection() as connection:
            backends.add(connection.info.backend_pid)

    assert len(backends) == 1


@pytest.mark.parametrize("name", ["commit", "facts", "sent"])
async def test_a_usual_turn_does_without_the_seldom_parts(pool: Pool, name: str) -> None:
    seldom = set(re.findall(r"-- Seldom: (\w+)\.", sql.statement(name)))

    async with pool.connection() as connection:
        plan = await connection.execute(f"explain (generic_plan) {numbered(sql.usual(name))}".encode(), prepare=False)
        lines = "\n".join(row[0] for row in await plan.fetchall())

    assert seldom
    assert not seldom & set(re.findall(r"%\((\w+)\)", sql.usual(name)))
    assert "Function Scan on jsonb_to_recordset" in lines
