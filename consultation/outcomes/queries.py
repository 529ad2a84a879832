"""The one place for SQL on outcomes, adoption, tasks and the board."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import and_, col, func, or_, select

from consultation.community.tables import Node, Organisation
from consultation.database import Transaction
from consultation.outcomes.rules import Answer, Decision
from consultation.outcomes.tables import (
    AdoptionReply,
    AdoptionSignature,
    BoardPosting,
    ConsensusCall,
    ConsensusObjection,
    Milestone,
    Outcome,
    OutcomeItem,
    ProgressReport,
    ReplyExtension,
    Spending,
    Task,
)
from consultation.outcomes.task_rules import SpendingKind
from consultation.permissions import Deed
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic

# ---- roads to a row -----------------------------------------------------------------------


async def access_task(
    tx: Transaction, task_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Task, Topic]:
    """The task and its topic, if the actor may do ``deed`` on it. ``lock`` takes the topic's lock,
    which guards its tasks too."""
    found = await tx.session.exec(select(Task.topic_id).where(Task.id == task_id))
    topic_id = found.first()
    if topic_id is None:
        raise NotFound(what="task")
    topic = await access_topic(tx, topic_id, deed, lock=lock)
    task = (await tx.session.exec(select(Task).where(Task.id == task_id))).one()
    return task, topic


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


async def organisation_reaching(tx: Transaction, org_id: UUID, topic: Topic) -> Organisation | None:
    """The organisation, if it belongs to the topic's community or to a level above it."""
    found = await tx.session.exec(
        select(Organisation, Node.path)
        .join(Node, col(Node.id) == col(Organisation.node_id))
        .where(Organisation.id == org_id)
    )
    row = found.first()
    if row is None:
        return None
    org, path = row
    reaches = org.community_id == topic.community_id or topic.node_path.startswith(path)
    return org if reaches else None


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
        select(OutcomeItem, AdoptionReply)
        .outerjoin(
            AdoptionReply,
            and_(
                col(AdoptionReply.item_id) == col(OutcomeItem.id),
                col(AdoptionReply.version) == newest,
            ),
        )
        .where(OutcomeItem.topic_id == topic_id, OutcomeItem.round == round)
        .order_by(col(OutcomeItem.number))
    )
    return [_answer(item, reply) for item, reply in found]


def _answer(item: OutcomeItem, reply: AdoptionReply | None) -> Answer:
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
        org_id=reply.org_id,
        at=reply.at,
    )


async def signatures_under(
    tx: Transaction, topic_id: UUID, round: int, digest: str
) -> list[AdoptionSignature]:
    found = await tx.session.exec(
        select(AdoptionSignature)
        .where(
            AdoptionSignature.topic_id == topic_id,
            AdoptionSignature.round == round,
            AdoptionSignature.replies_digest == digest,
        )
        .order_by(col(AdoptionSignature.at))
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


# ---- tasks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as it is shown: who is responsible, for which item, what has been spent."""

    task: Task
    responsible: str
    item_number: int | None
    paid_fen: int
    refunded_fen: int
    milestones: list[Milestone]


async def task_views(
    tx: Transaction, topic: Topic, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[TaskView]:
    """Tasks of a topic in all its rounds, first planned first, in two statements."""
    where = [Task.topic_id == topic.id]
    if after is not None:
        at, id = after
        where.append(
            or_(col(Task.created_at) > at, and_(col(Task.created_at) == at, col(Task.id) > id))  # type: ignore[arg-type]
        )
    return await _task_views(tx, *where, limit=limit)


async def task_view(tx: Transaction, task_id: UUID) -> TaskView:
    return (await _task_views(tx, Task.id == task_id, limit=1))[0]


async def _task_views(tx: Transaction, *where: object, limit: int) -> list[TaskView]:
    def spent(kind: SpendingKind) -> object:
        return (
            select(func.coalesce(func.sum(Spending.amount_fen), 0))
            .where(Spending.task_id == Task.id, Spending.kind == kind)
            .correlate(Task)
            .scalar_subquery()
        )

    found = await tx.session.exec(
        select(  # type: ignore[call-overload]
            Task,
            Organisation.name,
            OutcomeItem.number,
            spent(SpendingKind.PAID),
            spent(SpendingKind.REFUNDED),
        )
        .join(Organisation, col(Organisation.id) == col(Task.responsible_org_id))
        .outerjoin(OutcomeItem, col(OutcomeItem.id) == col(Task.item_id))
        .where(*where)
        .order_by(col(Task.created_at), col(Task.id))
        .limit(limit)
    )
    rows = found.all()
    milestones: dict[UUID, list[Milestone]] = {row[0].id: [] for row in rows}
    if milestones:
        for milestone in await tx.session.exec(
            select(Milestone)
            .where(col(Milestone.task_id).in_(milestones))
            .order_by(col(Milestone.number))
        ):
            milestones[milestone.task_id].append(milestone)
    return [
        TaskView(task, name, number, int(paid), int(refunded), milestones[task.id])
        for task, name, number, paid, refunded in rows
    ]


async def milestone(tx: Transaction, task_id: UUID, number: int) -> Milestone:
    found = await tx.session.exec(
        select(Milestone).where(Milestone.task_id == task_id, Milestone.number == number)
    )
    row = found.first()
    if row is None:
        raise NotFound(what="milestone")
    return row


async def spent_fen(tx: Transaction, task_id: UUID, kind: SpendingKind) -> int:
    found = await tx.session.exec(
        select(func.coalesce(func.sum(Spending.amount_fen), 0)).where(
            Spending.task_id == task_id, Spending.kind == kind
        )
    )
    return int(found.one())


async def progress_of(
    tx: Transaction, task_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[ProgressReport]:
    """Reports on a task, newest first."""
    statement = select(ProgressReport).where(ProgressReport.task_id == task_id)
    if before is not None:
        at, id = before
        statement = statement.where(
            or_(
                col(ProgressReport.at) < at,
                and_(col(ProgressReport.at) == at, col(ProgressReport.id) < id),
            )
        )
    found = await tx.session.exec(
        statement.order_by(col(ProgressReport.at).desc(), col(ProgressReport.id).desc()).limit(
            limit
        )
    )
    return found.all()


async def spending_of(
    tx: Transaction, task_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Spending]:
    """Entries of a task's accounts in the order in which they were made."""
    statement = select(Spending).where(Spending.task_id == task_id)
    if after is not None:
        at, id = after
        statement = statement.where(
            or_(col(Spending.at) > at, and_(col(Spending.at) == at, col(Spending.id) > id))
        )
    found = await tx.session.exec(
        statement.order_by(col(Spending.at), col(Spending.id)).limit(limit)
    )
    return found.all()


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


async def postings_of(tx: Transaction, topic_id: UUID) -> list[BoardPosting]:
    found = await tx.session.exec(
        select(BoardPosting)
        .where(BoardPosting.topic_id == topic_id)
        .order_by(col(BoardPosting.posted_on), col(BoardPosting.at))
    )
    return list(found)
