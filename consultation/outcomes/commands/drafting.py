"""The outcome paper 协商成果: items, the minority view, adverse impacts, and consensus on it."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, delete

from consultation.database import Transaction
from consultation.events.outcomes import ConsensusCalled, OutcomeChanged
from consultation.outcomes import queries, rules
from consultation.outcomes.rules import AdverseImpact
from consultation.outcomes.tables import ConsensusCall, ConsensusObjection, Outcome, OutcomeItem
from consultation.permissions import Deed
from consultation.topics.documents import publish_document
from consultation.topics.lifecycle import advance
from consultation.topics.plan import procedure
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, DocumentKind, State
from consultation.topics.subjects import check_subject
from consultation.topics.tables import Topic


async def draft_outcome(
    tx: Transaction,
    topic_id: UUID,
    *,
    items: Sequence[str],
    minority_view: str,
    adverse_impacts: Sequence[AdverseImpact] = (),
) -> Outcome:
    """Write down what deliberation arrived at. The minority view is never optional (S11 a): where
    all agree, it says so."""
    topic = await access_topic(tx, topic_id, Deed.DRAFT_OUTCOME, lock=True)
    rules.check_may_draft(topic.state)
    _check_paper(items, minority_view)
    if await queries.latest_outcome(tx, topic.id, topic.round) is not None:
        raise rules.OutcomeAlreadyDrafted()

    _add_items(tx, topic, items)
    return await _publish(
        tx,
        topic,
        version=1,
        items=items,
        minority_view=minority_view,
        adverse_impacts=adverse_impacts,
        reason=None,
    )


async def revise_outcome(
    tx: Transaction,
    topic_id: UUID,
    *,
    reason: str,
    items: Sequence[str] | None = None,
    minority_view: str | None = None,
    adverse_impacts: Sequence[AdverseImpact] | None = None,
) -> Outcome:
    """A new version of the paper, with its reason; what is not given stays as it was. A call to
    consensus on the old version no longer stands."""
    topic = await access_topic(tx, topic_id, Deed.DRAFT_OUTCOME, lock=True)
    latest = await queries.latest_outcome(tx, topic.id, topic.round)
    if latest is None:
        raise rules.NoOutcomeYet()
    present = [item.text for item in await queries.outcome_items(tx, topic.id, topic.round)]
    wanted = present if items is None else list(items)
    rules.check_may_revise(
        topic.state,
        items_change=wanted != present,
        vote_announced=await queries.vote_announced(tx, topic),
    )
    view = latest.minority_view if minority_view is None else minority_view
    _check_paper(wanted, view)

    if wanted != present:
        await tx.session.exec(
            delete(OutcomeItem).where(
                col(OutcomeItem.topic_id) == topic.id, col(OutcomeItem.round) == topic.round
            )
        )
        _add_items(tx, topic, wanted)
    return await _publish(
        tx,
        topic,
        version=latest.version + 1,
        items=wanted,
        minority_view=view,
        adverse_impacts=latest.adverse_impacts if adverse_impacts is None else adverse_impacts,
        reason=reason,
    )


def _check_paper(items: Sequence[str], minority_view: str) -> None:
    rules.check_paper(items, minority_view)
    check_subject(minority_view, *items)


def _add_items(tx: Transaction, topic: Topic, items: Sequence[str]) -> None:
    tx.session.add_all(
        OutcomeItem(
            id=tx.new_id(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=topic.round,
            number=number,
            text=text,
            created_at=tx.now,
        )
        for number, text in enumerate(items, start=1)
    )


async def _publish(
    tx: Transaction,
    topic: Topic,
    *,
    version: int,
    items: Sequence[str],
    minority_view: str,
    adverse_impacts: Sequence[AdverseImpact],
    reason: str | None,
) -> Outcome:
    earlier = await queries.latest_document(tx, topic, DocumentKind.OUTCOME)
    document = await publish_document(
        tx,
        topic,
        DocumentKind.OUTCOME,
        title=f"协商成果:{topic.title}",
        body=rules.outcome_text(items, minority_view, adverse_impacts),
        replaces=earlier,
        correction_reason=reason,
    )
    outcome = Outcome(
        topic_id=topic.id,
        round=topic.round,
        version=version,
        community_id=topic.community_id,
        minority_view=minority_view,
        adverse_impacts=list(adverse_impacts),
        drafted_by_id=tx.person_id,
        change_reason=reason,
        document_id=document.id,
        at=tx.now,
    )
    tx.session.add(outcome)
    tx.emit(
        OutcomeChanged(
            community_id=topic.community_id, topic_id=topic.id, round=topic.round, items=len(items)
        )
    )
    return outcome


async def call_consensus(tx: Transaction, topic_id: UUID) -> ConsensusCall:
    """The convener says that the paper as it stands has everybody's consent. Whoever takes part
    has three days to say that it has not theirs (T12)."""
    topic = await access_topic(tx, topic_id, Deed.CONVENE, lock=True)
    if topic.state is not State.OUTCOME_DRAFTING:
        raise rules.ConsensusNotNow(state=topic.state.value)
    paper = await queries.outcome_paper(tx, topic.id, topic.round)
    if paper is None:
        raise rules.NoOutcomeYet()
    version = paper.outcome.version
    earlier = await queries.consensus_call(tx, topic, version)
    if earlier is not None:
        return earlier

    call = ConsensusCall(
        topic_id=topic.id,
        round=topic.round,
        version=version,
        community_id=topic.community_id,
        called_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(call)
    tx.emit(
        ConsensusCalled(
            community_id=topic.community_id,
            topic_id=topic.id,
            round=topic.round,
            version=version,
            objections_until=procedure().periods["consensus"].after(tx.now),
        )
    )
    return call


async def object_to_consensus(
    tx: Transaction, topic_id: UUID, *, reason: str
) -> ConsensusObjection:
    """Say that there is no consensus, before the period is over. One voice is enough."""
    topic = await access_topic(tx, topic_id, Deed.SPEAK, lock=True)
    paper = await queries.outcome_paper(tx, topic.id, topic.round)
    called_at = None if paper is None else paper.consensus.called_at
    rules.check_may_object(
        topic.state, called_at=called_at, now=tx.now, period=procedure().periods["consensus"]
    )
    assert paper is not None
    own = (topic.id, topic.round, paper.outcome.version, tx.person_id)
    earlier = await tx.session.get(ConsensusObjection, own)
    if earlier is not None:
        return earlier

    objection = ConsensusObjection(
        topic_id=topic.id,
        round=topic.round,
        version=paper.outcome.version,
        person_id=tx.person_id,
        community_id=topic.community_id,
        reason=reason,
        at=tx.now,
    )
    tx.session.add(objection)
    return objection


async def conclude_consensus(tx: Transaction, topic_id: UUID) -> Topic:
    """T12: nobody objected for three days, so that the paper is the result."""
    topic = await access_topic(tx, topic_id, Deed.CONVENE, lock=True)
    outcome = await queries.latest_outcome(tx, topic.id, topic.round)
    document = None if outcome is None else outcome.document_id
    await advance(tx, topic, Act.CONSENSUS, documents=(document,) if document else ())
    return topic
