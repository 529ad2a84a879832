"""Statements 观点: one sentence each, which people mark agree, disagree or pass.

Marks come in bursts, so a mark writes two rows and no journal entry. A job tells the counts: at
most one telling of a topic a second, each statement with its counts as they then stand, and the
last counts of a burst are always told.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from consultation.database import Transaction
from consultation.deliberation import queries, rules
from consultation.deliberation.queries import access_statement, speaker
from consultation.deliberation.rules import HidingReason, Mark, StatementState
from consultation.deliberation.tables import Statement
from consultation.events import StatementAdded, StatementMarked, StatementModerated, UserNotified
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed
from consultation.topics.gates import check_subject
from consultation.topics.queries import access_topic

TELL_AFTER = timedelta(seconds=1)
TOLD_AT_ONCE = 50
FORGOTTEN = timedelta(seconds=10)
"""Counts untold for so long have lost their telling: the next mark asks for another."""


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


@dataclass(frozen=True, slots=True)
class Marked:
    """The mark that stands, and the counts after it."""

    mark: Mark
    agrees: int
    disagrees: int
    passes: int


async def mark_statement(
    tx: Transaction, statement_id: UUID, *, mark: Mark, once: str | None = None
) -> Marked:
    """Mark a statement, or mark it anew: the last mark of a person stands, and every mark counts
    as an event. A retry is not a mark: one with the same ``once`` as the person's last mark
    here, or, without ``once``, one that says what already stands, changes nothing.

    Refuses with NotDeliberating, ResidentsOnly, SpeakerUnderAge or StatementIsRejected.
    """
    target = await queries.access_to_mark(tx, statement_id)
    rules.check_open(target.topic_state)
    rules.check_resident(tx.standing.role)
    rules.check_age(target.born_on, tx.now)
    rules.check_markable(target.state)

    before: Mark | None = None
    if not await queries.insert_mark(tx, statement_id, target.community_id, mark=mark, once=once):
        standing = await queries.locked_mark(tx, statement_id)
        before = standing.mark
        if rules.is_retry(before, standing.last_key, mark=mark, once=once):
            return Marked(before, target.agrees, target.disagrees, target.passes)
        standing.mark, standing.last_key, standing.at = mark, once, tx.now
        standing.events += 1
    counts = await queries.count_mark(tx, statement_id, mark=mark, before=before)

    if not tx.now - FORGOTTEN < counts.untold_since < tx.now:
        await _tell_later(tx, target.topic_id, target.community_id)
    return Marked(mark, counts.agrees, counts.disagrees, counts.passes)


async def tell_marks(tx: Transaction, topic_id: UUID) -> None:
    """By the worker: tell the counts that changed, the longest untold first, at most
    ``TOLD_AT_ONCE`` now and the rest a second later."""
    changed = await queries.untold_statements(tx, topic_id, limit=TOLD_AT_ONCE + 1)
    if len(changed) > TOLD_AT_ONCE:
        await _tell_later(tx, topic_id, changed[0].community_id)

    for statement in changed[:TOLD_AT_ONCE]:
        statement.untold_since = None
        tx.emit(
            StatementMarked(
                community_id=statement.community_id,
                topic_id=topic_id,
                statement_id=statement.id,
                agrees=statement.agrees,
                disagrees=statement.disagrees,
                passes=statement.passes,
            )
        )


async def _tell_later(tx: Transaction, topic_id: UUID, community_id: UUID) -> None:
    """One telling per topic and second, however many ask for it."""
    await schedule(
        tx,
        JobKind.TELL_MARKS,
        topic_id,
        tx.now + TELL_AFTER,
        community_id=community_id,
        occasion=str(int(tx.now.timestamp())),
    )


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
