"""Statements 观点: one sentence each, which people mark (``commands/marking.py``)."""

from uuid import UUID

from consultation.database import Transaction
from consultation.deliberation import queries, rules
from consultation.deliberation.queries import access_statement, speaker
from consultation.deliberation.rules import HidingReason, StatementState
from consultation.deliberation.tables import Statement
from consultation.events.deliberation import StatementAdded, StatementModerated
from consultation.events.people import UserNotified
from consultation.permissions import Deed
from consultation.topics.queries import access_topic
from consultation.topics.subjects import check_subject


async def add_statement(tx: Transaction, topic_id: UUID, *, text: str) -> Statement:
    """Put one sentence before the others. It can be marked at once, and moderated later.

    Refuses with NotDeliberating, ResidentsOnly, TextTooLong, ForbiddenSubject, SpeakerUnderAge.
    """
    topic = await access_topic(tx, topic_id, Deed.SPEAK, lock=True)
    rules.check_open(topic.state)
    rules.check_resident(tx.standing.role)
    rules.check_text(text, longest=rules.STATEMENT_LENGTH)
    check_subject(text)
    author = await speaker(tx, tx.person_id, topic)
    rules.check_age(author.born_on, tx.now)

    statement = Statement(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        number=await queries.next_statement_number(tx, topic.id),
        author_id=tx.person_id,
        text=text,
        state=StatementState.OPEN,
        created_at=tx.now,
    )
    tx.session.add(statement)

    tx.emit(
        StatementAdded(
            community_id=topic.community_id, topic_id=topic.id, statement_id=statement.id
        )
    )
    return statement


async def moderate_statement(
    tx: Transaction,
    statement_id: UUID,
    *,
    accept: bool,
    reason_code: HidingReason | None = None,
    reason: str = "",
) -> Statement:
    """Accept a statement, or take it off the list with a reason that its author is told. Its marks
    stay, and a moderator may correct the decision.

    Refuses with ReasonMissing or WasRestored.
    """
    statement, _ = await access_statement(tx, statement_id, Deed.MODERATE, lock=True)
    if not accept:
        rules.check_rejectable(restored=statement.restored_by_id is not None)
        rules.check_reason(reason if reason_code is not None else "")

    statement.state = StatementState.ACCEPTED if accept else StatementState.REJECTED
    statement.reason_code = None if accept or reason_code is None else reason_code.value
    statement.reason = None if accept else reason
    statement.moderated_by_id = tx.person_id
    statement.moderated_at = tx.now

    _tell_moderated(tx, statement)
    return statement


async def restore_statement(tx: Transaction, statement_id: UUID, *, opinion: str) -> Statement:
    """The supervisor puts a rejected statement back for good, and says why; never who rejected it.

    Refuses with StatementNotRejected, HiderDecidesNot or ReasonMissing.
    """
    statement, _ = await access_statement(tx, statement_id, Deed.REVIEW_MODERATION, lock=True)
    rules.check_restorable(
        statement.state, rejected_by=statement.moderated_by_id, decider=tx.person_id
    )
    rules.check_reason(opinion)

    statement.state = StatementState.ACCEPTED
    statement.restored_by_id = tx.person_id
    statement.reason = opinion
    statement.moderated_at = tx.now

    _tell_moderated(tx, statement)
    return statement


def _tell_moderated(tx: Transaction, statement: Statement) -> None:
    rejected = statement.state is StatementState.REJECTED
    tx.emit(
        StatementModerated(
            community_id=statement.community_id,
            topic_id=statement.topic_id,
            statement_id=statement.id,
            state=statement.state.value,
        )
    )
    tx.emit(
        UserNotified(
            community_id=statement.community_id,
            person_id=statement.author_id,
            about="statement_rejected" if rejected else "statement_accepted",
            topic_id=statement.topic_id,
            subject_id=statement.id,
            reason_code=statement.reason_code,
        )
    )
