"""The one place for SQL on outcomes, adoption, tasks and the board."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import and_, col, func, select

from consultation.community.tables import Organisation
from consultation.database import Transaction
from consultation.outcomes.rules import Answer, Decision
from consultation.outcomes.tables import (
    AdoptionReply,
    AdoptionSignature,
    BoardPosting,
    ConsensusCall,
    ConsensusObjection,
    Outcome,
    OutcomeItem,
    ReplyExtension,
)
from consultation.permissions import Deed
from consultation.polls.outside_queries import confirmed_outside
from consultation.polls.rules import PollState, Verdict
from consultation.polls.tables import Poll
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic

# ---- roads to a row -----------------------------------------------------------------------


async def access_document(
    tx: Transaction, document_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Document, Topic]:
    """A public document and its topic, if the actor may do ``deed`` on it."""
    found = await tx.session.exec(
        select(Document).where(Document.id == document_id, col(Document.public).is_(True))
    )
    document = found.first()
    if document is None:
        raise NotFound(what="document")
    return document, await access_topic(tx, document.topic_id, deed, lock=lock)


async def organisation(tx: Transaction, org_id: UUID | None) -> Organisation | None:
    return None if org_id is None else await tx.session.get(Organisation, org_id)


# ---- the outcome paper --------------------------------------------------------------------


async def latest_outcome(tx: Transaction, topic_id: UUID, round: int) -> Outcome | None:
    found = await tx.session.exec(
        select(Outcome)
        .where(Outcome.topic_id == topic_id, Outcome.round == round)
        .order_by(col(Outcome.version).desc())
        .limit(1)
    )
    return found.first()


async def outcome_items(tx: Transaction, topic_id: UUID, round: int) -> list[OutcomeItem]:
    found = await tx.session.exec(
        select(OutcomeItem)
        .where(OutcomeItem.topic_id == topic_id, OutcomeItem.round == round)
        .order_by(col(OutcomeItem.number))
    )
    return list(found)


async def outcome_item(tx: Transaction, topic: Topic, number: int) -> OutcomeItem:
    found = await tx.session.exec(
        select(OutcomeItem).where(
            OutcomeItem.topic_id == topic.id,
            OutcomeItem.round == topic.round,
            OutcomeItem.number == number,
        )
    )
    item = found.first()
    if item is None:
        raise NotFound(what="outcome_item")
    return item


async def vote_announced(tx: Transaction, topic: Topic) -> bool:
    found = await tx.session.exec(
        select(Poll.state).where(Poll.topic_id == topic.id, Poll.round == topic.round)
    )
    state = found.first()
    return state not in (None, PollState.DRAFT, PollState.VOIDED)


async def voted_down(tx: Transaction, topic: Topic) -> bool:
    """Whether nothing passed in the binding vote of this round; where the law takes another
    system's count for the vote, in that."""
    found = await tx.session.exec(
        select(Poll).where(
            Poll.topic_id == topic.id, Poll.round == topic.round, Poll.state != PollState.VOIDED
        )
    )
    poll = found.first()
    if poll is None:
        return False
    if poll.legal_system_of_record:
        return poll.result is not None and poll.result.verdict is Verdict.NOT_PASSED
    certified = await confirmed_outside(tx, poll)
    return certified is not None and certified[0].result.verdict is Verdict.NOT_PASSED


async def consensus_call(tx: Transaction, topic: Topic, version: int) -> ConsensusCall | None:
    return await tx.session.get(ConsensusCall, (topic.id, topic.round, version))


@dataclass(frozen=True, slots=True)
class Consensus:
    """The call on the present paper, and how many object."""

    called_at: datetime | None
    objections: int


@dataclass(frozen=True, slots=True)
class OutcomePaper:
    outcome: Outcome
    items: list[OutcomeItem]
    consensus: Consensus


async def outcome_paper(tx: Transaction, topic_id: UUID, round: int) -> OutcomePaper | None:
    """The latest paper of a round with its items, in two statements."""
    of_paper = and_(
        col(ConsensusObjection.topic_id) == col(Outcome.topic_id),
        col(ConsensusObjection.round) == col(Outcome.round),
        col(ConsensusObjection.version) == col(Outcome.version),
    )
    found = await tx.session.exec(
        select(
            Outcome,
            ConsensusCall.at,
            select(func.count())
            .select_from(ConsensusObjection)
            .where(of_paper)
            .correlate(Outcome)
            .scalar_subquery(),
        )
        .outerjoin(
            ConsensusCall,
            and_(
                col(ConsensusCall.topic_id) == col(Outcome.topic_id),
                col(ConsensusCall.round) == col(Outcome.round),
                col(ConsensusCall.version) == col(Outcome.version),
            ),
        )
        .where(Outcome.topic_id == topic_id, Outcome.round == round)
        .order_by(col(Outcome.version).desc())
        .limit(1)
    )
    row = found.first()
    if row is None:
        return None
    outcome, called_at, objections = row
    items = await outcome_items(tx, topic_id, round)
    return OutcomePaper(outcome, items, Consensus(called_at, objections))


