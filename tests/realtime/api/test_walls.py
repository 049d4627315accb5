"""Who gets through which door: every route of the API, every role, and never another tenant."""

import re
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from fastapi.routing import APIRoute

from mychatflow.rules.role import PERMISSIONS, Permission, Role, may
from realtime.api import router
from realtime.api.routes import TenantRoute, tenant_router
from tests.realtime.api.conftest import a_shop, bearer
from tests.realtime.api.possessions import a_file, a_key

BODIES = {
    ("PUT", "/settings"): {"debounce_ms": 1},
    ("POST", "/agent/preview"): {"text": "t"},
    ("POST", "/instances"): {"session": "new-one"},
    ("PATCH", "/instances/{instance_id}"): {"sends_per_minute": 60},
    ("POST", "/quick-replies"): {"title": "t", "body": "b"},
    ("PATCH", "/quick-replies/{quick_reply_id}"): {"title": "t"},
    ("PUT", "/quick-replies/{quick_reply_id}"): {"title": "t", "body": "b"},
    ("PATCH", "/contacts/{contact_id}"): {"name": "n"},
    ("POST", "/contacts/{contact_id}/tags"): {"add": ["x"]},
    ("PUT", "/contacts/{contact_id}/notes"): {"notes": "n"},
    ("POST", "/contacts/{contact_id}/notes"): {"notes": "n"},
    ("POST", "/conversations/{contact_id}/messages"): {"text": "t"},
    ("POST", "/conversations/{contact_id}/reply"): {"text": "t"},
    ("POST", "/api-keys"): {"name": "k"},
    ("POST", "/webhook-endpoints"): {"url": "https://example.test/hooks"},
    ("PATCH", "/webhook-endpoints/{endpoint_id}"): {"description": "d"},
    ("POST", "/webhook-endpoints/{endpoint_id}/replay"): {
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-01-02T00:00:00Z",
    },
    ("DELETE", "/tenant"): {"confirm": "not its name"},
    ("PUT", "/tenant/legal-hold"): {"is_on": False, "reason": "Case 117"},
    ("PUT", "/provider-keys"): {"provider": "openai", "key": "a-key-of-ours"},
    ("POST", "/members"): {"email": "new@example.test", "role": "viewer"},
    ("PATCH", "/members/{member_id}"): {"is_on_duty": False},
    ("POST", "/exports"): {},
    ("POST", "/erasures"): {"contact_id": str(UUID(int=1))},
    ("POST", "/documents/urls"): {"urls": ["https://example.test/"]},
    ("PATCH", "/documents/{document_id}"): {"title": "t"},
    ("POST", "/unanswered-questions/{question_id}/quick-reply"): {"body": "b"},
    ("POST", "/campaigns"): {"name": "c", "template": "Hello"},
    ("PATCH", "/campaigns/{campaign_id}"): {"name": "c"},
    ("POST", "/campaigns/{campaign_id}/test"): {"contact_id": str(UUID(int=1))},
    ("POST", "/follow-up-sequences"): {"name": "s", "steps": [{"delay_minutes": 60, "template": "t"}]},
    ("PATCH", "/follow-up-sequences/{sequence_id}"): {"name": "s"},
    ("POST", "/follow-up-sequences/{sequence_id}/runs"): {"contact_id": str(UUID(int=1))},
    ("POST", "/contact-attributes"): {"key": "size", "label": "Size", "type": "text"},
    ("POST", "/segments"): {"name": "s", "filter": {}},
    ("PATCH", "/segments/{segment_id}"): {"name": "renamed"},
    ("POST", "/contacts/{contact_id}/merge"): {"contact_id": str(UUID(int=1))},
    ("POST", "/contacts/{contact_id}/consents"): {"kind": "opt_in", "method": "card"},
    ("POST", "/services"): {"name": "s", "duration_minutes": 30},
    ("PATCH", "/services/{service_id}"): {"name": "s"},
    ("POST", "/resources"): {"name": "r", "timezone": "UTC"},
    ("PATCH", "/resources/{resource_id}"): {"name": "r"},
    ("POST", "/appointments"): {"contact_id": str(UUID(int=1)), "slot_id": "s"},
    ("POST", "/appointments/{appointment_id}/confirm"): {},
    ("POST", "/appointments/{appointment_id}/reschedule"): {"slot_id": "s"},
    ("POST", "/appointments/{appointment_id}/cancel"): {},
    ("POST", "/appointments/{appointment_id}/close"): {"status": "completed"},
}
QUERIES = {
    ("GET", "/live"): {"seconds": 1},
    ("GET", "/appointments/slots"): {"service_id": str(UUID(int=1))},
    ("POST", "/documents"): {"title": "t"},
}
FILES = {
    ("POST", "/documents"): ("text/plain", b"words"),
    ("PUT", "/documents/{document_id}/file"): ("text/plain", b"words"),
    ("POST", "/conversations/{contact_id}/files"): ("text/plain", b"words"),
    ("POST", "/contacts/import"): ("text/csv", b"phone\n+34600111222"),
}
ROUTES = [
    (method, route.path.removeprefix("/api/v1"), route.permission)
    for family in router.FAMILIES
    for route in family.routes
    for method in route.methods
]
# By any generator of clients.
READABLE = {"application/json", "application/problem+json", "application/octet-stream"}
# These ask a gateway or the dashboards, which no test of walls runs.
ASKS_ELSEWHERE = re.compile(r"/instances/\{instance_id\}/(start|stop|logout|qr)$|^/analytics/")


