"""Looks at a running installation: each check says what it found, and what to do when that is not well."""

import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

import httpx
import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mychatflow.local import leftovers, programs, safety
from mychatflow.rules.alerts import BY_NAME, LEAST_FREE_BYTES
from mychatflow.settings import ConfigurationRefused, Settings
from mychatflow.store import media_vault, schema
from mychatflow.store.session import unsafe_reason

Verdict = Literal["ok", "warning", "failed", "down"]
_MOST_CLOCK_DIFFERENCE: Final = 60.0
_STALE_SECONDS: Final = 3 * 3600
_WALL = """
select relname from pg_class
join pg_namespace on pg_namespace.oid = pg_class.relnamespace
where nspname = 'public' and relkind in ('r', 'p')
    and exists (select 1 from pg_attribute where attrelid = pg_class.oid and attname = 'tenant_id')
    and not (relrowsecurity and relforcerowsecurity)
order by relname
"""
_ROLE = """
select
    rolsuper, rolbypassrls,
    exists (select 1 from pg_class where relkind in ('r', 'p') and relowner = pg_roles.oid
        and relnamespace = 'public'::regnamespace)
from pg_roles where rolname = current_user
"""
_FIRING = "select rule, subject from alerts where cleared_at is null order by fired_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's answer. `down` means that something we depend on does not answer."""

    check: str
    verdict: Verdict
    detail: str
    next_step: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every check, one after the other; none of them raises."""
    return [found for check in CHECKS for found in check(settings)]


def configuration(settings: Settings) -> list[Finding]:
    reasons = safety.reasons(settings)
    if reasons:
        return [_found("configuration", "failed", "; ".join(reasons), "mychatflow config check")]
    return [_found("configuration", "ok", f"nothing wrong ({settings.env})")]


def keys(settings: Settings) -> list[Finding]:
    """The master key is there and nobody else may read it."""
    if settings.master_key is not None:
        return [_found("keys", "ok", "master key from the environment")]
    try:
        path = settings.data_dir / "keys" / "master.key"
        settings.derived_secret("doctor")
    except (OSError, ValueError, ConfigurationRefused) as error:
        return [_found("keys", "failed", f"unreadable: {error}", "restore keys/ from a backup: texts need it")]
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return [_found("keys", "failed", f"{path} is readable by others", f"chmod 600 {path}")]
    return [_found("keys", "ok", f"{path}, readable by its owner alone")]


def disk(settings: Settings) -> list[Finding]:
    free = shutil.disk_usage(_existing(settings.data_dir)).free
    if free < LEAST_FREE_BYTES:
        return [_found("disk", "failed", f"{free // 10**6:,} MB free", "free some space: writes will be refused")]
    return [_found("disk", "ok", f"{free / 10**9:.0f} GB free")]


def media(settings: Settings) -> list[Finding]:
    """A file can be put into the bucket, read and taken out again; the folder's disk is looked at above."""
    if settings.media_url is None:
        return [_found("media", "ok", f"in the folder {settings.media_dir} (MEDIA_URL is not set)")]
    shelf, path, written = media_vault.opened(settings).shelf, f"doctor/{uuid4().hex}", b"written by mychatflow doctor"
    try:
        shelf.put(path, written)
        read = shelf.get(path)
        shelf.remove(path)
    except OSError as error:
        cause = str(error.__cause__ or error).splitlines()[0][:200]
        return [_found("media", "down", f"{error}: {cause}", "check MEDIA_URL and MEDIA_ACCESS_KEY")]
    if read != written:
        return [_found("media", "failed", "the bucket gives back other bytes than it took", "check MEDIA_URL")]
    return [_found("media", "ok", f"{settings.media_url.partition('?')[0]} takes, gives and removes files")]


