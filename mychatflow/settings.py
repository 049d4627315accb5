"""Every environment variable of the product, typed and read once: the only reader of the environment."""

import functools
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mychatflow.rules import setting_forms

Role = Literal["owner", "app", "engine", "pipeline", "audit"]
ROLES: tuple[Role, ...] = ("owner", "app", "engine", "pipeline", "audit")
DATABASE = "mychatflow"
_DATA_DIR = Path(".mychatflow")
# A unix socket's path holds at most 107 bytes, and Postgres appends `/.s.PGSQL.5432`.
_LONGEST_SOCKET_DIRECTORY = 80

# The services of others, not used when left blank.
_Text = Annotated[str | None, BeforeValidator(setting_forms.unless_blank)]
_Secret = Annotated[SecretStr | None, BeforeValidator(setting_forms.unless_blank)]
_Rate = Annotated[str, AfterValidator(setting_forms.rate)]
_Budgets = Annotated[_Text, AfterValidator(setting_forms.daily_budgets)]
_Url = Annotated[_Text, AfterValidator(setting_forms.web_address)]
_Address = Annotated[str, AfterValidator(setting_forms.web_address)]
_Mails = Annotated[_Text, AfterValidator(setting_forms.mail_addresses)]
# Worker 64 answers 63 ports above the first.
_MetricsPort = Annotated[Annotated[int, Field(ge=1, le=65472)] | None, BeforeValidator(setting_forms.unless_blank)]
_Folder = Annotated[Path | None, BeforeValidator(setting_forms.unless_blank)]
_Lake = Annotated[_Text, AfterValidator(setting_forms.warehouse_url)]
_Bucket = Annotated[_Text, AfterValidator(setting_forms.bucket_url)]
_Postgres = Annotated[_Secret, AfterValidator(setting_forms.of_a_secret(setting_forms.postgres_url))]
_Redis = Annotated[_Secret, AfterValidator(setting_forms.of_a_secret(setting_forms.redis_url))]
_HexKeys = Annotated[SecretStr | None, AfterValidator(setting_forms.of_a_secret(setting_forms.hex_key))]
_SigningSecrets = Annotated[SecretStr | None, AfterValidator(setting_forms.of_a_secret(setting_forms.signing_secrets))]


class ConfigurationRefused(Exception):
    """A setting is missing, malformed or unsafe; the message names it and says what to do (exit code 78)."""


