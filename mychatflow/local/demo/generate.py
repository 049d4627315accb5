"""The whole demo, from a seed and an instant: three businesses, their customers, one bad afternoon."""

import functools
import random
import uuid
from collections import Counter
from datetime import datetime, timedelta

from mychatflow import events
from mychatflow.events import EventType
from mychatflow.local.demo import aftermath, models, outreach, people
from mychatflow.local.demo import business as businesses
from mychatflow.local.demo.business import Business
from mychatflow.local.demo.chat import Stage
from mychatflow.local.demo.rhythm import DAYS, Rhythm
from mychatflow.local.demo.rows import Rows, array, document
from mychatflow.rules import intents
from mychatflow.settings import Settings
from mychatflow.store.cipher import KeyRing

DEFAULT_SEED = 20_261_124


def generate(settings: Settings, *, until: datetime, seed: int = DEFAULT_SEED, scale: float = 1.0) -> Rows:
    """All rows, in memory. The same seed and instant give the same rows but for the encryption's nonces.

    `scale` is the share of the usual number of customers.
    """
    rows, ring = Rows(), KeyRing(*settings.masters)
    known = models.incidents(until)
    # Texts repeat, so each is read once.
    signals = functools.cache(intents.extract)
    first_number = 0
    for business in businesses.read_all():
        chance = random.Random(f"{seed}:{business.session}")
        wrapped = ring.wrap_new_key(business.tenant_id)
        cipher = ring.remember(business.tenant_id, {1: wrapped})
        stage = Stage(
            business=business,
            rows=rows,
            cipher=cipher,
            until=until,
            hashes=functools.cache(lambda text, cipher=cipher: array(cipher.token_hashes(text))),
            signals=signals,
        )
        _describe(business, rows, wrapped=wrapped, until=until, engine=settings.waha_engine)
        outreach.describe(business, rows, until=until)
        rhythm = Rhythm(business, until=until, chance=chance)
        count = max(1, round(business.contacts * scale))
        people.live(stage, count=count, first_number=first_number, rhythm=rhythm, known=known, chance=chance)
        first_number += count
        aftermath.tell(stage, chance=chance)
        aftermath.grade(stage, chance=chance)
        aftermath.read(stage)
    _tell_incidents(rows, known)
    _count_usage(rows)
    return rows


def _describe(business: Business, rows: Rows, *, wrapped: bytes, until: datetime, engine: str) -> None:
    """Who the tenant is, before anybody writes."""
    tenant, since = business.tenant_id, until - timedelta(days=DAYS + 3)
    domain = f"{business.session}.example"
    rows.add("tenants", tenant, f"owner@{domain}", business.name, business.plan, True, since)
    rows.add("tenant_keys", tenant, 1, wrapped)
    rows.add(
        "settings",
        *(tenant, business.name, business.industry, business.description, business.timezone),
        *(document(business.hours), business.default_language, array(business.languages), True, 0, False),
        business.handed[business.default_language],
    )
    for role, name in (("owner", "owner"), ("admin", "admin"), ("agent", "agent-1"), ("agent", "agent-2")):
        rows.add("team_members", tenant, business.id_of(f"member:{name}"), f"{name}@{domain}", role, since)
    rows.add(
        "instances",
        *(tenant, business.instance_id, business.session, "Front desk", None, None),
        *("connected", "WORKING", engine, False, until, since),
    )
    for language, replies in business.quick_replies.items():
        for title, body in replies:
            rows.add("quick_replies", tenant, business.id_of(f"reply:{language}:{title}"), title, body, language)
    for service in business.services:
        rows.add(
            "services", tenant, business.id_of(f"service:{service.name}"), service.name, service.minutes,
            service.price_cents, service.currency,
        )  # fmt: skip
    offered = array(business.id_of(f"service:{service.name}") for service in business.services)
    for resource in business.resources:
        rows.add(
            "resources", tenant, business.id_of(f"resource:{resource}"), resource, business.timezone,
            document(business.hours), offered,
        )  # fmt: skip
    _lose_session(business, rows, until=until)


def _lose_session(business: Business, rows: Rows, *, until: datetime) -> None:
    """The number was offline for some minutes, once."""
    lost = (until - timedelta(days=48)).replace(minute=17, second=0, microsecond=0)
    for previous, status, at in (
        ("WORKING", "FAILED", lost),
        ("FAILED", "WORKING", lost + timedelta(minutes=9)),
    ):
        key = f"{business.session}:{at.isoformat()}"
        rows.add(
            "analytics_events",
            *(business.tenant_id, events.event_id(EventType.SESSION_CHANGED, business.tenant_id, key), at),
            *(str(EventType.SESSION_CHANGED), business.instance_id, None, None),
            *(document({"status": status, "previous": previous}), at),
        )


def _tell_incidents(rows: Rows, known: tuple[models.Incident, ...]) -> None:
    for incident in known:
        target = models.target_of(incident.provider)
        changes = models.breaker_changes(incident)
        for number, (before, after, reason, at) in enumerate(changes):
            change = uuid.uuid5(uuid.NAMESPACE_OID, f"demo:{target}:{at.isoformat()}:{number}")
            rows.add("breaker_history", change, target, before, after, reason, at)
        alert = uuid.uuid5(uuid.NAMESPACE_OID, f"demo:alert:{incident.since.isoformat()}")
        rows.add("alerts", alert, "breaker_open", target, "critical", changes[0][3], changes[-1][3])
        minutes = int((incident.until - incident.since) / timedelta(minutes=1))
        for business in businesses.read_all():
            note = business.id_of(f"annotation:{incident.since.isoformat()}")
            text = f"Other models answered: {minutes} min"
            rows.add("annotations", business.tenant_id, note, incident.since, text)


def _count_usage(rows: Rows) -> None:
    """What each tenant used on each day: the agent's and the campaigns' messages."""
    used: Counter[tuple[object, object]] = Counter()
    for row in rows.tables["analytics_events"]:
        if row[3] == EventType.MESSAGE_SENT:
            used[row[0], row[2].date()] += 1
    for (tenant_id, day), count in used.items():
        rows.add("usage_days", tenant_id, day, count)
