"""What the gates of the decision look at: the poll and the outcome."""

from datetime import datetime
from typing import Any

from sqlmodel import and_, col, func, select

from consultation.database import Transaction
from consultation.outcomes.tables import ConsensusCall, ConsensusObjection, Outcome, OutcomeItem
from consultation.polls.correction_tables import CountCorrection
from consultation.polls.objection_tables import RollObjection
from consultation.polls.objections import RollObjectionState
from consultation.polls.outside_queries import confirmed_outside
from consultation.polls.presets import QuestionKind
from consultation.polls.rules import Choice, PollState, text_hash
from consultation.polls.tables import CountSignature, Poll, SignerRole
from consultation.topics.facts import OutcomeFacts, PollFacts
from consultation.topics.plan import procedure
from consultation.topics.tables import Topic


async def poll_facts(tx: Transaction, topic: Topic) -> PollFacts | None:
    objections = (
        select(func.count())
        .select_from(RollObjection)
        .where(RollObjection.poll_id == Poll.id, RollObjection.state == RollObjectionState.OPEN)
        .correlate(Poll)
        .scalar_subquery()
    )

    def signed(role: SignerRole) -> Any:
        return (
            select(func.count())
            .select_from(CountSignature)
            .where(
                CountSignature.poll_id == Poll.id,
                CountSignature.result_digest == Poll.result_digest,
                CountSignature.role == role,
            )
            .correlate(Poll)
            .scalar_subquery()
        )

    witnessed = signed(SignerRole.SUPERVISOR) + (  # who orders a correction witnesses it
        select(func.count())
        .select_from(CountCorrection)
        .where(
            CountCorrection.poll_id == Poll.id, CountCorrection.result_digest == Poll.result_digest
        )
        .correlate(Poll)
        .scalar_subquery()
    )
    rows = await tx.session.exec(
        select(Poll, objections, signed(SignerRole.TELLER), witnessed).where(
            Poll.topic_id == topic.id, Poll.round == topic.round, Poll.state != PollState.VOIDED
        )
    )
    found = rows.first()
    if found is None:
        return None
    poll, objections_open, tellers, supervisors = found
    verdict = None if poll.result is None else poll.result.verdict
    if not poll.legal_system_of_record:
        certified = await confirmed_outside(tx, poll)
        verdict = None if certified is None else certified[0].result.verdict
    return PollFacts(
        state=poll.state.value,
        preset_id=poll.preset.key,
        opens_at=poll.opens_at,
        text_unchanged=poll.text_hash == text_hash(poll),
        items_have_against=all(
            not {Choice.AGAINST, Choice.NONE}.isdisjoint(item.choices)
            or item.kind is QuestionKind.RATING
            for item in poll.items
        ),
        counted_elsewhere=not poll.legal_system_of_record,
        verdict=None if verdict is None else verdict.value,
        teller_signatures=tellers,
        supervisor_signatures=supervisors,
        roll_objections_open=objections_open,
        objection_days=poll.preset.objection_days,
    )


async def objections_until(tx: Transaction, topic: Topic) -> datetime:
    """When the objection period of a public result ends, by the procedure and by the preset of the
    round's poll."""
    poll = (
        await tx.session.exec(
            select(Poll).where(
                Poll.topic_id == topic.id, Poll.round == topic.round, Poll.state != PollState.VOIDED
            )
        )
    ).first()
    days = 0 if poll is None else poll.preset.objection_days
    return procedure().objection_ends(topic.state_since, days)


async def outcome_facts(tx: Transaction, topic: Topic) -> OutcomeFacts:
    def of_round(table: Any) -> Any:
        return and_(table.topic_id == topic.id, table.round == topic.round)

    def of_paper(table: Any) -> Any:
        return and_(
            col(table.topic_id) == col(Outcome.topic_id),
            col(table.round) == col(Outcome.round),
            col(table.version) == col(Outcome.version),
        )

    items = select(func.count()).select_from(OutcomeItem).where(of_round(OutcomeItem))
    objections = (
        select(func.count()).select_from(ConsensusObjection).where(of_paper(ConsensusObjection))
    )
    called = select(ConsensusCall.at).where(of_paper(ConsensusCall))
    rows = await tx.session.exec(
        select(
            Outcome.minority_view,
            items.scalar_subquery(),
            called.correlate(Outcome).scalar_subquery(),
            objections.correlate(Outcome).scalar_subquery(),
        )
        .where(of_round(Outcome))
        .order_by(col(Outcome.version).desc())
        .limit(1)
    )
    row = rows.first()
    if row is None:
        return OutcomeFacts(
            items=0, has_minority_view=False, consensus_called_at=None, consensus_objections=0
        )
    return OutcomeFacts(
        items=row[1],
        has_minority_view=bool(row[0].strip()),
        consensus_called_at=row[2],
        consensus_objections=row[3],
    )
