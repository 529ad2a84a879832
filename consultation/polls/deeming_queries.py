"""SQL for silence that counts with the majority: the clause, and who was served with proof."""

from collections import defaultdict
from uuid import UUID

from sqlmodel import col, select

from consultation.database import Transaction
from consultation.polls.counting import Vote
from consultation.polls.deeming import PROVES, DeemingNotAllowed, is_proved, silent_votes
from consultation.polls.notice_queries import stands
from consultation.polls.notice_tables import VoterNotice
from consultation.polls.presets import Silent
from consultation.polls.queries import on_roll, votes_cast
from consultation.polls.serving import NoticeEvidence
from consultation.polls.tables import Poll, RollEntry
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic


async def check_clause(tx: Transaction, topic: Topic, document_id: UUID) -> None:
    """The clause that the owners adopted is on file, in public, among the topic's materials."""
    document = await tx.session.get(Document, document_id)
    on_file = (
        document is not None
        and document.topic_id == topic.id
        and document.kind is DocumentKind.MATERIAL
        and document.public
    )
    if not on_file:
        raise DeemingNotAllowed(problem="clause")


async def votes_with_silent(tx: Transaction, poll: Poll) -> list[Vote]:
    """The ballots that stand and the deemed votes. Only the close may ask, with the poll held
    alone, and what is made of a closed poll."""
    votes = await votes_cast(tx, poll.id)
    if poll.preset.silent is not Silent.DEEMED_MAJORITY:
        return votes
    rows = await tx.session.exec(
        select(RollEntry.id, VoterNotice.evidence, VoterNotice.recorded_by_id)
        .join(VoterNotice, col(VoterNotice.roll_entry_id) == col(RollEntry.id))
        .where(
            *on_roll(poll),
            VoterNotice.poll_id == poll.id,
            col(VoterNotice.evidence).in_(PROVES),
            stands(),
            col(RollEntry.person_id).is_not(None),
        )
    )
    proofs: dict[UUID, list[tuple[NoticeEvidence, UUID | None]]] = defaultdict(list)
    for place, evidence, by in rows:
        proofs[place].append((NoticeEvidence(evidence), by))
    served = {place for place, theirs in proofs.items() if is_proved(theirs)}
    return [*votes, *silent_votes(poll.preset, votes, served)]


async def deemed_places(tx: Transaction, poll: Poll) -> list[int]:
    """Numbers on the roll of the silent who count with the majority of a closed poll."""
    if poll.preset.silent is not Silent.DEEMED_MAJORITY:
        return []
    deemed = [vote.voter for vote in await votes_with_silent(tx, poll) if vote.deemed]
    rows = await tx.session.exec(
        select(RollEntry.number).where(col(RollEntry.id).in_(deemed)).order_by(RollEntry.number)  # type: ignore[arg-type]
    )
    return list(rows)
