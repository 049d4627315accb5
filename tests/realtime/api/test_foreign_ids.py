"""No id of another tenant opens anything: every route of the API's own document, four roles, wherever an id fits."""

from typing import Any

import pytest
from sqlalchemy import text

from mychatflow.rules.role import Role
from tests.realtime.api.conftest import Shop, a_shop
from tests.realtime.api.possessions import a_key
from tests.realtime.api.test_walls import ASKS_ELSEWHERE, BODIES, FILES, QUERIES, ROUTES

CANARY = "canary-of-the-other-tenant"
# What a person reads of a thing, by table.
NAMES = {
    "contacts": "name",
    "quick_replies": "title",
    "notifications": "title",
    "documents": "title",
    "campaigns": "name",
    "segments": "name",
    "services": "name",
    "resources": "name",
    "follow_up_sequences": "name",
    "api_keys": "name",
    "instances": "name",
    "tenants": "name",
    "webhook_endpoints": "description",
    "contact_attributes": "label",
}
PLATFORMS = {"tenants", "notifications", "instances", "api_keys"}
# What destroys comes last.
ORDER = ("GET", "PATCH", "PUT", "POST", "DELETE")


@pytest.fixture
async def theirs(store) -> Shop:
    """Another tenant, whose every name is known again."""
    other = await a_shop(store)
    for table, column in NAMES.items():
        key = "id" if table == "tenants" else "tenant_id"
        door = store.platform_transaction() if table in PLATFORMS else store.tenant_transaction(other.tenant.tenant_id)
        async with door as transaction:
            changed = await transaction.execute(
                text(f"update {table} set {column} = :canary where {key} = :tenant_id"),
                {"canary": CANARY, "tenant_id": other.tenant.tenant_id},
            )
            assert changed.rowcount, table
    return other


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    found = [
        (method, path, document["paths"][f"/api/v1{path}"][method.lower()])
        for method, path, _ in ROUTES
        if not ASKS_ELSEWHERE.search(path) and (method, path) != ("DELETE", "/tenant")
    ]
    # A preview after PUT /provider-keys would wait for that key's vendor until its patience ends.
    return sorted(found, key=lambda each: (each[1] != "/agent/preview", ORDER.index(each[0])))


def foreign(schema: Any, name: str, document: dict[str, Any], ids: dict[str, Any]) -> Any:
    """A value of that schema that names something of the other tenant; None where no id fits."""
    match schema:
        case {"$ref": str(place)}:
            return foreign(document["components"]["schemas"][place.rpartition("/")[2]], name, document, ids)
        case {"anyOf": list(choices)} | {"allOf": list(choices)}:
            return next((found for each in choices if (found := foreign(each, name, document, ids)) is not None), None)
        case {"type": "array", "items": items}:
            found = foreign(items, name.removesuffix("s"), document, ids)
            return None if found is None else [found]
        case {"format": "uuid"}:
            return str(ids.get(name, ids["contact_id"]))
        case {"properties": dict(properties)}:
            inner = {key: foreign(each, key, document, ids) for key, each in properties.items()}
            return {key: value for key, value in inner.items() if value is not None} or None
        case _:
            return None


def body_of(operation: dict[str, Any], document: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return foreign(content.get("application/json", {}).get("schema"), "", document, ids) or {}


def query_of(operation: dict[str, Any], document: dict[str, Any], ids: dict[str, Any]) -> dict[str, str]:
    asked = {
        each["name"]: foreign(each["schema"], each["name"], document, ids)
        for each in operation.get("parameters", ())
        if each["in"] == "query"
    }
    return {name: value for name, value in asked.items() if value is not None}


@pytest.mark.parametrize("role", Role)
async def test_no_foreign_id_opens_anything(api, shop, theirs, store, rows, role):
    document = (await api.get(str(api.base_url).replace("/api/v1/", "/api/openapi.json"))).json()
    before = held(rows, theirs)
    _, key = await a_key(store, shop.tenant, role)
    claims = {
        "authorization": f"Bearer {key}",
        "x-tenant-id": str(theirs.tenant.tenant_id),
        "x-organization-id": str(theirs.tenant.tenant_id),
        "last-event-id": f"1-{theirs.contact_id}",
    }
    bodies = 0

    for method, path, operation in operations(document):
        media_type, content = FILES.get((method, path), (None, None))
        headers = claims | ({"content-type": media_type} if media_type else {})
        given = body_of(operation, document, theirs.ids)
        bodies += bool(given)
        sent = (BODIES.get((method, path)) or {}) | given
        query = QUERIES.get((method, path), {}) | query_of(operation, document, theirs.ids)
        places = [theirs.ids, shop.ids] if "{" in path else [shop.ids]
        for ids in places:
            answer = await api.request(
                method,
                path.format(**ids),
                params=query,
                headers=headers,
                content=content,
                json=sent if content is None and (sent or method in {"POST", "PUT", "PATCH"}) else None,
            )
            assert answer.status_code < 500, (role, method, path)
            assert CANARY not in answer.text, (role, method, path)
            if ids is theirs.ids:
                assert answer.status_code in {403, 404, 422}, (role, method, path, answer.text)

    # It found where ids go: in a dozen bodies at least.
    assert bodies >= 8
    assert held(rows, theirs) == before


async def test_a_body_that_claims_a_tenant_is_refused(api, theirs):
    for (method, path), body in BODIES.items():
        if "{" in path:
            continue
        answer = await api.request(
            method, path, json=body | {"tenant_id": str(theirs.tenant.tenant_id), "credits": 10**9, "is_owner": True}
        )
        assert answer.status_code == 422, (method, path, answer.text)


def held(rows, shop):
    """Every row of that tenant, in every table."""
    tables = [
        row["name"]
        for row in rows(
            "select class.relname as name from pg_class as class join pg_attribute as attribute"
            " on attribute.attrelid = class.oid and attribute.attname = 'tenant_id' and attribute.attnum > 0"
            " where class.relkind in ('r', 'p') and not class.relispartition"
            " and class.relnamespace = 'public'::regnamespace"
        )
    ]
    return {
        name: sorted(
            str(row["held"])
            for row in rows(f"select to_jsonb({name}) as held from {name} where tenant_id = %s", shop.tenant.tenant_id)
        )
        for name in tables
    }
