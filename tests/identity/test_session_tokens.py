"""Who a session token lets in, against an issuer of our own over HTTP."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from sqlalchemy import text

from mychatflow.identity import Identities, IdentityRefused, IssuerUnavailable, NotAMember
from mychatflow.rules.role import Role
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from tests.factories import Tenant, a_tenant

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: Any, key_id: str) -> dict[str, Any]:
    algorithm = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": key_id, "use": "sig"}


@dataclass
class Issuer:
    """An identity provider whose keys and health a test can change."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public(RSA_KEY, "rsa"), public(EC_KEY, "ec")])
    is_down: bool = False
    asked: int = 0


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    known = Issuer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith("/jwks"):
                known.asked += 1
            body = {"keys": known.keys} if self.path.endswith("/jwks") else {"jwks_uri": f"{known.url}/jwks"}
            self.send_response(503 if known.is_down else 200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_arguments):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    known.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def signed_in(fresh: Settings, issuer: Issuer) -> Settings:
    return fresh.model_copy(
        update={"clerk_issuer": issuer.url, "clerk_authorized_parties": "https://app.example, https://two.example"}
    )


@pytest.fixture
async def identities(signed_in: Settings, store: Store):
    door = Identities(signed_in, store)
    yield door
    await door.close()


def a_token(issuer: Issuer, *, key: Any = RSA_KEY, kid: str = "rsa", algorithm: str = "RS256", **claims: Any) -> str:
    now = datetime.now(UTC)
    body = {
        "iss": issuer.url,
        "sub": "user_1",
        "azp": "https://app.example",
        "iat": now,
        "nbf": now - timedelta(seconds=10),
        "exp": now + timedelta(minutes=1),
    } | claims
    return jwt.encode({k: v for k, v in body.items() if v is not None}, key, algorithm=algorithm, headers={"kid": kid})


async def a_member(store: Store, tenant: Tenant, *, subject: str = "user_1", role: str = "agent") -> UUID:
    member_id, user_id = uuid4(), uuid4()
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into users (id, clerk_user_id, email) values (:id, :subject, 'a@b.co') on conflict do nothing"
            ),
            {"id": user_id, "subject": subject},
        )
        await transaction.execute(
            text(
                "insert into team_members (tenant_id, id, user_id, email, role) values"
                " (:tenant, :id, (select id from users where clerk_user_id = :subject), 'ann@shop.example', :role)"
            ),
            {"tenant": tenant.tenant_id, "id": member_id, "subject": subject, "role": role},
        )
    return member_id


async def ask(identities: Identities, token: str | None, **changes: Any):
    arguments = {"at": datetime.now(UTC), "client_host": "203.0.113.9"} | changes
    return await identities.of_bearer(token, **arguments)


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA_KEY, "rsa", "RS256"), (EC_KEY, "ec", "ES256")])
async def test_a_signed_token_lets_its_member_in(store, identities, issuer, key, kid, algorithm):
    tenant = await a_tenant(store)
    member_id = await a_member(store, tenant, role="admin")

    found = await ask(identities, a_token(issuer, key=key, kid=kid, algorithm=algorithm))

    assert (found.tenant_id, found.member_id, found.role) == (tenant.tenant_id, member_id, Role.ADMIN)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": None}, "missing_claim"),
        ({"iat": None}, "missing_claim"),
        ({"sub": None}, "missing_claim"),
        ({"exp": datetime(2026, 1, 1, tzinfo=UTC)}, "expired"),
        ({"nbf": datetime(2099, 1, 1, tzinfo=UTC)}, "not_yet_valid"),
        ({"iss": "https://other.example"}, "issuer"),
        ({"azp": "https://evil.example"}, "authorized_party"),
        ({"azp": None}, "authorized_party"),
        ({"sts": "pending"}, "session_pending"),
        ({"key": STRANGERS_KEY}, "signature"),
        ({"kid": "nobody"}, "unknown_signing_key"),
        ({"kid": "ec"}, "invalid"),
    ],
)
async def test_spoiled_tokens_are_refused(store, identities, issuer, changes, reason):
    await a_member(store, await a_tenant(store))

    with pytest.raises(IdentityRefused) as refused:
        await ask(identities, a_token(issuer, **changes))

    assert (refused.value.reason, refused.value.status_code) == (reason, 401)


async def test_unsigned_and_shared_secret_tokens_are_refused(identities, issuer):
    unsigned = jwt.encode({"sub": "user_1"}, "", algorithm="none", headers={"kid": "rsa"})
    # A secret of the attacker's stands for the public key, which PyJWT would not sign with.
    shared = jwt.encode({"sub": "user_1"}, "s" * 32, algorithm="HS256", headers={"kid": "rsa"})

    for token in (unsigned, shared, "a.b.c", "x" * 10_000):
        with pytest.raises(IdentityRefused):
            await ask(identities, token)
    assert issuer.asked == 0


