"""All routes of the tenant API, in the order of its reference."""

from typing import Final

from fastapi import APIRouter, FastAPI

from realtime.api import (
    agent_settings,
    analytics,
    api_keys,
    appointments,
    campaigns,
    contact_facts,
    contact_files,
    contacts,
    conversation_files,
    conversations,
    documents,
    episodes,
    export_links,
    follow_ups,
    instances,
    live,
    notifications,
    people,
    privacy,
    provider_keys,
    quick_replies,
    rehearsals,
    reports,
    services,
    tenant,
    turns_of_hand,
    unanswered,
    webhook_endpoints,
)

FAMILIES: Final[tuple[APIRouter, ...]] = (
    tenant.router,
    agent_settings.router,
    rehearsals.router,
    instances.router,
    quick_replies.router,
    documents.router,
    unanswered.router,
    # Before the contacts: import and export are no contact's ids.
    contact_files.router,
    contacts.router,
    contact_facts.router,
    conversations.router,
    conversation_files.router,
    turns_of_hand.router,
    episodes.router,
    campaigns.router,
    analytics.router,
    follow_ups.router,
    services.router,
    appointments.router,
    notifications.router,
    api_keys.router,
    provider_keys.router,
    webhook_endpoints.router,
    people.router,
    privacy.router,
    live.router,
)


def install(app: FastAPI) -> None:
    """Mount every family; they answer once `doors.opened` gave them what they work with."""
    for router in (*FAMILIES, export_links.router, reports.router):
        # As they are: `include_router` builds each route once more, a quarter of a second of the first request's CPU.
        app.router.routes.extend(router.routes)
