"""Pairs the demo's numbers with the sandbox phone, so that one can write to them."""

import psycopg

from mychatflow.local import gateway
from mychatflow.local.gateway import GatewayFailed
from mychatflow.settings import Settings

_NUMBERS = """
select instances.tenant_id, instances.id, instances.session, tenants.name
from instances join tenants on tenants.id = instances.tenant_id
where tenants.is_demo and tenants.deleted_at is null
order by instances.session
"""
_CONFIGURED = """
update instances set webhook_configured = true, session_status = %s, updated_at = now()
where tenant_id = %s and id = %s
"""


def register(settings: Settings) -> list[str]:
    """The sessions that the phone has now; none without the phone. A real gateway is left alone."""
    if not settings.is_sandbox_phone:
        return []
    registered = []
    with psycopg.connect(settings.role_url("engine"), connect_timeout=5) as connection:
        for tenant_id, instance_id, session, name in connection.execute(_NUMBERS).fetchall():
            key = settings.webhook_secrets[0].decode()
            try:
                status = gateway.create_session(settings, session=session, name=name, hmac_key=key)
            except GatewayFailed:
                # It is not running; `up` tries again at its next start.
                break
            connection.execute(_CONFIGURED, (status, tenant_id, instance_id))
            registered.append(session)
    return registered
