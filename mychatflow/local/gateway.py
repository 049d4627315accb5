"""Makes a session at the WhatsApp gateway, with our webhook, its key and its retries."""

from typing import Any, Final

import httpx

from mychatflow.settings import Settings

_EVENTS: Final = ("message", "message.any", "message.reaction", "message.ack", "message.edited", "message.revoked")
# Exponential: from two seconds to about nine hours.
_RETRIES: Final = {"policy": "exponential", "delaySeconds": 2, "attempts": 15}


class GatewayFailed(Exception):
    """The gateway did not take the session; the message says why, in one line."""


def create_session(
    settings: Settings, *, session: str, name: str, hmac_key: str, webhook_url: str | None = None
) -> str:
    """Make or change that session at the gateway; returns its status. Raises GatewayFailed."""
    body = {"name": session, "start": True, "config": _config(webhook_url or settings.webhook_url, hmac_key, name)}
    # A proxy of this machine's environment is not asked for loopback.
    with httpx.Client(
        base_url=settings.gateway_url,
        headers={"X-Api-Key": settings.gateway_key},
        timeout=10,
        trust_env=not settings.is_sandbox_phone,
    ) as client:
        try:
            answer = client.post("/api/sessions", json=body)
            if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                # It has one of that name already.
                answer = client.put(f"/api/sessions/{session}", json={"config": body["config"]})
            answer.raise_for_status()
            return str(answer.json().get("status", "STARTING"))
        except httpx.HTTPStatusError as error:
            raise GatewayFailed(f"{settings.gateway_url} answered {error.response.status_code}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise GatewayFailed(f"{settings.gateway_url} does not answer: {type(error).__name__}") from error


def _config(webhook_url: str, hmac_key: str, name: str) -> dict[str, Any]:
    webhook = {
        "url": webhook_url,
        "events": [*_EVENTS, "session.status"],
        "hmac": {"key": hmac_key},
        "retries": _RETRIES,
    }
    return {"webhooks": [webhook], "metadata": {"business.name": name}}
