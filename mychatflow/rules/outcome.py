"""How a conversation ended, told from who answered in it: exactly one of the outcomes."""


def of_episode(*, handoff_reason: str | None, agent_reply_count: int, human_reply_count: int) -> str:
    """The outcome of an episode that is over."""
    if handoff_reason:
        return "handed_off"
    if agent_reply_count and human_reply_count:
        return "assisted"
    if agent_reply_count:
        return "autonomous"
    return "handed_off" if human_reply_count else "abandoned"
