"""From a session token or an API key to who is asking: tenant, member, role and scopes."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import jwt

from mychatflow.rules import page_pass
from mychatflow.rules.page_pass import PassRefused
from mychatflow.rules.role import Role
from mychatflow.settings import Settings
from mychatflow.store import api_keys, members, tenants
from mychatflow.store.members import Membership
from mychatflow.store.session import Store

ALGORITHMS: Final = ("RS256", "ES256")
# A token that names a key nobody knows may make us ask the issuer, but not more often than this.
_LEAST_BETWEEN_REFRESHES: Final = timedelta(seconds=30)
_KEYS_FRESH: Final = timedelta(hours=1)
# How long the keys we have go on while the issuer does not answer.
_KEYS_LAST: Final = timedelta(hours=24)
_CLOCK_DIFFERENCE: Final = timedelta(seconds=5)
_LONGEST_TOKEN: Final = 8_192
_ISSUER_TIMEOUT: Final = 5.0


class IdentityRefused(Exception):
    """Nobody may act on this; `reason` is one of a few fixed words, safe to log and to answer with."""

    status_code = 401

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAMember(IdentityRefused):
    """The person is known, but has no place in that tenant (any more)."""

    status_code = 403


class IssuerUnavailable(IdentityRefused):
    """The identity provider must be asked, and does not answer."""

    status_code = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is asking. No scopes means all that the role may do; a local owner and a key have no member."""

    tenant_id: UUID
    member_id: UUID | None
    role: Role
    scopes: frozenset[str] = frozenset()
    is_platform_staff: bool = False
    key_id: UUID | None = None

    @property
    def actor(self) -> str:
        """For the audit log."""
        if self.key_id is not None:
            return f"key:{self.key_id}"
        return f"member:{self.member_id}" if self.member_id is not None else "local owner"


class Identities:
    """The door of a process: one per process, it keeps the issuer's public keys."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._keys = IssuerKeys(settings.clerk_issuer) if settings.clerk_issuer else None

    async def of_bearer(
        self, token: str | None, *, at: datetime, client_host: str | None, tenant_id: UUID | None = None
    ) -> Identity:
        """Who sent this bearer token. Raises IdentityRefused.

        `tenant_id` chooses between the tenants of one person; membership is read anew each time, so that a removed
        member is out at once.
        """
        if token is None:
            return await self._local_owner(client_host, tenant_id)
        if token.startswith(api_keys.PREFIX):
            return await self._of_key(token, at=at, tenant_id=tenant_id)
        if token.startswith(page_pass.PREFIX):
            return self._of_pass(token, at=at, tenant_id=tenant_id)
        if self._keys is None:
            raise IdentityRefused("no_issuer")
        claims = await verified_claims(token, keys=self._keys, settings=self._settings, at=at)
        return await self._of_claims(claims, tenant_id)

    async def close(self) -> None:
        if self._keys is not None:
            await self._keys.close()

    async def _of_key(self, secret: str, *, at: datetime, tenant_id: UUID | None) -> Identity:
        async with self._store.platform_statements() as statements:
            key = await api_keys.by_secret(statements, secret, at=at)
        if key is None:
            raise IdentityRefused("unknown_key")
        if tenant_id not in {None, key.tenant_id}:
            raise NotAMember("other_tenant")
        return Identity(
            tenant_id=key.tenant_id, member_id=None, role=key.role, scopes=frozenset(key.scopes), key_id=key.key_id
        )

    def _of_pass(self, token: str, *, at: datetime, tenant_id: UUID | None) -> Identity:
        """A page asked who is looking just before it wrote the pass, so that nothing is read again here."""
        try:
            found = page_pass.read(token, key=self._settings.derived_secret(page_pass.PURPOSE), at=at)
        except PassRefused as refused:
            raise IdentityRefused("page_pass") from refused
        if tenant_id not in {None, found.tenant_id}:
            raise NotAMember("other_tenant")
        return Identity(tenant_id=found.tenant_id, member_id=found.member_id, role=found.role)

    async def _of_claims(self, claims: Mapping[str, Any], tenant_id: UUID | None) -> Identity:
        async with self._store.platform_statements() as statements:
            found = await members.of_subject(statements, str(claims["sub"]))
        chosen = choose(found, tenant_id=tenant_id, organization=organization_of(claims))
        if chosen is None:
            raise NotAMember("no_membership")
        return Identity(
            tenant_id=chosen.tenant_id,
            member_id=chosen.member_id,
            role=chosen.role,
            is_platform_staff=chosen.is_platform_staff,
        )

    async def _local_owner(self, client_host: str | None, tenant_id: UUID | None) -> Identity:
        """A development machine's own user; anywhere else a missing token is refused."""
        if self._settings.env != "development" or self._keys is not None or not _is_loopback(client_host):
            raise IdentityRefused("missing_token")
        async with self._store.platform_transaction() as transaction:
            tenant = await (tenants.by_id(transaction, tenant_id) if tenant_id else tenants.first(transaction))
        if tenant is None:
            raise NotAMember("no_tenant")
        return Identity(tenant_id=tenant.tenant_id, member_id=None, role=Role.OWNER, is_platform_staff=True)


