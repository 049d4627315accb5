"""A page acts for whoever looks at it: for half a minute, in one tenant, and with nothing but our own signature."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from pydantic import SecretStr

from mychatflow.identity import Identities, IdentityRefused, NotAMember
from mychatflow.rules import page_pass
from mychatflow.rules.page_pass import PagePass, PassRefused
from mychatflow.rules.role import Role

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HELD = PagePass(tenant_id=uuid4(), member_id=uuid4(), role=Role.AGENT)


def key_of(settings):
    return settings.derived_secret(page_pass.PURPOSE)


async def test_a_pass_is_who_it_was_written_for(fresh, store):
    written = page_pass.write(HELD, key=key_of(fresh), at=NOW)
    found = await Identities(fresh, store).of_bearer(written, at=NOW, client_host=None)

    assert (found.tenant_id, found.member_id, found.role) == (HELD.tenant_id, HELD.member_id, Role.AGENT)
    assert found.actor == f"member:{HELD.member_id}"
    assert not found.is_platform_staff


async def test_a_pass_opens_no_other_tenant(fresh, store):
    written = page_pass.write(HELD, key=key_of(fresh), at=NOW)

    with pytest.raises(NotAMember):
        await Identities(fresh, store).of_bearer(written, at=NOW, client_host=None, tenant_id=uuid4())


@pytest.mark.parametrize(("seconds", "is_good"), [(0, True), (29, True), (30, False), (3_600, False), (-31, False)])
def test_a_pass_lasts_half_a_minute(fresh, seconds, is_good):
    written = page_pass.write(HELD, key=key_of(fresh), at=NOW)
    at = NOW + timedelta(seconds=seconds)

    if is_good:
        assert page_pass.read(written, key=key_of(fresh), at=at) == HELD
    else:
        with pytest.raises(PassRefused):
            page_pass.read(written, key=key_of(fresh), at=at)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody else"},
        {"role": "emperor"},
        {"tenant": "not an id"},
        {"exp": None},
    ],
)
def test_what_is_not_a_pass_is_refused(fresh, claims):
    usual = {"aud": "mychatflow api", "iat": NOW, "exp": NOW + timedelta(seconds=30), "tenant": str(uuid4())}
    given = {
        name: value
        for name, value in (usual | {"member": None, "role": "viewer"} | claims).items()
        if value or name == "member"
    }
    forged = page_pass.PREFIX + jwt.encode(given, key_of(fresh), algorithm="HS256")

    with pytest.raises(PassRefused):
        page_pass.read(forged, key=key_of(fresh), at=NOW)


async def test_a_pass_of_another_installation_is_refused(fresh, store):
    theirs = fresh.model_copy(update={"master_key": SecretStr("ab" * 32)})

    with pytest.raises(IdentityRefused, match="page_pass"):
        await Identities(fresh, store).of_bearer(
            page_pass.write(HELD, key=key_of(theirs), at=NOW), at=NOW, client_host=None
        )


def test_an_unsigned_pass_is_refused(fresh):
    claims = {"aud": "mychatflow api", "iat": NOW, "exp": NOW + timedelta(seconds=30), "tenant": str(uuid4())}
    unsigned = jwt.encode(claims | {"member": None, "role": "owner"}, None, algorithm="none")

    with pytest.raises(PassRefused):
        page_pass.read(page_pass.PREFIX + unsigned, key=key_of(fresh), at=NOW)
