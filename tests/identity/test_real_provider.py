"""Sign-in against a real OIDC server from the package registry: discovery, code flow, its own keys and tokens."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text

from mychatflow.identity import Identities, IdentityRefused, NotAMember
from mychatflow.rules.role import Role
from tests import ports
from tests.factories import a_tenant
from tests.identity.test_session_tokens import a_member

BACK = "http://localhost:8501/oauth2callback"


@pytest.fixture
async def provider() -> AsyncIterator[httpx.AsyncClient]:
    port = ports.free()
    # A process of its own, as every provider is.
    arguments = ("-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        async with asyncio.timeout(30):
            while True:
                try:
                    await client.get("/.well-known/openid-configuration")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield client
    process.terminate()
    await process.wait()


async def a_token(provider: httpx.AsyncClient, subject: str) -> str:
    """An ID token by the authorization code flow, with the form that a person would fill in."""
    asked = {"client_id": "dash", "redirect_uri": BACK, "response_type": "code", "scope": "openid email", "state": "s"}
    answer = await provider.post("/oauth2/authorize", params=asked, data={"sub": subject})
    (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    taken = await provider.post("/oauth2/token", data=grant, auth=("dash", "sekret"))
    return str(taken.json()["id_token"])


async def test_a_real_providers_token_lets_its_member_in(provider, fresh, store):
    issuer = (await provider.get("/.well-known/openid-configuration")).json()["issuer"]
    tenant = await a_tenant(store)
    await a_member(store, tenant, subject="ann", role="admin")
    door = Identities(fresh.model_copy(update={"clerk_issuer": issuer, "clerk_audience": "dash"}), store)
    other = Identities(fresh.model_copy(update={"clerk_issuer": issuer, "clerk_audience": "else"}), store)
    token = await a_token(provider, "ann")
    ask = {"at": datetime.now(UTC), "client_host": None}

    found = await door.of_bearer(token, **ask)

    assert (found.tenant_id, found.role) == (tenant.tenant_id, Role.ADMIN)
    with pytest.raises(IdentityRefused, match="audience"):
        await other.of_bearer(token, **ask)
    with pytest.raises(IdentityRefused, match="signature"):
        await door.of_bearer(spoiled(token), **ask)
    with pytest.raises(NotAMember):
        await door.of_bearer(await a_token(provider, "stranger"), **ask)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update team_members set removed_at = now()"))
    with pytest.raises(NotAMember):
        await door.of_bearer(token, **ask)
    await door.close()
    await other.close()


def spoiled(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "root"}).encode()).decode().rstrip("=")
    return f"{head}.{forged}.{signature}"
