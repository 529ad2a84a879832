"""The one place for SQL on topics. The ``access_*`` functions are the only roads to a row."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import union_all
from sqlmodel import col, select

from consultation.community.queries import At, standing_at
from consultation.community.tables import Organisation
from consultation.database import Transaction
from consultation.permissions import Actor, Deed, Grant, Role, Standing, check, grant_of
from consultation.refusals import NotFound
from consultation.topics.bodies import SUBDISTRICT
from consultation.topics.planning import TO_AUTHOR
from consultation.topics.rules import NotTheAuthor, TopicChanged
from consultation.topics.states import State
from consultation.topics.tables import (
    CoSignature,
    Document,
    ParticipantRequest,
    Rejection,
    Topic,
    Transfer,
)

_Place = tuple[Actor, Topic, Standing]
"""Somebody, a topic, and what they are where it lies."""


async def access_topic(
    tx: Transaction,
    topic_id: UUID,
    deed: Deed,
    *,
    lock: bool = False,
    expected_version: int | None = None,
) -> Topic:
    """The topic, if the actor may see it and do ``deed`` on it. Unknown and invisible are both
    NotFound. ``lock`` keeps other commands off this topic until the transaction ends.
    TopicChanged if it is no longer at ``expected_version``."""
    statement = select(Topic).where(Topic.id == topic_id)
    if lock:
        statement = statement.with_for_update()
    topic = (await tx.session.exec(statement)).first()
    await _let_in(tx, topic, deed)
    assert topic is not None
    if expected_version is not None and expected_version != topic.version:
        raise TopicChanged(version=topic.version)
    return topic


async def access_topic_row(tx: Transaction, statement: Any, deed: Deed) -> Any:
    """The row that a statement finds whose first column is the topic, as ``access_topic`` gives
    the topic alone. For readers, who fetch at once what they show of it."""
    row = (await tx.session.exec(statement)).first()
    await _let_in(tx, None if row is None else row[0], deed)
    return row


async def _let_in(tx: Transaction, topic: Topic | None, deed: Deed) -> None:
    if topic is None:
        raise NotFound(what="topic")
    standing = await standing_at(tx, topic.community_id, topic.node_path)
    place = (tx.actor, topic, standing)
    if not may_see(*place) and not await _concerned(tx, [place]):
        raise NotFound(what="topic")
    check(deed, standing.role)


async def access_own_topic(
    tx: Transaction, topic_id: UUID, deed: Deed, *, expected_version: int | None = None
) -> Topic:
    """The locked topic, for who raised it or wrote it down."""
    topic = await access_topic(tx, topic_id, deed, lock=True, expected_version=expected_version)
    if not is_author(topic, tx):
        raise NotTheAuthor()
    return topic


def is_author(topic: Topic, tx: Transaction) -> bool:
    return _is_by(topic, tx.actor)


def _is_by(topic: Topic, actor: Actor) -> bool:
    person = actor.person_id
    return person is not None and person in (topic.author_id, topic.entered_by_id)


def is_staff(standing: Standing) -> bool:
    """Who carries topics through or oversees that: sees every file but drafts."""
    return standing.role is Role.SYSTEM or (grant_of(Deed.READ_PROCESS, standing.role) is Grant.YES)


async def topics_in_sight(
    tx: Transaction, asked: Mapping[Actor, Collection[UUID]], at: Mapping[Actor, At]
) -> dict[Actor, dict[UUID, Standing]]:
    """Of the topics that each asks for, those that ``access_topic`` lets them see, with their
    standing there, which ``at`` knows; at most two statements, however many ask."""
    ids = {id for theirs in asked.values() for id in theirs}
    seen: dict[Actor, dict[UUID, Standing]] = {actor: {} for actor in asked}
    if not ids:
        return seen
    found = await tx.session.exec(select(Topic).where(col(Topic.id).in_(ids)))
    topics = {topic.id: topic for topic in found}
    hidden: list[_Place] = []
    for actor, theirs in asked.items():
        for topic in (topics[id] for id in theirs if id in topics):
            standing = at[actor](topic.community_id, topic.node_path)
            if may_see(actor, topic, standing):
                seen[actor][topic.id] = standing
            else:
                hidden.append((actor, topic, standing))
    for actor, topic, standing in await _concerned(tx, hidden):
        seen[actor][topic.id] = standing
    return seen


def may_see(actor: Actor, topic: Topic, standing: Standing) -> bool:
    """Public topics: everybody. Others: the author, who entered it for them, process staff, the
    body that commissioned it; and, while it gathers co-signers, every verified resident
    (domain 3.1)."""
    if topic.was_public or standing.role is Role.SYSTEM or _is_by(topic, actor):
        return True
    if topic.state is State.DRAFT:
        return False
    if is_staff(standing) or (
        standing.org_id is not None and standing.org_id == topic.commissioning_org_id
    ):
        return True
    return topic.state is State.SUBMITTED and topic.open_to_cosign and standing.level >= 2


async def _concerned(tx: Transaction, places: Sequence[_Place]) -> list[_Place]:
    """Those of these where somebody is one of the few others who see what is not public:
    co-signers (also those carried over by a merge), and the subdistrict where an appeal lies."""
    places = [
        (actor, topic, standing)
        for actor, topic, standing in places
        if actor.person_id is not None and topic.state is not State.DRAFT
    ]
    if not places:
        return []
    cosigned = select(CoSignature.topic_id, CoSignature.person_id).where(
        col(CoSignature.topic_id).in_({topic.id for _, topic, _ in places}),
        col(CoSignature.person_id).in_({actor.person_id for actor, _, _ in places}),
    )
    spoken_for = [place for place in places if place[2].org_id is not None]
    appealed = (
        select(Rejection.topic_id, Organisation.id)
        .join(Organisation, col(Organisation.id).in_({place[2].org_id for place in spoken_for}))
        .where(
            col(Rejection.topic_id).in_({topic.id for _, topic, _ in spoken_for}),
            col(Rejection.appealed_at).is_not(None),
            col(Organisation.kind).in_(SUBDISTRICT),
        )
    )
    either: Any = union_all(cosigned, appealed)
    concerned = {(topic_id, who) for topic_id, who in await tx.session.exec(either)}
    return [
        (actor, topic, standing)
        for actor, topic, standing in places
        if {(topic.id, actor.person_id), (topic.id, standing.org_id)} & concerned
    ]


async def access_transfer(tx: Transaction, transfer_id: UUID, deed: Deed) -> tuple[Transfer, Topic]:
    """The transfer and its locked topic."""
    transfer = await tx.session.get(Transfer, transfer_id)
    if transfer is None:
        raise NotFound(what="transfer")
    topic = await access_topic(tx, transfer.topic_id, deed, lock=True)
    await tx.session.refresh(transfer)  # as it stands now that we hold the lock
    return transfer, topic


async def access_request(
    tx: Transaction, request_id: UUID, deed: Deed
) -> tuple[ParticipantRequest, Topic]:
    """A request to be added to the participants, and its locked topic."""
    request = await tx.session.get(ParticipantRequest, request_id)
    if request is None:
        raise NotFound(what="participant_request")
    topic = await access_topic(tx, request.topic_id, deed, lock=True)
    await tx.session.refresh(request)
    return request, topic


async def access_document(
    tx: Transaction, document_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Document, Topic]:
    """A document that the actor may read, and its topic."""
    document = await tx.session.get(Document, document_id)
    if document is None:
        raise NotFound(what="document")
    topic = await access_topic(tx, document.topic_id, deed, lock=lock)
    if not may_read(document, topic, tx):
        raise NotFound(what="document")
    return document, topic


def may_read(document: Document, topic: Topic, tx: Transaction) -> bool:
    """Public documents: whoever sees the topic. Others: process staff, who filed it, and the
    author what is addressed to them."""
    if document.public or is_staff(tx.standing):
        return True
    if document.author_id is not None and document.author_id == tx.actor.person_id:
        return True
    return is_author(topic, tx) and document.kind in TO_AUTHOR
