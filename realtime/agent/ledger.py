"""What a turn asked of the models, to be booked when it ends."""

from dataclasses import dataclass, field

from realtime.llm.contract import AllProvidersUnavailable, Attempt, BreakerTransition, RoutedReply


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Everything that was asked of models during a turn, drafts that were thrown away included."""

    attempts: list[Attempt] = field(default_factory=list)
    transitions: list[BreakerTransition] = field(default_factory=list)

    def add(self, source: RoutedReply | AllProvidersUnavailable) -> None:
        self.attempts += source.attempts
        self.transitions += source.transitions