def choose(found: Sequence[Membership], *, tenant_id: UUID | None, organization: str | None) -> Membership | None:
    """The membership meant: the tenant asked for, else the organization signed in to, else the first.

    Whoever names a tenant or an organization gets that one or none: never silently another one of theirs.
    """
    if tenant_id is not None:
        return next((item for item in found if item.tenant_id == tenant_id), None)
    if organization is not None:
        return next((item for item in found if item.organization == organization), None)
    return found[0] if found else None


def organization_of(claims: Mapping[str, Any]) -> str | None:
    """Clerk's active organization, in the claims of version 1 or 2."""
    nested = claims.get("o")
    found = nested.get("id") if isinstance(nested, Mapping) else claims.get("org_id")
    return found if isinstance(found, str) else None


async def verified_claims(token: str, *, keys: "IssuerKeys", settings: Settings, at: datetime) -> Mapping[str, Any]:
    """The claims of a token that the issuer signed, for us, and that is in force. Raises IdentityRefused."""
    if len(token) > _LONGEST_TOKEN:
        raise IdentityRefused("too_long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise IdentityRefused("malformed") from error
    # Before any key is looked at, so that no public key is ever used as a shared secret.
    if header.get("alg") not in ALGORITHMS:
        raise IdentityRefused("algorithm")
    key = await keys.find(str(header.get("kid") or ""), at=at)
    audience = _audience(settings)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            issuer=settings.clerk_issuer,
            audience=audience,
            leeway=_CLOCK_DIFFERENCE,
            options={"require": ["exp", "iat", "sub"], "verify_aud": audience is not None},
        )
    except jwt.InvalidTokenError as error:
        raise IdentityRefused(_reason(error)) from error
    _refuse_other_parties(claims, settings.clerk_authorized_parties)
    if claims.get("sts") == "pending":
        raise IdentityRefused("session_pending")
    return claims


def _audience(settings: Settings) -> str | None:
    """An issuer signs for many applications: where nothing says for which one we are, our own client is meant."""
    if settings.clerk_audience or settings.clerk_authorized_parties:
        return settings.clerk_audience
    return settings.clerk_client_id


def _refuse_other_parties(claims: Mapping[str, Any], allowed: str | None) -> None:
    """PyJWT does not know `azp`: a token made for another site's page must not open ours."""
    parties = {party.strip() for party in (allowed or "").split(",") if party.strip()}
    if parties and claims.get("azp") not in parties:
        raise IdentityRefused("authorized_party")


def _reason(error: jwt.InvalidTokenError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "expired"
        case jwt.ImmatureSignatureError():
            return "not_yet_valid"
        case jwt.InvalidIssuerError():
            return "issuer"
        case jwt.InvalidAudienceError():
            return "audience"
        case jwt.MissingRequiredClaimError():
            return "missing_claim"
        case jwt.InvalidSignatureError():
            return "signature"
        case _:
            return "invalid"


class IssuerKeys:
    """The issuer's public keys: refreshed hourly, asked for at most every 30 s, good for a day without it."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer.rstrip("/")
        self._client = httpx.AsyncClient(timeout=_ISSUER_TIMEOUT)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None

    async def find(self, key_id: str, *, at: datetime) -> jwt.PyJWK:
        """Raises IdentityRefused for a key the issuer does not have, IssuerUnavailable when it cannot be asked."""
        if key_id not in self._keys or self._age(at) > _KEYS_FRESH:
            await self._refresh(at)
        if self._age(at) > _KEYS_LAST:
            raise IssuerUnavailable("issuer_unavailable")
        # A provider with a single key need not name it in its tokens.
        key = next(iter(self._keys.values())) if not key_id and len(self._keys) == 1 else self._keys.get(key_id)
        if key is not None:
            return key
        # Only an answer newer than the question says that the key is not there.
        if self._fetched_at is None or self._asked_at != self._fetched_at:
            raise IssuerUnavailable("issuer_unavailable")
        raise IdentityRefused("unknown_signing_key")

    async def close(self) -> None:
        await self._client.aclose()

    def _age(self, at: datetime) -> timedelta:
        return timedelta.max if self._fetched_at is None else at - self._fetched_at

    async def _refresh(self, at: datetime) -> None:
        if self._asked_at is not None and at - self._asked_at < _LEAST_BETWEEN_REFRESHES:
            return
        self._asked_at = at
        try:
            configuration = await self._json(f"{self._issuer}/.well-known/openid-configuration")
            listed = (await self._json(str(configuration["jwks_uri"])))["keys"]
            self._keys = {str(key.get("kid") or ""): jwt.PyJWK(key) for key in listed if _is_for_signatures(key)}
        except (httpx.HTTPError, jwt.PyJWTError, KeyError, TypeError, ValueError):
            # What we have goes on; find() says when that is too old.
            return
        self._fetched_at = at

    async def _json(self, url: str) -> dict[str, Any]:
        answer = await self._client.get(url)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def _is_for_signatures(key: Mapping[str, Any]) -> bool:
    return key.get("use", "sig") == "sig" and key.get("kty") in {"RSA", "EC"}


def _is_loopback(host: str | None) -> bool:
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
