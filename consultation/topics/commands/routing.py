"""Where a topic goes that is not consulted on by itself: merged into another 并案, or transferred
to the body it belongs to 转办, which answers."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.topics import TopicCosigned, TransferChanged
from consultation.permissions import Deed, Role
from consultation.refusals import NotFound
from consultation.topics import lookups, rules, transfers
from consultation.topics.commands.screening import Classification, take_on
from consultation.topics.commands.telling import tell
from consultation.topics.documents import Paper, publish_document
from consultation.topics.lifecycle import advance, set_deadline
from consultation.topics.plan import procedure
from consultation.topics.queries import access_topic, access_transfer
from consultation.topics.states import Act, DocumentKind, State, TransferAct, TransferState
from consultation.topics.tables import Topic, TopicTransition, Transfer


async def merge_topic(
    tx: Transaction, topic_id: UUID, target_id: UUID, *, reason: str, title: str = "并案说明"
) -> TopicTransition:
    """T5: same subject and scope. Author, co-signers and followers go over to the target as its
    co-signers and followers, and are told. Refuses with MergeTargetUnsuitable."""
    # both locked in one order, so that two merges crossing each other do not wait in a circle
    locked = {
        id: await access_topic(tx, id, Deed.ACCEPT, lock=True)
        for id in sorted({topic_id, target_id})
    }
    topic, target = locked[topic_id], locked[target_id]
    rules.check_merge(topic, target)
    people = await lookups.supporters(tx, topic)
    await lookups.carry_over(tx, topic, target)
    step = await advance(
        tx,
        topic,
        Act.MERGE,
        reason=reason,
        paper=Paper(title, reason),
        facts={"merged_into": str(target.id)},
    )

    topic.merged_into_id = target.id
    target.co_signers = await lookups.count_co_signers(tx, target.id)
    tell(tx, target, people, "topic_merged", subject_id=topic.id)
    tx.emit(
        TopicCosigned(
            community_id=target.community_id, topic_id=target.id, co_signers=target.co_signers
        )
    )
    return step


async def transfer_topic(
    tx: Transaction,
    topic_id: UUID,
    *,
    receiver_org_id: UUID,
    reason: str,
    ticket: str | None = None,
    title: str = "转办单",
) -> Transfer:
    """T6: to a department, 12345, mediation, police, owners or petition office. ``ticket`` is the
    receiver's number for it, if there is one already. Refuses with ReceiverUnsuitable."""
    topic = await access_topic(tx, topic_id, Deed.ACCEPT, lock=True)
    receiver = await lookups.organisation_at(tx, receiver_org_id)
    if receiver is None:
        raise NotFound(what="organisation")
    org, path = receiver
    transfers.check_receiver(
        org.kind,
        org_path=path,
        org_community=org.community_id == topic.community_id,
        topic_path=topic.node_path,
    )
    await advance(
        tx,
        topic,
        Act.TRANSFER,
        reason=reason,
        paper=Paper(title, f"转办单位:{org.name}\n转办事由:{reason}"),
        facts={"receiver": org.kind.value},
    )

    transfer = Transfer(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        receiver_org_id=org.id,
        ticket=ticket,
        state=TransferState.SENT,
        reason=reason,
        sent_by_id=tx.person_id,
        due_at=topic.due_at,
        sent_at=tx.now,
    )
    tx.session.add(transfer)
    _changed(tx, transfer, topic)
    tell(tx, topic, {topic.author_id}, "topic_transferred", subject_id=transfer.id)
    return transfer


async def receive_transfer(
    tx: Transaction, transfer_id: UUID, *, ticket: str | None = None
) -> Transfer:
    """The receiver has it, under its own ticket number."""
    transfer, topic = await _access_as_receiver(tx, transfer_id)
    _step(tx, transfer, topic, TransferAct.RECEIVE)
    transfer.received_at = tx.now
    transfer.ticket = ticket or transfer.ticket
    return transfer


async def handle_transfer(tx: Transaction, transfer_id: UUID) -> Transfer:
    """The receiver works on it."""
    transfer, topic = await _access_as_receiver(tx, transfer_id)
    _step(tx, transfer, topic, TransferAct.HANDLE)
    return transfer


