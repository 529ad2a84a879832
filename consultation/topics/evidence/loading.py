"""Loads the facts that a transition needs, and no others."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlmodel import func, select

from consultation.community.tables import Organisation, OrgKind
from consultation.database import Transaction
from consultation.topics.evidence.adopting import (
    adoption_facts,
    feedback_facts,
    parts_facts,
    survey_facts,
    tasks_facts,
)
from consultation.topics.evidence.deciding import outcome_facts, poll_facts
from consultation.topics.evidence.preparing import meetings_facts, plan_facts
from consultation.topics.evidence.raising import rejection_facts, transfer_facts
from consultation.topics.facts import Need, TopicFacts
from consultation.topics.plan import procedure
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic


async def load_facts(
    tx: Transaction,
    topic: Topic,
    needs: frozenset[Need],
    *,
    reason: str | None = None,
    reason_code: str | None = None,
    change_list: tuple[str, ...] = (),
) -> TopicFacts:
    groups: dict[str, Any] = {}
    for need in sorted(needs):
        groups[need.value] = await _LOADERS[need](tx, topic)
    letter, convener_kind, actor_org_kind = await _papers(tx, topic)
    return TopicFacts(
        state=topic.state,
        state_since=topic.state_since,
        round=topic.round,
        now=tx.now,
        actor_id=tx.actor.person_id,
        standing=tx.standing,
        author_id=topic.author_id,
        entered_by_id=topic.entered_by_id,
        actor_org_kind=actor_org_kind,
        procedure=procedure(),
        category=topic.category,
        layer=topic.layer,
        track=topic.track,
        matter_list=topic.matter_list,
        title=topic.title,
        problem=topic.problem,
        wish=topic.wish,
        place=topic.place,
        affected=tuple(topic.affected),
        crosses_communities=f"/{topic.community_id}/" not in topic.node_path,
        convener_kind=convener_kind,
        convener_reason=topic.convener_reason,
        commissioning_org_id=topic.commissioning_org_id,
        has_commission_letter=letter,
        withdrawal_asked_at=topic.withdrawal_asked_at,
        reason=reason,
        reason_code=reason_code,
        change_list=change_list,
        **groups,
    )


async def _papers(tx: Transaction, topic: Topic) -> tuple[bool, OrgKind | None, OrgKind | None]:
    letter = (
        select(func.count())
        .select_from(Document)
        .where(Document.topic_id == topic.id, Document.kind == DocumentKind.COMMISSION_LETTER)
        .scalar_subquery()
    )

    def kind_of(org_id: UUID | None) -> Any:
        return select(Organisation.kind).where(Organisation.id == org_id).scalar_subquery()

    convener, actor = kind_of(topic.convener_org_id), kind_of(tx.standing.org_id)
    row = (await tx.session.exec(select(letter, convener, actor))).one()
    return bool(row[0]), row[1] and OrgKind(row[1]), row[2] and OrgKind(row[2])


_LOADERS: dict[Need, Callable[[Transaction, Topic], Awaitable[Any]]] = {
    Need.REJECTION: rejection_facts,
    Need.TRANSFER: transfer_facts,
    Need.PLAN: plan_facts,
    Need.MEETINGS: meetings_facts,
    Need.POLL: poll_facts,
    Need.OUTCOME: outcome_facts,
    Need.ADOPTION: adoption_facts,
    Need.TASKS: tasks_facts,
    Need.PARTS: parts_facts,
    Need.FEEDBACK: feedback_facts,
    Need.SURVEY: survey_facts,
}
