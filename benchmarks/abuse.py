"""What abuse costs the others: a quiet tenant's p99 beside a noisy one ÷ without it, on both doors; memory of a flood.

Run: `python -m benchmarks.abuse [--rounds 5] [--seconds 15] [--doors webhook api bare]`. The web process serves; quiet
and noise come from a process of their own each, and rounds with and without noise take turns, so that the ratio
compares like with like. The noise comes at ten times its limit from a lower priority, and a round counts only when it
came on time all the same, when it was refused, and when the quiet tenant never was: what is measured is what our
process makes the quiet one wait for, not who gets a core first. It has spent its limit before the first round: what a
minute lets in comes during the rounds like everything else. Generators and our process share the machine's cores all
the same: at the door `bare` the API's noise asks `benchmarks.bare_door`, a process that says 429 to all, while the
quiet tenant asks us. That ratio is what the noise costs without any work of ours; the goal is for the doors of ours.
The flood is 64 bodies of 100 MB at once, in chunks, and counts only when none was taken: whoever sends on for two
seconds after the answer is cut off, with the answer heard.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
import psutil
import uvloop

from benchmarks import report
from benchmarks.customers import Load, signed, webhook_body
from benchmarks.processes import HMAC_KEY, Installation, installation, wait_for
from benchmarks.traffic import answers
from mychatflow.rules.role import Role
from mychatflow.store import api_keys
from mychatflow.store.session import Store
from tests import ports
from tests.factories import Tenant, a_contact, a_tenant

_QUIET_PER_SECOND = 15.0
# Ten times its limit: a number's webhook allows 6,000 calls a minute, a tenant's API 1,200.
_NOISE_PER_SECOND = {"webhook": 1_000.0, "api": 200.0, "bare": 200.0}
_LEAST_ON_TIME, _LATE_SECONDS = 0.95, 0.25
# How much nicer than the rest the noise is.
_LESS_URGENT = 5
_FLOODS, _FLOOD_BYTES, _CHUNK = 64, 100 << 20, 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One tenant at one door."""

    door: str
    port: int
    key: str
    session: str
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    latencies: list[float]
    statuses: Mapping[int, int]
    # Of the calls, the share that was begun when it was due.
    on_time: float


async def call(caller: Caller, seconds: float) -> Heard:
    """At a mean rate, whether or not answers come; the time of a call begins when it was due.

    By chance within it, or each quiet call would meet the noise in one and the same way for a whole round.
    """
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    on_time = 0
    run = uuid4().hex[:8].upper()
    load = Load(url="", session=caller.session, key=HMAC_KEY.encode(), chats=50, rate=1.0, seconds=1.0)
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{caller.port}",
        connector=aiohttp.TCPConnector(limit=256),
        timeout=aiohttp.ClientTimeout(total=300),
    ) as http:

        async def once(number: int, due: float) -> None:
            nonlocal on_time
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            on_time += time.perf_counter() - due < _LATE_SECONDS
            if caller.door != "webhook":
                asked = http.get("/api/v1/contacts", headers={"authorization": f"Bearer {caller.key}"})
            else:
                body = webhook_body(load, number, int(time.time() * 1000)).replace(b"_3EB0", f"_3EB0{run}".encode())
                asked = http.post("/api/webhooks/whatsapp", data=body, headers=signed(body, load.key))
            async with asked as answer:
                await answer.read()
                statuses[answer.status] += 1
            latencies.append(time.perf_counter() - due)

        begin = time.perf_counter() + 0.2
        due = [begin + random.uniform(0, seconds) for _ in range(int(seconds * caller.per_second))]
        await asyncio.gather(*(once(number, at) for number, at in enumerate(due)))
    return Heard(latencies=latencies, statuses=statuses, on_time=on_time / len(due))


def _in_a_process(caller: Caller, seconds: float) -> Heard:
    return uvloop.run(call(caller, seconds))