async def call(client, method, path, ids, key=None):
    headers = bearer(key) if key else {}
    media_type, content = FILES.get((method, path), (None, None))
    if media_type is not None:
        headers |= {"content-type": media_type}
    return await client.request(
        method,
        path.format(**ids),
        json=BODIES.get((method, path)),
        content=content,
        params=QUERIES.get((method, path)),
        headers=headers,
        follow_redirects=False,
    )


def test_every_route_has_a_rule():
    paths = set()
    for family in router.FAMILIES:
        for route in family.routes:
            assert isinstance(route, TenantRoute)
            assert route.path.startswith("/api/v1/")
            assert route.permission in Permission
            for method in route.methods:
                assert (method, route.path) not in paths
                paths.add((method, route.path))
    assert len(paths) == len(ROUTES)


async def test_the_app_has_no_other_way_in(api):
    document = (await api.get(str(api.base_url).replace("/api/v1/", "/api/openapi.json"))).json()

    found = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in document["paths"].items()
        if path.startswith("/api/v1")
        for method in operations
    }

    assert found == {(method, path) for method, path, _ in ROUTES}


async def test_a_client_can_be_generated_from_the_document(api):
    """Every shape has a name of its own and every operation an id: generators make a class and a function of each."""
    document = (await api.get(str(api.base_url).replace("/api/v1/", "/api/openapi.json"))).json()
    operations = [each for path in document["paths"].values() for each in path.values()]

    assert [name for name in document["components"]["schemas"] if "__" in name or name.endswith("put")] == []
    assert len({each["operationId"] for each in operations}) == len(operations)
    bodies = {kind for each in operations for kind in each.get("requestBody", {}).get("content", {})}
    answers = {kind for each in operations for told in each["responses"].values() for kind in told.get("content", {})}
    files = {kind for kind in answers - READABLE if not kind.startswith("text/")}
    told = yaml.safe_load((Path(__file__).parents[3] / "docs" / "openapi-python-client.yaml").read_text("utf-8"))
    assert (bodies - READABLE) | files == told["content_type_overrides"].keys()


def test_a_route_without_a_rule_cannot_exist():
    with pytest.raises(KeyError):
        tenant_router("t").get("/open")(lambda: None)
    assert issubclass(TenantRoute, APIRoute)


