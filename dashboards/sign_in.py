"""Signing in with the organisation's identity provider: what Streamlit's OIDC client needs, from our settings."""

from typing import Any

from mychatflow.settings import ConfigurationRefused, Settings


def public(settings: Settings) -> str:
    """Where people reach the dashboards."""
    return settings.dashboards_url or f"http://{settings.web_host}:{settings.dashboards_port}"


def secrets(settings: Settings) -> dict[str, Any]:
    """The `auth` section of Streamlit's secrets; empty while no issuer is set. Raises ConfigurationRefused."""
    if not settings.clerk_issuer:
        return {}
    client_id = settings.clerk_client_id or settings.clerk_audience
    if not client_id or settings.clerk_client_secret is None:
        raise ConfigurationRefused(
            "CLERK_CLIENT_ID and CLERK_CLIENT_SECRET: the dashboards sign people in with them when CLERK_ISSUER is set."
        )
    issuer = settings.clerk_issuer.rstrip("/")
    return {
        "auth": {
            "redirect_uri": f"{public(settings).rstrip('/')}/oauth2callback",
            "cookie_secret": settings.derived_secret("dashboards cookie"),
            "client_id": client_id,
            "client_secret": settings.clerk_client_secret.get_secret_value(),
            "server_metadata_url": f"{issuer}/.well-known/openid-configuration",
        }
    }
