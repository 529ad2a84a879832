"""Different views 不同意见: recorded as they are, explained to, and free to stand (S10)."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.oversight import DissentCounted
from consultation.events.people import UserNotified
from consultation.oversight import queries, rules
from consultation.oversight.evaluation import settle
from consultation.oversight.rules import DissentState, ExplanationChannel, Reply
from consultation.oversight.tables import DissentExplanation, DissentRecord
from consultation.permissions import Deed, Grant, check
from consultation.topics.documents import publish_document
from consultation.topics.plan import procedure
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind, State
from consultation.topics.subjects import check_subject
from consultation.topics.tables import Document, Topic


async def record_dissent(
    tx: Transaction,
    topic_id: UUID,
    *,
    view: str,
    person_id: UUID | None = None,
    step: State | None = None,
) -> DissentRecord:
    """Put a different view on record, for oneself, or as clerk, host or grid worker for a person
    who said it at a meeting or at the door. ``step``: where in the process it was held, if not now.
    The view is never changed afterwards."""
    topic = await access_topic(tx, topic_id, Deed.RECORD_DISSENT, lock=True)
    dissenter = await _dissenter(tx, topic, person_id)
    held_at = rules.dissent_step(topic.state, step)
    check_subject(view)
    if await queries.has_dissent(tx, topic, dissenter, held_at):
        raise rules.DissentAlreadyRecorded()

    record = DissentRecord(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        round=topic.round,
        person_id=dissenter,
        step=held_at.value,
        view=view,
        recorded_by_id=tx.person_id,
        state=DissentState.RECORDED,
        at=tx.now,
    )
    tx.session.add(record)
    if dissenter != tx.person_id:
        _notify(tx, dissenter, "dissent_recorded", record)
    await _tell(tx, topic)
    return record


async def _dissenter(tx: Transaction, topic: Topic, person_id: UUID | None) -> UUID:
    if check(Deed.RECORD_DISSENT, tx.standing.role) is Grant.OWN:
        if person_id not in (None, tx.person_id):
            raise rules.NotYourDissent()
        return tx.person_id
    if person_id is None or not await queries.lives_here(tx, person_id, topic.community_id):
        raise rules.DissenterUnknown()
    return person_id


async def assign_dissent(tx: Transaction, dissent_id: UUID, *, to_person_id: UUID) -> DissentRecord:
    """Name who explains."""
    record, topic = await queries.access_to_explain(tx, dissent_id)
    rules.check_assignable(record.state)
    if not await queries.may_explain(tx, to_person_id, topic):
        raise rules.ExplainerNotSuitable()

    record.state = DissentState.ASSIGNED
    record.assigned_to_id = to_person_id
    _notify(tx, to_person_id, "dissent_assigned", record)
    await _tell(tx, topic)
    return record


async def explain_dissent(
    tx: Transaction,
    dissent_id: UUID,
    *,
    channel: ExplanationChannel,
    text: str,
    reached: bool = True,
) -> DissentExplanation:
    """Explain how the view was dealt with, or document an attempt that did not reach the person
    (``reached`` false, ``text`` says when and how it was tried)."""
    record, topic = await queries.access_to_explain(tx, dissent_id)
    rules.check_not_closed(topic.state)
    state = rules.after_explanation(record.state, reached=reached)
    last = await queries.last_explanation(tx, record.id)

    explanation = DissentExplanation(
        id=tx.new_id(),
        community_id=record.community_id,
        dissent_id=record.id,
        number=1 if last is None else last.number + 1,
        by_id=tx.person_id,
        org_id=tx.standing.org_id,
        channel=channel,
        reached=reached,
        text=text,
        at=tx.now,
    )
    tx.session.add(explanation)
    record.state = state
    record.due_at = None
    record.assigned_to_id = record.assigned_to_id or tx.person_id
    _notify(tx, record.person_id, "dissent_explained", record)
    await _tell(tx, topic)
    await settle(tx, topic)
    return explanation


async def answer_explanation(
    tx: Transaction, dissent_id: UUID, *, reply: Reply
) -> DissentExplanation:
    """The dissenter's own word on the last explanation. To maintain the view ends the matter as
    well as to understand; "talk again" asks for another explanation."""
    record, topic = await queries.access_own_dissent(tx, dissent_id)
    last = await queries.last_explanation(tx, record.id)
    if last is not None and last.reply is reply:
        return last
    if last is not None and last.reply is not None:
        raise rules.AlreadyReplied()
    state = rules.after_reply(record.state, reply, closed=topic.state is State.CLOSED)
    assert last is not None  # the states above are reached by an explanation

    last.reply = reply
    last.replied_at = tx.now
    record.state = state
    if reply is Reply.TALK_AGAIN:
        record.due_at = procedure().periods["explanation"].after(tx.now)
        if record.assigned_to_id is not None:
            _notify(tx, record.assigned_to_id, "dissent_assigned", record)
    await _tell(tx, topic)
    await settle(tx, topic)
    return last


async def add_rejoinder(tx: Transaction, dissent_id: UUID, *, text: str) -> DissentRecord:
    """The dissenter's last word to what was explained, once; it stays beside the view."""
    record, _ = await queries.access_own_dissent(tx, dissent_id)
    if record.rejoinder == text:
        return record
    if record.rejoinder is not None:
        raise rules.RejoinderGiven()
    if await queries.last_explanation(tx, record.id) is None:
        raise rules.DissentStepNotAllowed(state=record.state.value)
    check_subject(text)

    record.rejoinder = text
    return record


async def publish_general_explanation(tx: Transaction, topic_id: UUID, *, body: str) -> Document:
    """What everybody may read about how different views were dealt with; it names nobody."""
    topic = await queries.access_dissent_of_topic(tx, topic_id, lock=True)
    check_subject(body)
    return await publish_document(
        tx,
        topic,
        DocumentKind.GENERAL_EXPLANATION,
        title=f"不同意见的解释说明:{topic.title}",
        body=body,
    )


def _notify(tx: Transaction, person_id: UUID, about: str, record: DissentRecord) -> None:
    tx.emit(
        UserNotified(
            community_id=record.community_id,
            person_id=person_id,
            about=about,
            topic_id=record.topic_id,
            subject_id=record.id,
        )
    )


async def _tell(tx: Transaction, topic: Topic) -> None:
    """How many records wait and how many are settled; never whose."""
    counts = await queries.dissent_counts(tx, topic.id)
    waiting = sum(counts[state] for state in rules.UNSETTLED)
    tx.emit(
        DissentCounted(
            community_id=topic.community_id,
            topic_id=topic.id,
            open=waiting,
            settled=sum(counts.values()) - waiting,
        )
    )
