"""The one place for SQL on topics. ``access_topic`` is the only road to a topic's row."""

from uuid import UUID

from sqlmodel import select

from consultation.community.queries import standing_at
from consultation.database import Transaction
from consultation.permissions import Deed, Role, Standing, check, grant_of
from consultation.refusals import NotFound
from consultation.topics.states import State
from consultation.topics.tables import Topic


async def access_topic(tx: Transaction, topic_id: UUID, deed: Deed, *, lock: bool = False) -> Topic:
    """The topic, if the actor may see it and do ``deed`` on it. Unknown and invisible are both
    NotFound. ``lock`` keeps other commands off this topic until the transaction ends."""
    statement = select(Topic).where(Topic.id == topic_id)
    if lock:
        statement = statement.with_for_update()
    topic = (await tx.session.exec(statement)).first()
    if topic is None:
        raise NotFound(what="topic")
    standing = await standing_at(tx, topic.community_id, topic.node_path)
    if not may_see(topic, tx, standing):
        raise NotFound(what="topic")
    check(deed, standing.role)
    return topic


def may_see(topic: Topic, tx: Transaction, standing: Standing) -> bool:
    """Public topics: everybody. Others: the author, who entered it for them, process staff; and,
    while it gathers co-signers, every verified resident (domain 3.1)."""
    if topic.was_public or standing.role is Role.SYSTEM:
        return True
    if tx.actor.person_id is not None and tx.actor.person_id in (
        topic.author_id,
        topic.entered_by_id,
    ):
        return True
    if topic.state is State.DRAFT:
        return False
    if grant_of(Deed.READ_PROCESS, standing.role) is not None:
        return True
    return topic.state is State.SUBMITTED and topic.open_to_cosign and standing.level >= 2
