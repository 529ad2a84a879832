"""The one place where a topic changes state.

Commands of every area call ``advance``; it finds the step in the table, checks who and when,
records the transition, sets the next deadline, schedules what the system must do then, and tells.
"""

from typing import Any
from uuid import UUID

from consultation.database import Transaction
from consultation.events import TopicStateChanged
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed, check
from consultation.topics import rules
from consultation.topics.evidence import load_facts
from consultation.topics.gates import GateNotMet
from consultation.topics.plan import procedure
from consultation.topics.states import Act, State
from consultation.topics.tables import Topic, TopicTransition


async def advance(
    tx: Transaction,
    topic: Topic,
    act: Act,
    *,
    reason: str | None = None,
    reason_code: str | None = None,
    documents: tuple[UUID, ...] = (),
    change_list: tuple[str, ...] = (),
    facts: dict[str, Any] | None = None,
    consequence: bool = False,
) -> TopicTransition:
    """Take one step. ``topic`` must be locked and ``tx.standing`` be that at the topic.

    ``consequence`` marks a step that follows from something else (a deadline, the last signature,
    a certified count); only those may take a RUN_SYSTEM step without being the system.
    Refuses with TransitionNotAllowed, TransitionNotBuilt, NotPermitted or GateNotMet.
    """
    row = rules.transition(topic.state, act)
    if not (consequence and row.deed is Deed.RUN_SYSTEM):
        check(row.deed, tx.standing.role)
    rules.check_gates(
        row,
        await load_facts(
            tx, topic, row.needs, reason=reason, reason_code=reason_code, change_list=change_list
        ),
    )

    came_from = topic.state
    topic.state = row.target
    topic.state_since = tx.now
    topic.overdue_since = None
    topic.version += 1
    topic.was_public = rules.is_public(topic.state, was_public=topic.was_public)
    if came_from is State.RECONSULTATION and act is Act.PREPARE:
        topic.round += 1
    topic.due_at = None
    deadline = procedure().deadlines.get(rules.deadline_key(topic.state, topic.track))
    if deadline is not None:
        topic.due_at = deadline.after(tx.now)
    step = TopicTransition(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        number=topic.version,
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
        facts=facts or {},
        due_at=topic.due_at,
        at=tx.now,
    )
    tx.session.add(step)
    await _schedule_next(tx, topic)

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
    except (GateNotMet, rules.TransitionNotAllowed):
        return False
    return True


async def _schedule_next(tx: Transaction, topic: Topic) -> None:
    occasion = str(topic.version)
    if topic.due_at is not None:
        await schedule(
            tx,
            JobKind.TOPIC_OVERDUE,
            topic.id,
            topic.due_at,
            community_id=topic.community_id,
            occasion=occasion,
        )
    if topic.state is State.OUTCOME_PUBLIC:
        ends = procedure().periods["objection"].after(topic.state_since)
        await schedule(
            tx,
            JobKind.START_ADOPTION,
            topic.id,
            ends,
            community_id=topic.community_id,
            occasion=occasion,
        )