# ---- adoption -----------------------------------------------------------------------------


async def current_answers(tx: Transaction, topic_id: UUID, round: int) -> list[Answer]:
    """Every outcome item of the round, in order, with its latest reply."""
    newest = (
        select(func.max(AdoptionReply.version))
        .where(AdoptionReply.item_id == OutcomeItem.id)
        .correlate(OutcomeItem)
        .scalar_subquery()
    )
    found = await tx.session.exec(
        select(OutcomeItem, AdoptionReply, Organisation.name)
        .outerjoin(
            AdoptionReply,
            and_(
                col(AdoptionReply.item_id) == col(OutcomeItem.id),
                col(AdoptionReply.version) == newest,
            ),
        )
        .outerjoin(Organisation, col(Organisation.id) == col(AdoptionReply.org_id))
        .where(OutcomeItem.topic_id == topic_id, OutcomeItem.round == round)
        .order_by(col(OutcomeItem.number))
    )
    return [_answer(item, reply, org) for item, reply, org in found]


def _answer(item: OutcomeItem, reply: AdoptionReply | None, org: str | None) -> Answer:
    if reply is None:
        return Answer(item_id=item.id, number=item.number, item=item.text)
    return Answer(
        item_id=item.id,
        number=item.number,
        item=item.text,
        version=reply.version,
        decision=reply.decision,
        reason_code=reply.reason_code,
        reason=reply.reason,
        org=org,
        at=reply.at,
    )


async def signatures_under(
    tx: Transaction, topic_id: UUID, round: int, digest: str
) -> list[tuple[AdoptionSignature, str]]:
    """The signatures under the replies with this digest, each with its organisation's name."""
    found = await tx.session.exec(
        select(AdoptionSignature, Organisation.name)
        .join(Organisation, col(Organisation.id) == col(AdoptionSignature.org_id))
        .where(
            AdoptionSignature.topic_id == topic_id,
            AdoptionSignature.round == round,
            AdoptionSignature.replies_digest == digest,
        )
        .order_by(col(AdoptionSignature.at), col(AdoptionSignature.side).desc())
    )
    return list(found)


async def reply_extension(tx: Transaction, topic_id: UUID, round: int) -> ReplyExtension | None:
    return await tx.session.get(ReplyExtension, (topic_id, round))


async def reply_versions(tx: Transaction, item_id: UUID) -> int:
    """How many versions of the reply to an item there are."""
    found = await tx.session.exec(
        select(func.coalesce(func.max(AdoptionReply.version), 0)).where(
            AdoptionReply.item_id == item_id
        )
    )
    return found.one()


async def decision_on(tx: Transaction, item_id: UUID) -> Decision | None:
    """The latest decision on an item."""
    found = await tx.session.exec(
        select(AdoptionReply.decision)
        .where(AdoptionReply.item_id == item_id)
        .order_by(col(AdoptionReply.version).desc())
        .limit(1)
    )
    decision = found.first()
    return None if decision is None else Decision(decision)


# ---- feedback -----------------------------------------------------------------------------


async def latest_document(tx: Transaction, topic: Topic, kind: DocumentKind) -> Document | None:
    """The latest public version of the first series of a kind in this round."""
    found = await tx.session.exec(
        select(Document)
        .where(
            Document.topic_id == topic.id,
            Document.round == topic.round,
            Document.kind == kind,
            col(Document.public).is_(True),
        )
        .order_by(col(Document.version).desc())
        .limit(1)
    )
    return found.first()


async def feedback_documents(tx: Transaction, topic_id: UUID) -> list[Document]:
    """Feedback notices and general explanations, all versions, in the order of publication."""
    found = await tx.session.exec(
        select(Document)
        .where(
            Document.topic_id == topic_id,
            col(Document.kind).in_(
                (DocumentKind.FEEDBACK_NOTICE, DocumentKind.GENERAL_EXPLANATION)
            ),
            col(Document.public).is_(True),
        )
        .order_by(col(Document.created_at), col(Document.kind), col(Document.version))
    )
    return list(found)


async def photo_is_used(tx: Transaction, community_id: UUID, sha256: str) -> bool:
    found = await tx.session.exec(
        select(BoardPosting.id)
        .where(BoardPosting.community_id == community_id, BoardPosting.photo_sha256 == sha256)
        .limit(1)
    )
    return found.first() is not None


async def postings_of(tx: Transaction, topic_id: UUID) -> list[BoardPosting]:
    found = await tx.session.exec(
        select(BoardPosting)
        .where(BoardPosting.topic_id == topic_id)
        .order_by(col(BoardPosting.posted_on), col(BoardPosting.at))
    )
    return list(found)