def measure(quiet: Caller, noise: Caller, *, rounds: int, seconds: float) -> dict[str, float | int | str]:
    p99: dict[bool, list[float]] = {False: [], True: []}
    noises: list[Heard] = []
    tried = 0
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as quietly, context.Pool(1, initializer=os.nice, initargs=(_LESS_URGENT,)) as loudly:
        loudly.apply(_in_a_process, (noise, seconds))
        while len(noises) < rounds:
            tried += 1
            if tried > 3 * rounds:
                raise RuntimeError("the noise did not come on time: no core was left for it")
            alone = quietly.apply(_in_a_process, (quiet, seconds))
            shouting = loudly.apply_async(_in_a_process, (noise, seconds))
            beside, shouted = quietly.apply(_in_a_process, (quiet, seconds)), shouting.get()
            if {*alone.statuses, *beside.statuses} != {200}:
                raise RuntimeError(f"the quiet tenant was answered {alone.statuses} and {beside.statuses}")
            if min(alone.on_time, beside.on_time, shouted.on_time) < _LEAST_ON_TIME:
                continue
            noises.append(shouted)
            for is_noisy, heard in ((False, alone), (True, beside)):
                p99[is_noisy].append(report.percentile(heard.latencies, 0.99) * 1000)
    refused = sum(heard.statuses.get(429, 0) for heard in noises)
    if not refused:
        raise RuntimeError("the noisy tenant was never refused: this measured nothing")
    return {
        "door": noise.door,
        "p99_ms_alone": statistics.median(p99[False]),
        "p99_ms_beside_noise": statistics.median(p99[True]),
        "ratio": statistics.median(p99[True]) / statistics.median(p99[False]),
        "noise_refused": refused,
        "noise_let_in": sum(heard.statuses.get(200, 0) for heard in noises),
        "rounds_void": tried - rounds,
        "calls_a_round": int(seconds * quiet.per_second),
    }


async def _a_flood(port: int) -> tuple[int, bytes]:
    """The bytes that were taken of one body of chunks, and the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # Beside the sending, as any client should: once the connection is cut, what was answered before may be gone.
    hearing = asyncio.create_task(reader.readline())
    writer.write(
        b"POST /api/webhooks/whatsapp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    sent = 0
    with contextlib.suppress(OSError):
        while sent < _FLOOD_BYTES and not reader.at_eof():
            writer.write(b"%x\r\n%b\r\n" % (_CHUNK, b"x" * _CHUNK))
            await writer.drain()
            sent += _CHUNK
    line = b""
    with contextlib.suppress(OSError):
        line = await hearing
    writer.close()
    return sent, line


async def flood(web: psutil.Process, port: int) -> dict[str, float | int | str]:
    """How far the web process grew while all of them came at once."""
    before = peak = web.memory_info().rss
    floods = [asyncio.create_task(_a_flood(port)) for _ in range(_FLOODS)]
    while any(not each.done() for each in floods):
        peak = max(peak, web.memory_info().rss)
        await asyncio.sleep(0.01)
    ended = [each.result() for each in floods]
    heard = Counter(line.split()[1].decode() for _, line in ended if line)
    if set(heard) - {"413", "429"}:
        raise RuntimeError(f"a flood was not refused: {heard}")
    return {
        "door": "webhook",
        "bodies": len(ended),
        "heard_413": heard["413"],
        "heard_429": heard["429"],
        "cut_off": sum(sent < _FLOOD_BYTES for sent, _ in ended),
        "mib_taken_of_each_at_most": round(max(sent for sent, _ in ended) / 2**20, 1),
        "mib_grown": round((peak - before) / 2**20, 1),
    }


async def _callers(running: Installation) -> tuple[dict[str, str], dict[str, str]]:
    """Keys and sessions of a quiet and a noisy tenant."""
    store = Store(running.settings)
    try:
        return await _a_caller(store), await _a_caller(store)
    finally:
        await store.close()


async def _a_caller(store: Store) -> dict[str, str]:
    tenant: Tenant = await a_tenant(store, plan="enterprise")
    for _ in range(50):
        await a_contact(store, tenant)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        _, key = await api_keys.create(transaction, tenant.tenant_id, name="benchmark", role=Role.VIEWER)
    return {"key": key, "session": tenant.session}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--doors", nargs="*", choices=[*_NOISE_PER_SECOND], default=[*_NOISE_PER_SECOND])
    given = parser.parse_args()
    # Ours alone: a second run beside this one would ask the other's process, and miss it when that run ends.
    ours, bare = ports.several(2)
    with installation(web_port=ours) as running:
        quiet, noisy = asyncio.run(_callers(running))
        web = running.start("web", "realtime.web")
        wait_for(lambda: answers(f"http://127.0.0.1:{ours}/ready"), seconds=180, what="web")
        report.show("A flood of bodies", [asyncio.run(flood(psutil.Process(web.pid), ours))])
        running.start("bare", "benchmarks.bare_door", str(bare))
        wait_for(lambda: answers(f"http://127.0.0.1:{bare}/ready"), seconds=60, what="the bare server")
        for door in given.doors:
            noise = Caller(
                door=door,
                port=bare if door == "bare" else ours,
                per_second=_NOISE_PER_SECOND[door],
                **noisy,
            )
            measured = measure(
                Caller(door="api" if door == "bare" else door, port=ours, per_second=_QUIET_PER_SECOND, **quiet),
                noise,
                rounds=given.rounds,
                seconds=given.seconds,
            )
            report.show("A noisy tenant", [measured])


if __name__ == "__main__":
    main()
