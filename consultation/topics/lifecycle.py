"""The one place where a topic changes state.

Commands of every area call ``advance``; it finds the step in the table, checks who and when, files
the step's document, records the transition, sets the next deadline, schedules what the system must
do then, and tells.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from consultation.calendar import end_of
from consultation.database import Transaction
from consultation.events.topics import TopicStateChanged
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed, check
from consultation.topics import rules, steps
from consultation.topics.documents import Paper, publish_document
from consultation.topics.evidence.deciding import objections_until
from consultation.topics.evidence.loading import load_facts
from consultation.topics.facts import TopicFacts
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import Act, Publication, State
from consultation.topics.steps import DocumentRequired, TransitionNotAllowed
from consultation.topics.tables import Topic, TopicTransition
from consultation.topics.transition import Transition


async def advance(
    tx: Transaction,
    topic: Topic,
    act: Act,
    *,
    reason: str | None = None,
    reason_code: str | None = None,
    documents: tuple[UUID, ...] = (),
    paper: Paper | None = None,
    change_list: tuple[str, ...] = (),
    facts: dict[str, Any] | None = None,
    consequence: bool = False,
) -> TopicTransition:
    """Take one step. ``topic`` must be locked and ``tx.standing`` be that at the topic.

    The document that the table asks for comes as ``paper``, which is filed here under the step's
    kind and publication, or was filed before and is named in ``documents``. ``consequence`` marks
    a step that follows from something else (a deadline, the last signature, a certified count);
    only those may take a RUN_SYSTEM step without being the system.
    Refuses with TransitionNotAllowed, TransitionNotBuilt, NotPermitted, GateNotMet or
    DocumentRequired.
    """
    row = steps.transition(topic.state, act)
    if not (consequence and row.deed is Deed.RUN_SYSTEM):
        check(row.deed, tx.standing.role)
    evidence = await load_facts(
        tx, topic, row.needs, reason=reason, reason_code=reason_code, change_list=change_list
    )
    steps.check_gates(row, evidence)
    if row.document is not None and paper is None and not documents:
        raise DocumentRequired(kind=row.document.value)

    came_from, number = topic.state, topic.version
    _move(topic, row, evidence)
    if paper is not None and row.document is not None:
        public = topic.was_public and row.published_to is Publication.EVERYBODY
        filed = await publish_document(
            tx, topic, row.document, title=paper.title, body=paper.body, public=public
        )
        documents = (filed.id, *documents)
    step = TopicTransition(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        number=number,
        rule=row.rule,
        act=act,
        from_state=came_from,
        to_state=topic.state,
        round=topic.round,
        actor_id=tx.actor.person_id,
        role=tx.standing.role.value,
        org_id=tx.standing.org_id,
        reason_code=reason_code,
        reason=reason,
        document_ids=list(documents),
        facts=(facts or {}) | ({"changes": list(change_list)} if change_list else {}),
        due_at=topic.due_at,
        at=tx.now,
    )
    tx.session.add(step)
    await _schedule_next(tx, topic, row)

    tx.emit(
        TopicStateChanged(
            community_id=topic.community_id,
            topic_id=topic.id,
            public=topic.was_public,
            act=act.value,
            from_state=came_from.value,
            to_state=topic.state.value,
            round=topic.round,
            due_at=topic.due_at,
        )
    )
    return step


async def try_advance(tx: Transaction, topic: Topic, act: Act, **details: Any) -> bool:
    """Take the step if its gates hold already; say whether it was taken."""
    try:
        await advance(tx, topic, act, consequence=True, **details)
    except (GateNotMet, TransitionNotAllowed):
        return False
    return True


async def set_deadline(tx: Transaction, topic: Topic, due_at: datetime | None) -> None:
    """The present step is due at another time (an extension, an appeal), or no longer at all."""
    topic.due_at = due_at
    topic.overdue_since = None
    topic.escalations = 0
    await watch_deadline(tx, topic, due_at)


async def watch_deadline(tx: Transaction, topic: Topic, at: datetime | None) -> None:
    """Have the system look at ``at`` whether the step is late."""
    if at is not None:
        await schedule(
            tx,
            JobKind.TOPIC_OVERDUE,
            topic.id,
            at,
            community_id=topic.community_id,
            occasion=f"{topic.version}:{at.isoformat()}",
        )


def _move(topic: Topic, row: Transition, evidence: TopicFacts) -> None:
    topic.state = row.target
    topic.state_since = evidence.now
    topic.version += 1
    topic.was_public = rules.is_public(topic.state, was_public=topic.was_public)
    topic.round += row.new_round
    if not row.keeps_clock:
        topic.due_at = _deadline(topic, evidence)
        topic.overdue_since = None
        topic.escalations = 0


def _deadline(topic: Topic, evidence: TopicFacts) -> datetime | None:
    if topic.state is State.DELIBERATING and evidence.plan is not None:
        return end_of(evidence.plan.plan.deliberation_ends)
    period = evidence.procedure.deadlines.get(rules.deadline_key(topic.state, topic.track))
    return None if period is None else period.after(evidence.now)


async def _schedule_next(tx: Transaction, topic: Topic, row: Transition) -> None:
    if not row.keeps_clock:
        await watch_deadline(tx, topic, topic.due_at)
    if topic.state is State.OUTCOME_PUBLIC:
        await schedule(
            tx,
            JobKind.START_ADOPTION,
            topic.id,
            await objections_until(tx, topic),
            community_id=topic.community_id,
            occasion=str(topic.version),
        )
