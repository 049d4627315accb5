"""What is known of the agent's answers: grades as they are this second, and the sample's next answer."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from dashboards.operational import bridge
from mychatflow.rules.answer_quality import Stratum
from mychatflow.store import answer_grades, chats
from mychatflow.store.answer_grades import Answer
from mychatflow.store.chats import Message

# How much of the conversation one must read to judge an answer.
_CONTEXT = 6


def by_language(tenant_id: UUID, *, since: datetime, until: datetime) -> list[Stratum]:
    read = partial(answer_grades.by_language, tenant_id=tenant_id, since=since, until=until)
    return bridge().in_tenant(tenant_id, read)


def reasons(tenant_id: UUID, *, since: datetime, until: datetime) -> list[dict[str, Any]]:
    read = partial(answer_grades.reasons, tenant_id=tenant_id, since=since, until=until)
    return bridge().in_tenant(tenant_id, read)


def people(tenant_id: UUID, *, reason: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    read = partial(answer_grades.people, tenant_id=tenant_id, reason=reason, since=since, until=until)
    return bridge().in_tenant(tenant_id, read)


def people_in_language(tenant_id: UUID, *, language: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    read = partial(answer_grades.people_in_language, tenant_id=tenant_id, language=language, since=since, until=until)
    return bridge().in_tenant(tenant_id, read)


def next_answer(tenant_id: UUID, *, since: datetime, until: datetime, skipped: tuple[UUID, ...]) -> Answer | None:
    read = partial(answer_grades.next_answer, tenant_id=tenant_id, since=since, until=until, skipped=skipped)
    return bridge().in_tenant(tenant_id, read)


def context(tenant_id: UUID, answer: Answer) -> list[Message]:
    """The answer and what was said just before it. Uncached: message text stays in no cache."""
    return bridge().opened(
        tenant_id,
        lambda transaction, cipher: chats.of_contact(
            transaction,
            tenant_id,
            answer.contact_id,
            cipher=cipher,
            before=answer.occurred_at,
            # Within an instant the answer's own id comes last.
            before_id=UUID(int=answer.interaction_id.int + 1),
            limit=_CONTEXT,
        ),
    )