async def answer_transfer(
    tx: Transaction, transfer_id: UUID, *, answer: str, ticket: str | None = None
) -> Transfer:
    """The receiver's answer; the community then relays it to the author."""
    transfer, topic = await _access_as_receiver(tx, transfer_id)
    _step(tx, transfer, topic, TransferAct.ANSWER)
    transfer.answer = answer
    transfer.ticket = ticket or transfer.ticket
    transfer.answered_at = tx.now
    transfer.answered_by_id = tx.person_id
    await set_deadline(tx, topic, procedure().periods["relay"].after(tx.now))
    return transfer


async def give_back_transfer(tx: Transaction, transfer_id: UUID, *, reason: str) -> Transfer:
    """The receiver says that the matter is not theirs. The community decides anew, within the
    time it has for screening."""
    transfer, topic = await _access_as_receiver(tx, transfer_id)
    _step(tx, transfer, topic, TransferAct.GIVE_BACK)
    transfer.return_reason = reason
    transfer.answered_at = tx.now
    transfer.answered_by_id = tx.person_id
    await set_deadline(tx, topic, procedure().deadlines[State.SUBMITTED].after(tx.now))
    tell(tx, topic, {topic.author_id}, "transfer_given_back", subject_id=transfer.id)
    return transfer


async def relay_to_author(
    tx: Transaction, transfer_id: UUID, *, title: str = "转办事项答复"
) -> Transfer:
    """The community hands the answer to the author and publishes it on the topic (S32)."""
    transfer, topic = await access_transfer(tx, transfer_id, Deed.SCREEN)
    _step(tx, transfer, topic, TransferAct.RELAY)
    transfer.relayed_at = tx.now
    document = await publish_document(
        tx,
        topic,
        DocumentKind.TRANSFER_ANSWER,
        title=title,
        body=transfer.answer or "",
        public=topic.was_public,
    )
    transfer.answer_document_id = document.id
    await set_deadline(tx, topic, None)
    tell(tx, topic, {topic.author_id}, "transfer_answered", subject_id=transfer.id)
    return transfer


async def rate_transfer(tx: Transaction, transfer_id: UUID, *, rating: int) -> Transfer:
    """The author rates the answer, 1 to 5."""
    transfer, topic = await access_transfer(tx, transfer_id, Deed.READ_PUBLIC)
    if topic.author_id != tx.actor.person_id:
        raise rules.NotTheAuthor()
    _step(tx, transfer, topic, TransferAct.RATE)
    transfer.rating = rating
    return transfer


async def take_back_topic(
    tx: Transaction, topic_id: UUID, classification: Classification, *, reason: str, note: Paper
) -> TopicTransition:
    """T6a: the receiver gave it back, or its answer shows that the community can act."""
    topic = await access_topic(tx, topic_id, Deed.ACCEPT, lock=True)
    return await take_on(tx, topic, Act.TAKE_BACK, classification, note=note, reason=reason)


async def _access_as_receiver(tx: Transaction, transfer_id: UUID) -> tuple[Transfer, Topic]:
    transfer, topic = await access_transfer(tx, transfer_id, Deed.ANSWER_TRANSFER)
    if tx.standing.role is Role.GOVERNMENT:
        if tx.standing.org_id != transfer.receiver_org_id:
            raise transfers.NotTheReceiver()
    elif await lookups.has_staff(tx, transfer.receiver_org_id):
        raise transfers.NotTheReceiver()
    return transfer, topic


def _step(tx: Transaction, transfer: Transfer, topic: Topic, act: TransferAct) -> None:
    transfer.state = transfers.transfer_after(transfer.state, act)
    _changed(tx, transfer, topic)


def _changed(tx: Transaction, transfer: Transfer, topic: Topic) -> None:
    tx.emit(
        TransferChanged(
            community_id=topic.community_id,
            topic_id=topic.id,
            transfer_id=transfer.id,
            state=transfer.state.value,
            due_at=transfer.due_at,
        )
    )
