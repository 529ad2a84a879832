"""Adoption 采纳: every item is answered with a reason; who answers signs; then the topic moves."""

from collections.abc import Sequence
from uuid import UUID

from consultation.database import Transaction
from consultation.events.outcomes import AdoptionReplied, AdoptionSigned, ReplyExtended
from consultation.outcomes import queries, rules
from consultation.outcomes.rules import Answer, Decision, NonAdoption, SignatureSide
from consultation.outcomes.tables import AdoptionReply, AdoptionSignature, ReplyExtension
from consultation.oversight.evaluation import set_explanation_deadlines
from consultation.permissions import Deed, check
from consultation.topics.documents import publish_document
from consultation.topics.evidence.deciding import objections_until
from consultation.topics.lifecycle import advance, set_deadline
from consultation.topics.plan import procedure
from consultation.topics.queries import access_topic
from consultation.topics.rules import adoption_act
from consultation.topics.states import Act, DocumentKind, State, Track
from consultation.topics.tables import Topic


async def start_adoption(tx: Transaction, topic_id: UUID) -> None:
    """T19, when the objection period ends; on Track B the result is submitted by letter."""
    topic = await access_topic(tx, topic_id, Deed.RUN_SYSTEM, lock=True)
    if topic.state is not State.OUTCOME_PUBLIC or tx.now < await objections_until(tx, topic):
        return  # moved on, or a later round with a period of its own

    letters = (await _submit(tx, topic),) if topic.track is Track.COMMISSIONED else ()
    await advance(tx, topic, Act.START_ADOPTION, documents=letters, consequence=True)


async def _submit(tx: Transaction, topic: Topic) -> UUID:
    paper = await queries.outcome_paper(tx, topic.id, topic.round)
    if paper is None:
        raise rules.NoOutcomeYet()
    outcome = paper.outcome
    letter = await publish_document(
        tx,
        topic,
        DocumentKind.SUBMISSION_LETTER,
        title=f"关于报送协商成果的函:{topic.title}",
        body=rules.outcome_text(
            [item.text for item in paper.items], outcome.minority_view, outcome.adverse_impacts
        ),
    )
    return letter.id


async def _access_as_adopter(tx: Transaction, topic_id: UUID) -> tuple[Topic, SignatureSide]:
    """The locked topic, and for which side the actor answers."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC, lock=True)
    standing = tx.standing
    check(rules.adoption_deed(topic.track, standing.role), standing.role)
    org = await queries.organisation(tx, standing.org_id)
    side = rules.adopter_side(
        topic.track,
        standing.role,
        org_id=standing.org_id,
        org_kind=None if org is None else org.kind,
        of_this_community=org is not None and org.community_id == topic.community_id,
        commissioning_org_id=topic.commissioning_org_id,
    )
    if topic.state is not State.ADOPTION_PENDING:
        raise rules.AdoptionNotNow(state=topic.state.value)
    return topic, side


async def reply_to_item(
    tx: Transaction,
    topic_id: UUID,
    number: int,
    *,
    decision: Decision,
    reason: str,
    reason_code: NonAdoption | None = None,
) -> AdoptionReply:
    """Answer one item. An earlier answer stays as its earlier version; signatures under it fall.

    Refuses with AdoptionNotNow, NotTheAdopter, ReasonRequired, ReasonCodeRequired or
    VoteWasAgainst.
    """
    topic, _ = await _access_as_adopter(tx, topic_id)
    rules.check_reply(
        topic.track,
        decision,
        reason_code=reason_code,
        reason=reason,
        voted_down=await queries.voted_down(tx, topic),
    )
    item = await queries.outcome_item(tx, topic, number)
    version = await queries.reply_versions(tx, item.id)

    assert tx.standing.org_id is not None
    reply = AdoptionReply(
        item_id=item.id,
        version=version + 1,
        community_id=topic.community_id,
        topic_id=topic.id,
        decision=decision,
        reason_code=reason_code,
        reason=reason,
        org_id=tx.standing.org_id,
        by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(reply)
    tx.emit(
        AdoptionReplied(
            community_id=topic.community_id,
            topic_id=topic.id,
            item_id=item.id,
            version=reply.version,
        )
    )
    return reply


async def sign_adoption(tx: Transaction, topic_id: UUID, *, replies_digest: str) -> Topic:
    """Sign the replies with this digest, as they were read, for one's organisation.

    Track A needs the party organisation and the committee, by two people; Track B the
    commissioner. The last signature decides the topic (T20)."""
    topic, side = await _access_as_adopter(tx, topic_id)
    answers = await queries.current_answers(tx, topic.id, topic.round)
    rules.check_signable(answers, replies_digest)
    found = await queries.signatures_under(tx, topic.id, topic.round, replies_digest)
    signatures = [signature for signature, _ in found]
    if any(s.side == side and s.person_id == tx.person_id for s in signatures):
        return topic
    if any(s.side == side for s in signatures):
        raise rules.SideHasSigned()
    if any(s.person_id == tx.person_id for s in signatures):
        raise rules.SecondSignerNeeded()

    assert tx.standing.org_id is not None
    tx.session.add(
        AdoptionSignature(
            topic_id=topic.id,
            round=topic.round,
            side=side,
            replies_digest=replies_digest,
            community_id=topic.community_id,
            org_id=tx.standing.org_id,
            person_id=tx.person_id,
            at=tx.now,
        )
    )
    tx.emit(AdoptionSigned(community_id=topic.community_id, topic_id=topic.id, side=side.value))
    if {s.side for s in signatures} | {side} >= rules.signatures_needed(topic.track):
        await _decide(tx, topic, answers)
    return topic


async def _decide(tx: Transaction, topic: Topic, answers: Sequence[Answer]) -> None:
    outcome = await queries.latest_outcome(tx, topic.id, topic.round)
    assert outcome is not None
    commissioned = topic.track is Track.COMMISSIONED
    document = await publish_document(
        tx,
        topic,
        DocumentKind.REPLY_LETTER if commissioned else DocumentKind.ADOPTION_DECISION,
        title=f"{'答复函' if commissioned else '采纳决定'}:{topic.title}",
        body=rules.adoption_text(answers, minority_view=outcome.minority_view),
    )
    act = adoption_act(tuple(str(answer.decision) for answer in answers))
    await advance(tx, topic, act, documents=(document.id,), consequence=True)
    await set_explanation_deadlines(tx, topic)


async def extend_reply(tx: Transaction, topic_id: UUID, *, reason: str) -> ReplyExtension:
    """The commissioner takes ten more working days, once, with a reason, before the deadline."""
    topic, _ = await _access_as_adopter(tx, topic_id)
    new_due_at = rules.extended_deadline(
        topic.track, due_at=topic.due_at, now=tx.now, period=procedure().periods["reply_extension"]
    )
    if await queries.reply_extension(tx, topic.id, topic.round) is not None:
        raise rules.ExtensionNotAllowed()

    assert topic.due_at is not None
    extension = ReplyExtension(
        topic_id=topic.id,
        round=topic.round,
        community_id=topic.community_id,
        reason=reason,
        by_id=tx.person_id,
        old_due_at=topic.due_at,
        new_due_at=new_due_at,
        at=tx.now,
    )
    tx.session.add(extension)
    await set_deadline(tx, topic, new_due_at)
    tx.emit(ReplyExtended(community_id=topic.community_id, topic_id=topic.id, due_at=new_due_at))
    return extension
