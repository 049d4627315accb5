"""/instances: the tenant's WhatsApp numbers, and their sessions at the gateway."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Request, Response
from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from mychatflow.rules.names import LONGEST_SECRET, SHORTEST_SECRET, is_session_name
from mychatflow.rules.role import Permission
from mychatflow.store import instances
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.instances import SessionTaken
from realtime.api import document, pages
from realtime.api.bodies import Body, Line, Shown
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router
from realtime.channels.gateway_types import GatewayFailed, SessionState, WebhookTarget
from realtime.channels.waha import WahaClient
from realtime.engine.work import Number

router = tenant_router("instances")
_GATEWAYS: Final = document.refusals(409, 502, 504)


def _session_name(value: str) -> str:
    if not is_session_name(value):
        raise ValueError("must be letters, digits, - and _")
    return value


Session = Annotated[str, StringConstraints(min_length=1, max_length=54), AfterValidator(_session_name)]
Secret = Annotated[SecretStr, StringConstraints(min_length=SHORTEST_SECRET, max_length=LONGEST_SECRET)]


class Instance(Shown):
    id: UUID
    session: str
    name: str
    phone_number: str | None
    wa_id: str | None
    status: str
    session_status: str | None
    engine: str
    webhook_configured: bool
    sends_per_minute: int
    restricted_until: datetime | None
    last_event_at: datetime | None
    created_at: datetime


class NewInstance(Body):
    """Without a secret of its own the number's webhooks are signed with the installation's."""

    session: Session
    name: Line | None = None
    webhook_secret: Secret | None = None


class InstanceChange(Body):
    """Only what is given changes. WhatsApp restricts numbers that write too fast: 60 a minute is safe for most."""

    name: Line | None = None
    sends_per_minute: Annotated[int, Field(ge=1, le=6_000)] | None = None


class ShownSession(Shown):
    """What the gateway says of the session right now."""

    session: str
    session_status: str


class SessionMove(Shown):
    """One change of the number's connection, in the gateway's words."""

    at: datetime
    session_status: str
    previous: str | None


class ShownQr(Shown):
    """A picture to scan with the phone; `data` is base64."""

    mimetype: str
    data: str


_ADVICE: Final = {
    "not_ready": "The session is in another state: a code is shown only while it waits for a scan (SCAN_QR_CODE)."
    " Start it when it is stopped or failed; log it out to pair another phone.",
    "no_session": "The gateway has no such session: start the number first.",
    "unreachable": "The WhatsApp gateway cannot be reached; try again.",
    "timeout": "The WhatsApp gateway did not answer in time; try again.",
    "auth_failed": "The WhatsApp gateway refuses our key: check WAHA_API_KEY.",
}


@router.get("/instances", summary="The tenant's numbers", **needs(Permission.VIEW_SETTINGS))
async def list_instances(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[Instance]:
    window = pages.opened(desk, "instances", cursor)
    async with desk.reading() as transaction:
        rows = await instances.page(transaction, desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "instances", Instance, rows, limit=limit, by=("created_at", "id"))


@router.post("/instances", status_code=201, summary="Add a number", **needs(Permission.MANAGE_INSTANCES))
async def create_instance(desk: AtDesk, wanted: NewInstance) -> Instance:
    """The number is here at once; `/start` makes its session at the gateway."""
    secret = wanted.webhook_secret.get_secret_value() if wanted.webhook_secret else None
    try:
        async with desk.changing("instance.created") as change:
            instance_id = await instances.create(
                change.transaction,
                await desk.cipher(change.transaction),
                session=wanted.session,
                name=wanted.name,
                engine=desk.doors.settings.waha_engine,
                webhook_secret=secret,
            )
            change.subject = str(instance_id)
            found = await instances.by_id(change.transaction, desk.tenant_id, instance_id)
    except SessionTaken as taken:
        raise Problem(409, "session_taken", "A number with a session of that name exists.") from taken
    return Instance.model_validate(found)


@router.get("/instances/{instance_id}", summary="One number", **needs(Permission.VIEW_SETTINGS))
async def read_instance(desk: AtDesk, instance_id: UUID) -> Instance:
    row, _ = await _find(desk, instance_id)
    return Instance.model_validate(row)


@router.patch("/instances/{instance_id}", summary="Its name and pace", **needs(Permission.MANAGE_INSTANCES))
async def change_instance(desk: AtDesk, instance_id: UUID, wanted: InstanceChange) -> Instance:
    async with desk.changing("instance.changed", instance_id) as change:
        change.detail.update(wanted.model_dump(include={"sends_per_minute"}, exclude_none=True))
        changed = await instances.change(
            change.transaction,
            desk.tenant_id,
            instance_id,
            name=wanted.name,
            sends_per_minute=wanted.sends_per_minute,
        )
        if changed is None:
            not_found("instance")
    return Instance.model_validate(changed)


@router.get(
    "/instances/{instance_id}/health", summary="How its connection came and went", **needs(Permission.VIEW_SETTINGS)
)
async def read_health(desk: AtDesk, instance_id: UUID, limit: Limit = 50) -> list[SessionMove]:
    await _find(desk, instance_id)
    async with desk.reading() as transaction:
        rows = await instances.changes(transaction, desk.tenant_id, instance_id, limit=pages.size(limit))
    return [SessionMove.model_validate(row) for row in rows]


@router.post(
    "/instances/{instance_id}/start",
    summary="Start its session",
    responses=_GATEWAYS,
    **needs(Permission.MANAGE_INSTANCES),
)
async def start_instance(desk: AtDesk, instance_id: UUID) -> ShownSession:
    row, cipher = await _find(desk, instance_id)
    with _gateway_problems():
        state = await _start(desk, row, cipher)
    async with desk.changing("instance.started", instance_id) as change:
        await instances.connected(
            change.transaction, tenant_id=desk.tenant_id, instance_id=instance_id, session_status=state.status.value
        )
    return ShownSession(session=state.name, session_status=state.status.value)


@router.post(
    "/instances/{instance_id}/stop",
    summary="Stop its session",
    responses=_GATEWAYS,
    **needs(Permission.MANAGE_INSTANCES),
)
async def stop_instance(desk: AtDesk, instance_id: UUID) -> ShownSession:
    row, cipher = await _find(desk, instance_id)
    # On record before it is done: the gateway's own word then changes the number's state.
    async with desk.changing("instance.stopped", instance_id):
        pass
    with _gateway_problems():
        state = await _gateway(desk, row, cipher).stop_session(row["session"])
    return ShownSession(session=state.name, session_status=state.status.value)


@router.post(
    "/instances/{instance_id}/logout",
    summary="Let go of its phone",
    responses=_GATEWAYS,
    **needs(Permission.MANAGE_INSTANCES),
)
async def log_out(desk: AtDesk, instance_id: UUID) -> ShownSession:
    """The session then shows a new code to pair this phone again, or another."""
    row, cipher = await _find(desk, instance_id)
    async with desk.changing("instance.logged_out", instance_id):
        pass
    with _gateway_problems():
        state = await _gateway(desk, row, cipher).logout(row["session"])
    return ShownSession(session=state.name, session_status=state.status.value)


@router.get(
    "/instances/{instance_id}/qr",
    summary="The code to pair a phone",
    response_model=ShownQr,
    responses=_GATEWAYS | document.file("image/png"),
    **needs(Permission.MANAGE_INSTANCES),
)
async def read_qr(desk: AtDesk, instance_id: UUID, request: Request) -> Any:
    """As JSON, or as the picture itself to whoever accepts `image/png`. It changes every minute: ask anew."""
    row, cipher = await _find(desk, instance_id)
    with _gateway_problems():
        picture = await _gateway(desk, row, cipher).qr_code(row["session"])
    if picture.mimetype in request.headers.get("accept", ""):
        return Response(picture.data, media_type=picture.mimetype, headers={"cache-control": "no-store"})
    return ShownQr(mimetype=picture.mimetype, data=base64.b64encode(picture.data).decode())


async def _find(desk: Desk, instance_id: UUID) -> tuple[Mapping[str, Any], TenantCipher]:
    """Read and closed before the gateway is called: nothing slow happens in a transaction."""
    async with desk.reading() as transaction:
        row = await instances.by_id(transaction, desk.tenant_id, instance_id)
        if row is None:
            not_found("instance")
        return row, await desk.cipher(transaction)


async def _start(desk: Desk, row: Mapping[str, Any], cipher: TenantCipher) -> SessionState:
    """With our webhook: the session is made where the gateway does not have it, and told again where it has."""
    sealed = row["webhook_secret"]
    settings = desk.doors.settings
    key = cipher.decrypt(bytes(sealed), row_id=row["id"]) if sealed else settings.webhook_secrets[0].decode()
    target = WebhookTarget(url=settings.webhook_url, hmac_key=key)
    client = _gateway(desk, row, cipher)
    metadata = {"business.name": row["name"]}
    try:
        await client.session(row["session"])
    except GatewayFailed as failed:
        if failed.kind != "no_session":
            raise
        return await client.create_session(row["session"], target, metadata=metadata)
    await client.update_session(row["session"], target, metadata=metadata)
    return await client.start_session(row["session"])


def _gateway(desk: Desk, row: Mapping[str, Any], cipher: TenantCipher) -> WahaClient:
    number = Number(
        session=row["session"],
        engine=row["engine"],
        status=row["status"],
        sends_per_minute=row["sends_per_minute"],
        restricted_until=row["restricted_until"],
        last_event_at=row["last_event_at"],
        base_url=row["base_url"],
        api_key=row["api_key"],
    )
    return desk.doors.gateways.of(number, instance_id=row["id"], cipher=cipher)


@contextmanager
def _gateway_problems() -> Iterator[None]:
    """What the gateway refuses or does not answer, as the reader's problem."""
    try:
        yield
    except GatewayFailed as failed:
        raise _gateway_problem(failed) from failed


def _gateway_problem(failed: GatewayFailed) -> Problem:
    status: Literal[409, 502, 503, 504]
    match failed.kind:
        case "not_ready" | "no_session" | "exists":
            status = 409
        case "unreachable":
            status = 503
        case "timeout":
            status = 504
        case _:
            status = 502
    advice = _ADVICE.get(failed.kind, "The WhatsApp gateway did not do it; its log says why.")
    return Problem(status, f"gateway_{failed.kind}", advice)