async def test_an_audience_is_required_when_set(store, signed_in, issuer):
    await a_member(store, await a_tenant(store))
    door = Identities(signed_in.model_copy(update={"clerk_audience": "mychatflow"}), store)

    assert (await ask(door, a_token(issuer, aud="mychatflow"))).role is Role.AGENT
    for audience in ("other", None):
        with pytest.raises(IdentityRefused):
            await ask(door, a_token(issuer, aud=audience))
    await door.close()


async def test_a_token_for_another_application_opens_nothing(store, signed_in, issuer):
    await a_member(store, await a_tenant(store))
    nothing_said = {"clerk_audience": None, "clerk_authorized_parties": None}
    door = Identities(signed_in.model_copy(update=nothing_said | {"clerk_client_id": "dash"}), store)

    assert (await ask(door, a_token(issuer, aud="dash"))).role is Role.AGENT
    for audience in ("somebody-elses-application", None):
        with pytest.raises(IdentityRefused, match=r"audience|missing_claim"):
            await ask(door, a_token(issuer, aud=audience))
    await door.close()


async def test_unknown_keys_ask_the_issuer_once_in_a_while(identities, issuer):
    now = datetime.now(UTC)

    for _ in range(5):
        with pytest.raises(IdentityRefused):
            await ask(identities, a_token(issuer, kid="nobody"), at=now)
    with pytest.raises(IdentityRefused):
        await ask(identities, a_token(issuer, kid="nobody"), at=now + timedelta(seconds=31))

    assert issuer.asked == 2


async def test_known_keys_outlive_the_issuer_for_a_day(store, identities, issuer):
    await a_member(store, await a_tenant(store))
    now = datetime.now(UTC)
    await ask(identities, a_token(issuer), at=now)

    issuer.is_down = True

    assert (await ask(identities, a_token(issuer), at=now + timedelta(hours=23))).role is Role.AGENT
    with pytest.raises(IssuerUnavailable):
        await ask(identities, a_token(issuer, kid="new"), at=now + timedelta(hours=23, minutes=1))
    with pytest.raises(IssuerUnavailable):
        await ask(identities, a_token(issuer), at=now + timedelta(hours=25))


async def test_a_rotated_key_is_found(store, identities, issuer):
    await a_member(store, await a_tenant(store))
    now = datetime.now(UTC)
    await ask(identities, a_token(issuer), at=now)

    issuer.keys = [public(STRANGERS_KEY, "second")]

    found = await ask(identities, a_token(issuer, key=STRANGERS_KEY, kid="second"), at=now + timedelta(minutes=1))
    assert found.role is Role.AGENT


async def test_a_removed_member_is_out_at_once(store, identities, issuer):
    tenant = await a_tenant(store)
    await a_member(store, tenant)
    await ask(identities, a_token(issuer))

    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update team_members set removed_at = now()"))

    with pytest.raises(NotAMember) as refused:
        await ask(identities, a_token(issuer))
    assert refused.value.status_code == 403


async def test_a_person_chooses_among_their_tenants_alone(store, identities, issuer):
    one, two, strangers = await a_tenant(store), await a_tenant(store), await a_tenant(store)
    await a_member(store, one)
    await a_member(store, two)

    assert (await ask(identities, a_token(issuer), tenant_id=two.tenant_id)).tenant_id == two.tenant_id
    with pytest.raises(NotAMember):
        await ask(identities, a_token(issuer), tenant_id=strangers.tenant_id)


async def an_organization(store: Store, tenant: Tenant, name: str) -> None:
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "with made as (insert into organizations (clerk_organization_id, name) values (:name, 'Shop')"
                " returning id) update tenants set organization_id = made.id from made where tenants.id = :tenant"
            ),
            {"name": name, "tenant": tenant.tenant_id},
        )


# Clerk's session token of version 1 names the active organization flat, version 2 in a claim of its own.
IN_ORGANIZATION = [
    lambda name: {"org_id": name, "org_role": "org:admin", "sid": "sess_1"},
    lambda name: {"v": 2, "sts": "active", "o": {"id": name, "slg": "acme", "rol": "admin"}, "sid": "sess_1"},
]


@pytest.mark.parametrize("version", IN_ORGANIZATION, ids=["v1", "v2"])
async def test_a_token_opens_its_organization_or_nothing(store, identities, issuer, version):
    alphabetically_first, other, strangers = [await a_tenant(store) for _ in range(3)]
    for tenant, name in ((other, "org_other"), (strangers, "org_strangers")):
        await an_organization(store, tenant, name)
    await a_member(store, alphabetically_first)
    await a_member(store, other)

    assert (await ask(identities, a_token(issuer, **version("org_other")))).tenant_id == other.tenant_id
    for name in ("org_strangers", "org_nobody_knows"):
        with pytest.raises(NotAMember) as refused:
            await ask(identities, a_token(issuer, **version(name)))
        assert refused.value.status_code == 403
