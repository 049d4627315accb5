"""Which message an answer speaks to: the model repeats the numbers it was asked, several when one answer serves all."""

from benchmarks.traffic import Seen, Traffic
from tests.chaos.verdict import Verdict, judge, numbers_in


def verdict(traffic: Traffic, seen: Seen) -> Verdict:
    """Where the machine stood still, what a chat wrote meanwhile has one answer together: nothing of it is lost."""
    sent: dict[str, list[int]] = {}
    for row in seen.acknowledged:
        sent.setdefault(traffic.chat(int(row["number"])), []).append(int(row["number"]))
    texts = {chat: [answer["text"] for answer in answers] for chat, answers in seen.answers.items()}
    return judge({chat: sorted(numbers) for chat, numbers in sent.items()}, texts)


def delays(traffic: Traffic, seen: Seen) -> dict[int, float]:
    """How much later than debounce and model allow each burst's last message had the first answer that names it."""
    told: dict[int, float] = {}
    for answers in seen.answers.values():
        for answer in answers:
            for number in numbers_in(answer["text"]):
                told.setdefault(number, answer["sent_ms"])
    waits = traffic.debounce_ms + traffic.model_ms
    turns = {int(row["number"]): row["due_ms"] for row in seen.acknowledged if (row["number"] + 1) % traffic.burst == 0}
    return {number: told[number] - due - waits for number, due in turns.items() if number in told}


def overheads(traffic: Traffic, seen: Seen) -> list[float]:
    return list(delays(traffic, seen).values())


def without_number(seen: Seen) -> int:
    """Texts that answer nothing, such as the one that asks a customer to wait."""
    return sum(not numbers_in(answer["text"]) for answers in seen.answers.values() for answer in answers)
