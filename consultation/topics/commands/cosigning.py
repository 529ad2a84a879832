"""Co-signing 附议 and following 关注. Both have a natural key: doing it again changes nothing."""

from uuid import UUID

from sqlmodel import col, delete

from consultation.database import Transaction
from consultation.events.topics import TopicCosigned
from consultation.permissions import Deed, Grant, Role, grant_of
from consultation.refusals import NotPermitted
from consultation.topics import lookups, rules
from consultation.topics.queries import access_topic
from consultation.topics.tables import CoSignature, Topic


async def cosign_topic(tx: Transaction, topic_id: UUID) -> Topic:
    """Stand behind somebody else's topic. Refuses with CosignClosed, OwnTopic or ScopeTooFar."""
    topic = await access_topic(tx, topic_id, Deed.COSIGN, lock=True)
    rules.check_cosign_open(topic.state)
    if topic.author_id == tx.person_id:
        raise rules.OwnTopic()
    if grant_of(Deed.COSIGN, tx.standing.role) is Grant.OWN:
        stake = await lookups.stake_path(tx, topic.community_id)
        if stake is None or not stake.startswith(topic.node_path):
            raise rules.ScopeTooFar()

    if await tx.session.get(CoSignature, (topic.id, tx.person_id)) is None:
        tx.session.add(
            CoSignature(
                topic_id=topic.id,
                person_id=tx.person_id,
                community_id=topic.community_id,
                at=tx.now,
            )
        )
        _count(tx, topic, topic.co_signers + 1)
        await lookups.begin_following(tx, topic, tx.person_id)
    return topic


async def undo_cosign(tx: Transaction, topic_id: UUID) -> Topic:
    """Take the own co-signature back while co-signing is open."""
    topic = await access_topic(tx, topic_id, Deed.COSIGN, lock=True)
    rules.check_cosign_open(topic.state)
    gone = await tx.session.exec(
        delete(CoSignature).where(
            col(CoSignature.topic_id) == topic.id, col(CoSignature.person_id) == tx.person_id
        )
    )
    if gone.rowcount:
        _count(tx, topic, topic.co_signers - 1)
    return topic


def _count(tx: Transaction, topic: Topic, co_signers: int) -> None:
    topic.co_signers = co_signers
    tx.emit(
        TopicCosigned(community_id=topic.community_id, topic_id=topic.id, co_signers=co_signers)
    )


async def follow_topic(tx: Transaction, topic_id: UUID) -> Topic:
    """Hear from now on how the topic goes on. Whoever belongs to the community, or has a role
    there."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    if tx.standing.role is Role.VISITOR:
        raise NotPermitted(deed="follow", role=tx.standing.role.value)
    await lookups.set_following(tx, topic, ended=False)
    return topic


async def unfollow_topic(tx: Transaction, topic_id: UUID) -> Topic:
    """Hear no more of it. What a vote owes its voters they are told all the same."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    if tx.standing.role is not Role.VISITOR:
        await lookups.set_following(tx, topic, ended=True)
    return topic
