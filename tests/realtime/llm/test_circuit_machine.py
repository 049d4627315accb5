"""The breaker in Redis and the one in the process are the same machine, whatever happens to them."""

from collections.abc import Iterator
from typing import ClassVar

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mychatflow import events
from realtime.llm import script
from realtime.llm.circuit import Circuit, Policy
from realtime.llm.faults import Verdict

KEY = "cb:openai:gpt-4o-mini"
BEGIN = 1_800_000_000_000


class BothBreakers(RuleBasedStateMachine):
    # Hypothesis makes its machines without arguments: a subclass brings the server.
    client: ClassVar[redis.Redis]

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.now = BEGIN
        self.model = Circuit(generation=BEGIN)
        self.permits: list[tuple[int, bool]] = []
        # The first look makes the circuit, whose first generation is the time.
        self.ask({"keys": [KEY], "look": True})

    def ask(self, operation: dict) -> list[int]:
        body = self.client.eval(
            script.SOURCE, 0, script.policy_json(Policy()), msgspec.json.encode([operation]), str(self.now)
        )
        results, _ = msgspec.json.decode(body)
        return results[0]

    @rule(milliseconds=st.sampled_from([0, 1, 500, 8_999, 9_000, 59_999, 60_000, 900_000, 86_400_000]))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(lease=st.sampled_from([1, 9_000]), closed_only=st.booleans())
    def ask_for_leave(self, lease: int, closed_only: bool) -> None:
        ask_at = self.model.ask_at(self.now)
        grant = self.model.admit(self.now, lease=lease, closed_only=closed_only)

        answer = self.ask({"keys": [KEY], "lease": lease, "closed_only": closed_only})

        if grant is None:
            assert answer == [-1, ask_at, 0]
        else:
            assert answer == [0, grant.generation, int(grant.is_probe)]
            self.permits.append((grant.generation, grant.is_probe))

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict), wait=st.sampled_from([0, 5_000, 60_000]))
    def report(self, data: st.DataObject, verdict: Verdict, wait: int) -> None:
        generation, _ = data.draw(st.sampled_from(self.permits))

        known = self.model.report(self.now, verdict, generation=generation, wait=wait)

        operation = {"key": KEY, "generation": generation, "verdict": verdict.value, "wait": wait}
        assert self.ask(operation) == [int(known)]

    @precondition(lambda self: self.permits)
    @rule(count=st.integers(1, 25), every=st.integers(1, 5))
    def many_calls_end(self, count: int, every: int) -> None:
        for number in range(count):
            grant = self.model.admit(self.now, lease=9_000, closed_only=True)
            answer = self.ask({"keys": [KEY], "lease": 9_000, "closed_only": True})
            assert (grant is None) == (answer[0] == -1)
            if grant is None:
                return
            verdict = Verdict.FAILURE if number % every == 0 and every > 1 else Verdict.SUCCESS
            self.model.report(self.now, verdict, generation=grant.generation)
            self.ask({"key": KEY, "generation": grant.generation, "verdict": verdict.value, "wait": 0})

    @invariant()
    def both_are_in_the_same_state(self) -> None:
        row = {name.decode(): value.decode() for name, value in self.client.hgetall(KEY).items()}
        assert row == {name: str(getattr(self.model, name)) for name in row}
        assert self.client.xlen(events.BREAKER_HISTORY) == len(self.model.moves)

    @invariant()
    def one_probe_is_out_at_most(self) -> None:
        probes = [generation for generation, is_probe in self.permits if is_probe]
        assert len(probes) == len(set(probes))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


def test_both_breakers_are_one_machine(client):
    run_state_machine_as_test(
        type("BreakersHere", (BothBreakers,), {"client": client}),
        settings=settings(max_examples=30, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )


# Its lease must outlast the slowest model; the answer of one that is back comes in a second or two.
@pytest.mark.parametrize(("probe_age", "wait"), [(0, 1_000), (900, 1_000), (3_000, 3_000), (40_000, 20_000)])
def test_who_waits_for_a_probe_asks_again_soon(probe_age, wait):
    circuit = Circuit(generation=BEGIN)
    for _ in range(3):
        circuit.report(BEGIN, Verdict.FAILURE, generation=BEGIN)
    probe = circuit.admit(BEGIN + 60_000, lease=60_000, closed_only=False)

    now = BEGIN + 60_000 + probe_age
    refused = circuit.admit(now, lease=60_000, closed_only=False)

    assert probe.is_probe
    assert refused is None
    assert circuit.ask_at(now) == now + wait
