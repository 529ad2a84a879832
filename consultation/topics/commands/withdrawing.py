"""Withdrawing a topic 撤回: freely before acceptance; after it, a co-signer may take it over."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.topics import TopicTakenOver, WithdrawalAsked
from consultation.permissions import Deed
from consultation.topics import lookups, rules
from consultation.topics.commands.telling import tell
from consultation.topics.lifecycle import advance
from consultation.topics.plan import procedure
from consultation.topics.queries import access_own_topic, access_topic
from consultation.topics.states import Act
from consultation.topics.tables import CoSignature, Topic, TopicTransition


async def withdraw_topic(
    tx: Transaction, topic_id: UUID, *, reason: str | None = None
) -> TopicTransition:
    """T7, before acceptance."""
    topic = await access_own_topic(tx, topic_id, Deed.RAISE_TOPIC)
    people = await lookups.supporters(tx, topic)
    step = await advance(tx, topic, Act.WITHDRAW, reason=reason)

    tell(tx, topic, people - {tx.person_id}, "topic_withdrawn")
    return step


async def ask_withdrawal(tx: Transaction, topic_id: UUID) -> Topic:
    """After acceptance the author may ask; co-signers then have 5 days to take the topic over."""
    topic = await access_own_topic(tx, topic_id, Deed.RAISE_TOPIC)
    rules.check_withdrawal_request(topic.state, asked_at=topic.withdrawal_asked_at)
    people = await lookups.supporters(tx, topic)

    topic.withdrawal_asked_at = tx.now
    tell(tx, topic, people - {tx.person_id}, "withdrawal_asked")
    tx.emit(
        WithdrawalAsked(
            community_id=topic.community_id,
            topic_id=topic.id,
            take_over_until=procedure().periods["withdrawal"].after(tx.now),
        )
    )
    return topic


async def take_over_topic(tx: Transaction, topic_id: UUID) -> Topic:
    """A co-signer becomes the author, within the 5 days. Their co-signature ends with that."""
    topic = await access_topic(tx, topic_id, Deed.COSIGN, lock=True)
    if topic.author_id == tx.person_id:
        raise rules.OwnTopic()
    signature = await tx.session.get(CoSignature, (topic.id, tx.person_id))
    rules.check_take_over(
        topic.state,
        asked_at=topic.withdrawal_asked_at,
        co_signer=signature is not None,
        now=tx.now,
        period=procedure().periods["withdrawal"],
    )

    former = topic.author_id
    topic.author_id = tx.person_id
    topic.entered_by_id = None
    topic.withdrawal_asked_at = None
    topic.co_signers -= 1
    await tx.session.delete(signature)
    tell(tx, topic, {former}, "topic_taken_over")
    tx.emit(TopicTakenOver(community_id=topic.community_id, topic_id=topic.id))
    return topic


async def agree_withdrawal(
    tx: Transaction, topic_id: UUID, *, reason: str | None = None
) -> TopicTransition:
    """T7a: the convener agrees when nobody took the topic over in 5 days."""
    topic = await access_topic(tx, topic_id, Deed.ACCEPT, lock=True)
    people = await lookups.supporters(tx, topic)
    step = await advance(tx, topic, Act.AGREE_WITHDRAWAL, reason=reason)

    topic.withdrawal_asked_at = None
    tell(tx, topic, people, "topic_withdrawn")
    return step