def postgres(settings: Settings) -> list[Finding]:
    """Reachable, newest schema, a role that cannot look over the tenant wall, and the wall itself."""
    try:
        with psycopg.connect(settings.role_url("app"), connect_timeout=3) as connection:
            if reason := schema.too_old(connection):
                return [_found("postgres", "failed", f"DATABASE_URL's server {reason}", "upgrade it")]
            role = connection.execute(_ROLE).fetchone()
            open_tables = [row[0] for row in connection.execute(_WALL)]
            between = pooler(connection.info.backend_pid, connection.execute("select pg_backend_pid()").fetchone())
            version = connection.execute("select version_num from alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return [_found("postgres", "failed", "holds no tables yet", "mychatflow migrate")]
    except psycopg.OperationalError as error:
        return [_found("postgres", "down", str(error).splitlines()[0], leftovers.bring_back(settings, "postgres"))]
    findings = [*between, _role(role), _wall(open_tables)]
    revision = version[0] if version else None
    if schema.is_served_by_us(revision):
        findings.append(_found("schema", "ok", f"version {revision}"))
    else:
        told = f"at {revision}, newest is {schema.newest_revision()}"
        findings.append(_found("schema", "failed", told, "mychatflow migrate"))
    return findings


def pooler(told: int, served_by: tuple[int] | None) -> list[Finding]:
    """Whoever stands between us and the server has told us a process of its own making."""
    if served_by in {None, (told,)}:
        return []
    detail = "a pooler stands before it: one that pools transactions or statements breaks off our prepared statements"
    return [_found("pooler", "warning", detail, "name the server itself: every program pools by itself")]


def _role(role: tuple[bool, bool, bool] | None) -> Finding:
    is_superuser, is_above, is_owner = role or (False, False, False)
    reason = unsafe_reason(is_superuser=is_superuser, is_above_row_security=is_above, is_owner=is_owner)
    if reason:
        return _found("database role", "failed", f"DATABASE_URL's role {reason}", "use mychatflow_app")
    return _found("database role", "ok", "behind the tenant wall")


def _wall(open_tables: list[str]) -> Finding:
    if open_tables:
        return _found(
            "tenant wall", "failed", f"no forced row-level security on {', '.join(open_tables)}", "mychatflow migrate"
        )
    return _found("tenant wall", "ok", "row-level security is forced on every tenant table")


def meanings(settings: Settings) -> list[Finding]:
    """The search by meaning is optional: off is well, half on is not."""
    if settings.embedding_model is None:
        return [_found("meanings", "ok", "off: passages are found by their letters (EMBEDDING_MODEL is not set)")]
    if settings.openai_api_key is None:
        return [_found("meanings", "warning", "off: no provider that embeds has a key", "set OPENAI_API_KEY")]
    try:
        with psycopg.connect(settings.role_url("engine"), connect_timeout=5) as connection:
            found = connection.execute("select 1 from pg_extension where extname = 'vector'").fetchone()
    except psycopg.OperationalError as error:
        detail = f"Postgres: {type(error).__name__}"
        return [_found("meanings", "down", detail, leftovers.bring_back(settings, "postgres"))]
    if found is None:
        step = "as a superuser of the database: create extension vector"
        return [_found("meanings", "warning", "off: the database has no extension vector", step)]
    return [_found("meanings", "ok", f"on, by {settings.embedding_model}")]


def redis_server(settings: Settings) -> list[Finding]:
    client = redis.Redis.from_url(
        settings.redis_address, retry=Retry(NoBackoff(), 0), socket_timeout=2, socket_connect_timeout=2
    )
    try:
        client.set("mychatflow:doctor", "1", px=1000)
        if _is_cluster(client):
            return [_found("redis", "failed", "is a cluster, whose other nodes we never ask", "name a single Redis")]
    except redis.ResponseError as error:
        return [_found("redis", "failed", f"answers, and refuses us: {error}", "check its ACL, memory and role")]
    except redis.RedisError as error:
        return [_found("redis", "down", str(error) or type(error).__name__, leftovers.bring_back(settings, "redis"))]
    finally:
        client.close()
    return [_found("redis", "ok", "answers and takes what we write")]


def _is_cluster(client: redis.Redis) -> bool:
    try:
        return bool(client.info("cluster").get("cluster_enabled"))
    except redis.ResponseError:
        # Nothing but this asks for it, so it may be forbidden to us.
        return False


def processes(settings: Settings) -> list[Finding]:
    """The ports of our programs: up, or free to take; and whether the workers of this data directory run."""
    findings = []
    for program in programs.chosen(settings, frozenset(programs.NAMES)):
        if program.alive is not None and program.alive.exists():
            findings.append(_worker(program, time.time() - program.alive.stat().st_mtime))
        if program.health is None:
            continue
        try:
            answer = httpx.get(program.health, timeout=3, trust_env=False)
        except httpx.HTTPError:
            findings.append(_found(program.name, "down", f"nothing answers on port {program.port}", "mychatflow up"))
            continue
        verdict: Verdict = "ok" if answer.is_success else "failed"
        step = "" if answer.is_success else f"{program.port_variable}: another program may hold that port"
        findings.append(_found(program.name, verdict, f"{program.address} answers {answer.status_code}", step))
    return findings


def _worker(program: programs.Program, silent_seconds: float) -> Finding:
    if silent_seconds > program.longest_silence_seconds:
        detail = f"killed or stuck: no sign of life for {silent_seconds:.0f} s"
        return _found(program.name, "down", detail, "mychatflow up")
    return _found(program.name, "ok", "runs")


def gateway(settings: Settings) -> list[Finding]:
    """It must refuse us without the key: an open gateway is used for spam within hours. Its clock must be ours."""
    try:
        with httpx.Client(base_url=settings.gateway_url, timeout=5, trust_env=not settings.is_sandbox_phone) as client:
            anonymous = client.get("/api/sessions")
            known = client.get("/api/sessions", headers={"X-Api-Key": settings.gateway_key})
    except httpx.HTTPError as error:
        step = "mychatflow up" if settings.is_sandbox_phone else "check WAHA_BASE_URL"
        return [_found("gateway", "down", f"{settings.gateway_url}: {type(error).__name__}", step)]
    findings = [_clock(known)]
    if anonymous.status_code != httpx.codes.UNAUTHORIZED:
        detail = f"answers {anonymous.status_code} without a key: anybody can send with your number"
        findings.append(_found("gateway", "failed", detail, "set WAHA_API_KEY at the gateway, now"))
    elif not known.is_success:
        findings.append(_found("gateway", "failed", f"refuses our key ({known.status_code})", "check WAHA_API_KEY"))
    else:
        findings.append(_found("gateway", "ok", f"{len(known.json())} sessions; refuses strangers"))
    return findings


def _clock(answer: httpx.Response) -> Finding:
    """Webhooks signed more than five minutes away from our clock are refused."""
    told = answer.headers.get("date")
    if told is None:
        return _found("clock", "warning", "the gateway tells no time to compare with")
    difference = abs((parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    if difference > _MOST_CLOCK_DIFFERENCE:
        return _found("clock", "failed", f"{difference:.0f} s from the gateway's", "synchronise the clocks (NTP)")
    return _found("clock", "ok", "agrees with the gateway's")


def freshness(settings: Settings) -> list[Finding]:
    published = settings.warehouse_dir / "published" / "current"
    if not published.exists():
        return [_found("freshness", "warning", "no numbers published yet", "mychatflow rollup")]
    age = time.time() - published.resolve().stat().st_mtime
    if age > _STALE_SECONDS:
        return [_found("freshness", "failed", f"published {age / 3600:.1f} hours ago", "mychatflow rollup")]
    return [_found("freshness", "ok", f"published {age / 60:.0f} minutes ago")]


def alerts(settings: Settings) -> list[Finding]:
    """What fires now, each with what to do about it."""
    try:
        with psycopg.connect(settings.role_url("engine"), connect_timeout=3) as connection:
            firing = connection.execute(_FIRING).fetchall()
    except psycopg.Error:
        # Said above, by the check of Postgres.
        return []
    rules = [(BY_NAME[name], subject) for name, subject in firing if name in BY_NAME]
    return [
        _found("alert", "warning", f"{rule.says}{f' ({subject})' if subject else ''}", rule.do)
        for rule, subject in rules
    ] or [_found("alerts", "ok", "none fires")]


def alert_mail(settings: Settings) -> list[Finding]:
    if settings.alert_emails:
        return [_found("alert mail", "ok", "ALERT_EMAILS names whom alerts go to")]
    verdict: Verdict = "warning" if settings.is_production else "ok"
    return [_found("alert mail", verdict, "nobody is told of alerts (ALERT_EMAILS is not set)", "set ALERT_EMAILS")]


CHECKS: Final[tuple[Callable[[Settings], list[Finding]], ...]] = (
    configuration, keys, disk, media, postgres, meanings, redis_server, gateway, processes, freshness, alerts,
    alert_mail,
)  # fmt: skip


def _found(check: str, verdict: Verdict, detail: str, next_step: str = "") -> Finding:
    return Finding(check=check, verdict=verdict, detail=detail, next_step=next_step)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
