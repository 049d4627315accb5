"""While a model is down, no process asks it anything; when its minute is over, one of them asks once."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE

from realtime.llm import breaker
from realtime.llm.circuit import Policy
from realtime.llm.faults import Verdict
from tests.realtime.llm.conftest import a_target

_PROCESSES = 4
_CALLERS = 20
_PAUSE = 1_500

# Each process hammers the breaker from the word go, over the end of the pause, and says when it was given leave.
_CALLER = """
import asyncio, json, sys, time
from realtime.llm import breaker
from realtime.llm.circuit import Policy
from realtime.llm.contract import Target

async def one(circuit, target, until, seen):
    while time.time() < until:
        admission = await circuit.acquire((target,), lease=30)
        if admission.permit is not None:
            seen.append([time.time(), admission.permit.is_probe])
        await asyncio.sleep(0.005)

async def main(address, provider, model, pause, until, callers):
    client = breaker.connect(address)
    circuit = breaker.Breaker(client=client, policy=Policy(pause=pause), patience=5)
    seen = []
    target = Target(provider=provider, model=model)
    await asyncio.gather(*(one(circuit, target, until, seen) for _ in range(callers)))
    print(json.dumps([seen, circuit.is_degraded]))
    await client.aclose()

print("ready", flush=True)
address, provider, model, pause, until, callers = json.loads(sys.stdin.readline())
asyncio.run(main(address, provider, model, pause, until, callers))
"""


async def test_one_probe_over_all_processes(a_breaker, redis_url):
    target = a_target("openai")
    circuit = a_breaker(policy=Policy(pause=_PAUSE))
    callers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _CALLER, stdin=PIPE, stdout=PIPE)
        for _ in range(_PROCESSES)
    ]
    assert {await caller.stdout.readline() for caller in callers} == {b"ready\n"}
    permits = [(await circuit.acquire((target,), lease=30)).permit for _ in range(3)]
    for permit in permits:
        await circuit.report(permit, Verdict.FAILURE)
    opens_again = time.time() + _PAUSE / 1000

    go = json.dumps([redis_url, target.provider, target.model, _PAUSE, opens_again + 0.5, _CALLERS]).encode() + b"\n"
    told = [json.loads(said) for said, _ in await asyncio.gather(*(caller.communicate(go) for caller in callers))]

    assert not any(degraded for _, degraded in told)
    [(at, is_probe)] = [grant for seen, _ in told for grant in seen]
    assert is_probe
    assert at > opens_again - 0.01


async def test_no_process_asks_again_before_the_report(a_breaker):
    target = a_target("openai")
    processes = [a_breaker(policy=Policy(pause=1)) for _ in range(8)]
    for _ in range(3):
        admission = await processes[0].acquire((target,), lease=30)
        await processes[0].report(admission.permit, Verdict.FAILURE)

    granted: list[breaker.Permit] = []
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        for circuit in processes:
            admission = await circuit.acquire((target,), lease=30)
            granted += [admission.permit] if admission.permit else []

    assert len(granted) == 1
