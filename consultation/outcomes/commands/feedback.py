"""Feedback 反馈: the work is reported complete, or the refusal answered; a notice says what came
of it, online and on the board."""

from datetime import date
from uuid import UUID

from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.events.outcomes import DocumentPosted
from consultation.outcomes import queries, rules, task_rules
from consultation.outcomes.tables import BoardPosting
from consultation.oversight.evaluation import evaluate_if_ready
from consultation.permissions import Deed, Grant, check
from consultation.topics.documents import Paper, publish_document
from consultation.topics.lifecycle import advance
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, DocumentKind
from consultation.topics.tables import Document, Topic


async def report_completion(tx: Transaction, topic_id: UUID, *, text: str) -> Topic:
    """T22: all tasks are accepted or ended with a reason, their accounts are there."""
    topic = await access_topic(tx, topic_id, Deed.CONVENE, lock=True)
    await advance(tx, topic, Act.REPORT, paper=Paper(f"完工验收记录:{topic.title}", text))
    return topic


async def answer_non_adoption(tx: Transaction, topic_id: UUID, *, reason: str) -> Topic:
    """T23: nothing was adopted; the convener passes the reasons on to those who proposed."""
    topic = await access_topic(tx, topic_id, Deed.CONVENE, lock=True)
    await advance(tx, topic, Act.ANSWER, reason=reason)
    return topic


async def publish_feedback_notice(
    tx: Transaction, topic_id: UUID, *, body: str, correction_reason: str | None = None
) -> Document:
    """The feedback notice 反馈公告 without which no topic is closed (S9). Publishing again
    corrects it, with a reason."""
    topic = await access_topic(tx, topic_id, Deed.PUBLISH_NOTICE, lock=True)
    _check_own(tx, topic)
    rules.check_may_notify(topic.state)
    earlier = await queries.latest_document(tx, topic, DocumentKind.FEEDBACK_NOTICE)
    rules.check_correction(corrects=earlier is not None, reason=correction_reason)

    notice = await publish_document(
        tx,
        topic,
        DocumentKind.FEEDBACK_NOTICE,
        title=f"反馈公告:{topic.title}",
        body=body,
        replaces=earlier,
        correction_reason=correction_reason,
    )
    await evaluate_if_ready(tx, topic)
    return notice


async def post_on_board(
    tx: Transaction, document_id: UUID, *, place: str, posted_on: date, photo_sha256: str
) -> BoardPosting:
    """Proof that a published document hangs on the notice board: where, since when, and the
    SHA-256 of the photo (64 hex digits). The photo itself stays with whoever took it, and is shown
    when somebody doubts. Refuses with FingerprintVoid or PhotoUsedBefore, among others."""
    document, topic = await queries.access_document(tx, document_id, Deed.PUBLISH_NOTICE, lock=True)
    _check_own(tx, topic)
    rules.check_fingerprint(photo_sha256)
    task_rules.check_not_future(posted_on, today=local_day(tx.now))
    if await queries.photo_is_used(tx, topic.community_id, photo_sha256):
        raise rules.PhotoUsedBefore()

    posting = BoardPosting(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        document_id=document.id,
        place=place,
        posted_on=posted_on,
        photo_sha256=photo_sha256,
        by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(posting)
    tx.emit(
        DocumentPosted(community_id=topic.community_id, topic_id=topic.id, document_id=document.id)
    )
    await evaluate_if_ready(tx, topic)
    return posting


def _check_own(tx: Transaction, topic: Topic) -> None:
    """Government publishes on what it has commissioned."""
    grant = check(Deed.PUBLISH_NOTICE, tx.standing.role)
    if grant is Grant.OWN and topic.commissioning_org_id != tx.standing.org_id:
        raise rules.NotTheAdopter()