@pytest.mark.parametrize("role", Role)
async def test_roles_open_only_their_routes(api, shop, store, rows, role):
    refused = 0
    for method, path, permission in ROUTES:
        # A key of its own: revoking must not end the test.
        _, key = await a_key(store, shop.tenant, role)
        if may(role, permission) and ASKS_ELSEWHERE.search(path):
            continue
        answer = await call(api, method, path, shop.ids, key)
        if may(role, permission):
            assert answer.status_code not in {401, 403}, (role, method, path)
            is_refused_for_its_words = (method, path) == ("DELETE", "/tenant") and answer.status_code == 422
            assert is_refused_for_its_words or answer.status_code < 300 or answer.status_code in {404, 409}, (
                role,
                method,
                path,
                answer.text,
            )
        else:
            refused += 1
            assert answer.status_code == 403, (role, method, path)
            assert answer.json()["permission"] == permission.value
    assert refused == sum(permission not in PERMISSIONS[role] for _, _, permission in ROUTES)
    assert len(rows("select 1 from audit_log where action = 'access.refused'")) == refused


async def test_nobody_reaches_another_tenants_rows(api, shop, store, rows):
    theirs = await a_shop(store)
    watched = (
        "contacts",
        "quick_replies",
        "notifications",
        "episodes",
        "api_keys",
        "outbox",
        "interactions",
        "instances",
        "services",
        "resources",
        "appointments",
        "documents",
        "unanswered_questions",
        "campaigns",
        "campaign_recipients",
        "contact_attributes",
        "contact_imports",
        "segments",
        "webhook_endpoints",
        "webhook_deliveries",
        "contact_notes",
        "consents",
        "follow_up_sequences",
        "follow_up_steps",
        "follow_up_runs",
        "follow_ups",
    )
    before = {name: _held(rows, name, theirs) for name in watched}

    for method, path, _ in ROUTES:
        answer = await call(api, method, path, theirs.ids)
        if "{" in path:
            assert answer.status_code == 404, (method, path, answer.text)
            assert answer.json()["code"] == "not_found"
        for foreign in theirs.ids.values():
            assert str(foreign) not in answer.text, (method, path)

    assert {name: _held(rows, name, theirs) for name in watched} == before


async def test_the_same_calls_work_at_home(api, shop, store):
    ids = shop.ids | {"message_id": await a_file(store, shop.tenant, shop.contact_id)}
    for method, path, _ in ROUTES:
        if "{" in path and method == "GET" and not ASKS_ELSEWHERE.search(path):
            assert (await call(api, method, path, ids)).status_code == 200, path


async def test_strangers_stay_outside(api, shop, fresh, store):
    revoked_id, revoked = await a_key(store, shop.tenant)
    await api.delete(f"/api-keys/{revoked_id}")

    for header in ("Bearer mcf_unknown", "Bearer", "Basic abc", "Bearer a.b.c", f"Bearer {revoked}"):
        answer = await api.get("/contacts", headers={"authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_loopback_alone_opens_nothing(api):
    del api.headers["authorization"]

    for method, path, _ in ROUTES:
        answer = await api.request(method, path.replace("{", "").replace("}", ""))
        assert answer.status_code == 401, (method, path)


async def test_scopes_narrow_a_role(api, shop, store):
    _, key = await a_key(store, shop.tenant, Role.OWNER, scopes=["view_leads", "manage_api_keys"])

    assert (await api.get("/contacts", headers=bearer(key))).status_code == 200
    assert (await api.get("/settings", headers=bearer(key))).status_code == 403
    # Nor does such a key make a wider one.
    wide = await api.post("/api-keys", json={"name": "wide", "role": "viewer"}, headers=bearer(key))
    assert wide.status_code == 403


def _held(rows, table, shop):
    found = rows(f"select to_jsonb({table}) as held from {table} where tenant_id = %s", shop.tenant.tenant_id)
    # A key that is used says so.
    return sorted(str({k: v for k, v in row["held"].items() if k != "last_used_at"}) for row in found)