class Settings(BaseSettings):
    """The environment, checked. Field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8-sig", extra="ignore", frozen=True)

    env: Literal["development", "preview", "production"] = Field(
        "development",
        validation_alias="MYCHATFLOW_ENV",
        description="`production` refuses default secrets, http issuers, open Redis and unsafe database roles.",
    )
    data_dir: Annotated[Path, BeforeValidator(lambda given: setting_forms.unless_blank(given) or _DATA_DIR)] = Field(
        _DATA_DIR,
        validation_alias="MYCHATFLOW_DATA_DIR",
        description="Embedded servers, warehouse, keys, logs, pid files.",
    )
    master_key: _HexKeys = Field(
        None,
        validation_alias="MYCHATFLOW_MASTER_KEY",
        description="Wraps the tenants' keys: 64 hex digits; `new,old` while rotating. Made at first start when unset.",
    )
    database_url: _Postgres = Field(None, description="A real Postgres, 17 or newer; the embedded one when unset.")
    database_owner_url: _Postgres = Field(
        None, description="The role that migrates, where roles have names of their own."
    )
    database_engine_url: _Postgres = Field(None, description="The role that answers customers across tenants.")
    database_pipeline_url: _Postgres = Field(None, description="The role that reads everything for the warehouse.")
    database_audit_url: _Postgres = Field(None, description="The role that appends to the audit log.")
    redis_url: _Redis = Field(None, description="A real Redis; the embedded one when unset.")
    web_host: str = Field("127.0.0.1", description="Address the webhook and API listen on.")
    web_port: int = Field(8000, ge=1, le=65535, description="Port of the webhook and API.")
    web_url: _Url = Field(None, description="Where the gateway and integrators reach the webhook and API.")
    dashboards_port: int = Field(8501, ge=1, le=65535, description="Port of the dashboards.")
    dashboards_url: _Url = Field(None, description="Where people reach the dashboards; OIDC returns there.")
    analytics_url: _Url = Field(None, description="Where the API finds the numbers; the local dashboards when unset.")
    dagster_port: int = Field(3000, ge=1, le=65535, description="Port of the Dagster UI.")
    phone_port: int = Field(3001, ge=1, le=65535, description="Port of the sandbox phone.")
    web_workers: int = Field(1, ge=1, le=64, description="Web processes.")
    workers: int = Field(1, ge=1, le=64, description="Worker processes.")
    warehouse_url: _Lake = Field(None, description="`duckdb:///file` or a lake (decision 19); else in the data dir.")
    backup_dir: _Folder = Field(None, description="Where the daily backup goes; no backups when unset.")
    wal_dir: _Folder = Field(None, description="Where the embedded Postgres's log is copied, on another disk.")
    media_url: _Bucket = Field(None, description="`s3://bucket/prefix?endpoint=…&region=…`; the data dir when unset.")
    media_access_key: _Secret = Field(None, description="`ID:SECRET` of the bucket; the machine's role when unset.")
    waha_base_url: _Url = Field(None, description="A real WAHA gateway; the sandbox phone when unset.")
    waha_api_key: SecretStr | None = Field(None, description="The gateway's X-Api-Key.")
    waha_engine: Literal["NOWEB", "GOWS", "WEBJS"] = Field("NOWEB", description="The gateway's engine.")
    webhook_secret: SecretStr | None = Field(
        None,
        description="Default HMAC keys, separated by commas while rotating. Made at first start.",
    )
    webhook_unsigned_rate: _Rate = Field(
        "100/minute", description="Requests with no or a wrong signature or API key, per client address."
    )
    webhook_instance_rate: _Rate = Field("6000/minute", description="Signed requests per WhatsApp number.")
    trusted_proxies: int = Field(0, ge=0, le=10, description="How many proxies append to X-Forwarded-For.")
    openai_api_key: _Secret = Field(None, description="A provider without a key is skipped.")
    openai_base_url: _Url = Field(None, description="The vendor's address when unset.")
    anthropic_api_key: _Secret = Field(None, description="A provider without a key is skipped.")
    anthropic_base_url: _Url = Field(None, description="The vendor's address when unset.")
    gemini_api_key: _Secret = Field(None, description="A provider without a key is skipped.")
    gemini_base_url: _Url = Field(None, description="The vendor's address when unset.")
    embedding_model: _Text = Field(None, description="Finds passages by meaning too, e.g. text-embedding-3-small.")
    openai_requests_per_minute: int = Field(
        10_000, ge=0, description="Requests a minute, per key; the next provider takes what is above. 0 is no limit."
    )
    anthropic_requests_per_minute: int = Field(4_000, ge=0, description="The same for Anthropic.")
    gemini_requests_per_minute: int = Field(1_500, ge=0, description="The same for Gemini.")
    llm_daily_budgets_usd: _Budgets = Field(None, description="`openai=50,gemini=7.5`: dollars a day on our own keys.")
    clerk_issuer: _Url = Field(None, description="Any OIDC issuer; without one a local owner, on loopback only.")
    clerk_audience: _Text = Field(None, description="Required `aud`; CLERK_CLIENT_ID when no parties are set either.")
    clerk_authorized_parties: _Text = Field(None, description="Allowed `azp`, separated by commas.")
    clerk_client_id: _Text = Field(None, description="OIDC client of the dashboards; CLERK_AUDIENCE when unset.")
    clerk_client_secret: _Secret = Field(None, description="Secret of the dashboards' OIDC client.")
    clerk_webhook_secret: _SigningSecrets = Field(
        None, description="`whsec_…` of the Clerk webhook; several by commas while rotating."
    )
    resend_api_key: _Secret = Field(None, description="Without it e-mails land in the data dir's outbox folder.")
    resend_api_url: _Address = Field("https://api.resend.com", description="Resend's address.")
    email_from: str = Field("MyChatFlow <hello@localhost>", description="Sender of e-mails.")
    alert_emails: _Mails = Field(None, description="Who hears of the platform's alerts, separated by commas.")
    metrics_dir: _Folder = Field(
        None, validation_alias="PROMETHEUS_MULTIPROC_DIR", description="Where processes add up their metrics."
    )
    worker_metrics_port: _MetricsPort = Field(None, description="Where worker 1 answers /metrics; off when unset.")
    sentry_dsn: _Secret = Field(None, description="Error reports; off when unset.")
    otel_exporter_otlp_endpoint: _Url = Field(None, description="Traces; off when unset.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")

    @field_validator("data_dir", "backup_dir", "wal_dir", "metrics_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def is_embedded_database(self) -> bool:
        return self.database_url is None

    @property
    def is_embedded_redis(self) -> bool:
        return self.redis_url is None

    @property
    def is_sandbox_phone(self) -> bool:
        return self.waha_base_url is None

    @property
    def run_dir(self) -> Path:
        return self.data_dir / "run"

    @property
    def media_dir(self) -> Path:
        """Sealed pictures, voice notes and documents; the web and the workers share it."""
        return self.data_dir / "media"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def warehouse_dir(self) -> Path:
        if self.warehouse_url and self.warehouse_url.startswith("duckdb:///"):
            return Path(self.warehouse_url.removeprefix("duckdb:///")).parent
        return self.data_dir / "warehouse"

    @property
    def socket_dir(self) -> Path:
        """Directory (0700) of the embedded servers' sockets, elsewhere when the data dir's path is too long."""
        inside = self.run_dir / "sockets"
        if len(str(inside)) <= _LONGEST_SOCKET_DIRECTORY:
            return inside
        digest = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"mychatflow-{digest}"

    @property
    def master(self) -> bytes:
        """The first master key there was: roles' passwords, cursors and hashes of people come from it for good."""
        return self.masters[-1]

    @property
    def masters(self) -> tuple[bytes, ...]:
        """The newest wraps the tenants' keys, and all of them unwrap."""
        if self.master_key is not None:
            return tuple(bytes.fromhex(key) for key in self.master_key.get_secret_value().split(","))
        return (bytes.fromhex(_kept_secret(self.data_dir / "keys" / "master.key", lambda: secrets.token_hex(32))),)

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The active default HMAC keys, newest first; never empty."""
        if self.webhook_secret is None:
            kept = _kept_secret(self.data_dir / "keys" / "webhook.key", lambda: secrets.token_urlsafe(32))
            return (kept.encode(),)
        keys = tuple(key.strip().encode() for key in self.webhook_secret.get_secret_value().split(","))
        if not all(keys):
            raise ConfigurationRefused("WEBHOOK_SECRET holds an empty key: set a secret, or unset it to have one made.")
        return keys

    @property
    def gateway_url(self) -> str:
        return (self.waha_base_url or f"http://127.0.0.1:{self.phone_port}").rstrip("/")

    @property
    def gateway_key(self) -> str:
        return self.waha_api_key.get_secret_value() if self.waha_api_key else self.derived_secret("gateway")

    @property
    def webhook_url(self) -> str:
        root = self.web_url or f"http://{self.web_host}:{self.web_port}"
        return f"{root.rstrip('/')}/api/webhooks/whatsapp"

    @property
    def redis_address(self) -> str:
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        return f"unix://{self.socket_dir / 'redis.sock'}"

    def role_url(self, role: Role) -> str:
        """A libpq address for that role, on the embedded server or DATABASE_URL's."""
        override = {
            "owner": self.database_owner_url,
            "engine": self.database_engine_url,
            "pipeline": self.database_pipeline_url,
            "audit": self.database_audit_url,
            # In production DATABASE_URL is the app role itself; elsewhere it may be any login that can set up roles.
            "app": self.database_url if self.is_production else None,
        }[role]
        if override is not None:
            return override.get_secret_value()
        user, password = f"mychatflow_{role}", self.derived_secret(f"postgres-role:{role}")
        if self.database_url is None:
            return f"postgresql://{user}:{password}@/{DATABASE}?host={quote(str(self.socket_dir), safe='')}"
        parts = urlsplit(self.database_url.get_secret_value())
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(scheme="postgresql", netloc=f"{user}:{password}@{host}"))

    def derived_secret(self, purpose: str) -> str:
        """A secret of its own for a purpose, that needs no place to be kept."""
        return hmac.new(self.master, f"mychatflow:{purpose}".encode(), hashlib.sha256).hexdigest()


@functools.cache
def load() -> Settings:
    """The settings of this process; raises ConfigurationRefused naming each variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationRefused(explain(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationRefused(".env: is not UTF-8; save it as UTF-8 text") from error


def environment(settings: Settings) -> dict[str, str]:
    """What a program that we start must inherit to have these settings, also those that a `.env` gave."""
    inherited = dict(os.environ)
    for name in settings.model_fields_set & Settings.model_fields.keys():
        value = getattr(settings, name)
        if value is not None:
            variable = str(Settings.model_fields[name].validation_alias or name.upper())
            inherited[variable] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    # Defaults that depend on where we were started.
    return inherited | {"MYCHATFLOW_DATA_DIR": str(settings.data_dir)}


def explain(error: ValidationError) -> str:
    """One line per wrong variable: its name and what is wrong, never its value."""
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        field = str(item["loc"][0]) if item["loc"] else "settings"
        lines.append(f"{field.upper()}: {item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)


def _kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in that file (0600), made when there is none; two starts at once agree on one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        try:
            # A hard link appears whole or not at all, and refuses to replace the other start's secret.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
