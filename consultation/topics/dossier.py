"""SQL for readers: the file of a topic, its timeline, documents, plan, and who asked to be added.

Every function costs a fixed number of statements.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, or_, select, tuple_

from consultation.community.tables import Organisation, Person
from consultation.database import Transaction
from consultation.paging import TimeKey
from consultation.permissions import Deed
from consultation.refusals import NotFound
from consultation.topics.planning import TO_AUTHOR
from consultation.topics.queries import access_topic, is_author, is_staff
from consultation.topics.reading import time_key
from consultation.topics.states import Publication
from consultation.topics.tables import (
    Document,
    ParticipantRequest,
    Topic,
    TopicPlan,
    TopicTransition,
)
from consultation.topics.transitions import NEXT


@dataclass(frozen=True, slots=True)
class Entry:
    """One step, who took it (masked), for which organisation, and the documents it brought that
    the reader may read."""

    step: TopicTransition
    actor: str | None
    org: str | None
    documents: list[Document]
    open: bool  # whether the reader may read its reason


async def timeline(
    tx: Transaction, topic_id: UUID, *, after: int | None, limit: int
) -> list[Entry]:
    """The steps of a topic from the first on. Four statements."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    inside = is_author(topic, tx) or is_staff(tx.standing)
    rows = (
        await tx.session.exec(
            select(TopicTransition, Person.masked_name, Organisation.name)
            .outerjoin(Person, col(Person.id) == col(TopicTransition.actor_id))
            .outerjoin(Organisation, col(Organisation.id) == col(TopicTransition.org_id))
            .where(TopicTransition.topic_id == topic.id, col(TopicTransition.number) > (after or 0))
            .order_by(col(TopicTransition.number))
            .limit(limit + 1)
        )
    ).all()
    wanted = [id for step, _, _ in rows for id in step.document_ids]
    found = await tx.session.exec(
        select(Document).where(col(Document.id).in_(wanted), _readable(tx, topic))
    )
    documents = {document.id: document for document in found}
    return [
        Entry(
            step,
            actor,
            org,
            [documents[id] for id in step.document_ids if id in documents],
            inside or NEXT[step.from_state, step.act].published_to is Publication.EVERYBODY,
        )
        for step, actor, org in rows
    ]


async def list_documents(
    tx: Transaction, topic_id: UUID, *, after: TimeKey | None, limit: int
) -> list[Document]:
    """The file of a topic, newest first, all versions. Three statements."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    conditions = [col(Document.topic_id) == topic.id, _readable(tx, topic)]
    if after is not None:
        conditions.append(tuple_(col(Document.created_at), col(Document.id)) < time_key(after))
    rows = await tx.session.exec(
        select(Document)
        .where(*conditions)
        .order_by(col(Document.created_at).desc(), col(Document.id).desc())
        .limit(limit + 1)
    )
    return list(rows)


def _readable(tx: Transaction, topic: Topic) -> Any:
    """As ``queries.may_read`` says, for the database."""
    if is_staff(tx.standing):
        return col(Document.id).is_not(None)
    readable: list[Any] = [col(Document.public).is_(True)]
    if tx.actor.person_id is not None:
        readable.append(col(Document.author_id) == tx.actor.person_id)
    if is_author(topic, tx):
        readable.append(col(Document.kind).in_(TO_AUTHOR))
    return or_(*readable)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    topic: Topic
    row: TopicPlan
    names: dict[UUID, str]  # masked, of hosts and tellers
    staff: bool


async def topic_plan(tx: Transaction, topic_id: UUID, *, round: int | None) -> PlanView:
    """The plan of a round: frozen for everybody, while it is made for verified residents, who may
    ask to be added (domain 3.1). Four statements."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    row = await tx.session.get(TopicPlan, (topic.id, round or topic.round))
    if row is None or (row.frozen_at is None and tx.standing.level < 2):
        raise NotFound(what="plan")
    named = {*row.plan.host_ids, *row.plan.teller_ids}
    people = await tx.session.exec(
        select(Person.id, Person.masked_name).where(col(Person.id).in_(named))
    )
    return PlanView(topic=topic, row=row, names=dict(people.all()), staff=is_staff(tx.standing))


async def participant_requests(
    tx: Transaction, topic_id: UUID
) -> list[tuple[ParticipantRequest, str]]:
    """Who asked to be added in this round, masked: for those who prepare. Three statements."""
    topic = await access_topic(tx, topic_id, Deed.PREPARE)
    rows = await tx.session.exec(
        select(ParticipantRequest, Person.masked_name)
        .join(Person, col(Person.id) == col(ParticipantRequest.person_id))
        .where(ParticipantRequest.topic_id == topic.id, ParticipantRequest.round == topic.round)
        .order_by(col(ParticipantRequest.at), col(ParticipantRequest.id))
        .limit(200)
    )
    return list(rows)
