"""Screening 受理审查: return, accept, reject by two persons, appeal and its decision."""

from dataclasses import dataclass
from uuid import UUID

from consultation.database import Transaction
from consultation.events.topics import AppealMade
from consultation.permissions import Deed
from consultation.topics import lookups, rules, steps
from consultation.topics.commands.telling import tell
from consultation.topics.documents import Paper, make_public, publish_document
from consultation.topics.evidence.loading import load_facts
from consultation.topics.lifecycle import advance, set_deadline
from consultation.topics.plan import procedure
from consultation.topics.queries import access_own_topic, access_topic
from consultation.topics.states import (
    Act,
    Category,
    DocumentKind,
    Layer,
    MatterList,
    RejectionReason,
    Track,
)
from consultation.topics.tables import Rejection, Topic, TopicTransition


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What screening decides (T3). Without ``convener_org_id`` the community's party organisation
    convenes; another convener needs ``convener_reason`` (S1)."""

    category: Category
    layer: Layer
    track: Track
    matter_list: MatterList
    convener_org_id: UUID | None = None
    convener_reason: str | None = None
    commissioning_org_id: UUID | None = None


async def return_topic(
    tx: Transaction, topic_id: UUID, *, reason: str, title: str = "退回补正通知"
) -> TopicTransition:
    """T2: say what is missing; the author has 15 days."""
    topic = await access_topic(tx, topic_id, Deed.SCREEN, lock=True)
    step = await advance(tx, topic, Act.RETURN, reason=reason, paper=Paper(title, reason))

    tell(tx, topic, {topic.author_id}, "topic_returned")
    return step


async def accept_topic(
    tx: Transaction,
    topic_id: UUID,
    classification: Classification,
    *,
    note: Paper,
    expected_version: int | None = None,
) -> TopicTransition:
    """T3: the convener takes the topic on. From now on everybody may read it."""
    topic = await access_topic(
        tx, topic_id, Deed.ACCEPT, lock=True, expected_version=expected_version
    )
    return await take_on(tx, topic, Act.ACCEPT, classification, note=note)


async def take_on(
    tx: Transaction,
    topic: Topic,
    act: Act,
    classification: Classification,
    *,
    note: Paper,
    reason: str | None = None,
) -> TopicTransition:
    """Sort the topic in and make it public, with its proposal and commission."""
    rules.check_track(classification.track, commissioned=topic.commissioning_org_id is not None)
    topic.category = classification.category
    topic.layer = classification.layer
    topic.track = classification.track
    topic.matter_list = classification.matter_list
    topic.commissioning_org_id = topic.commissioning_org_id or classification.commissioning_org_id
    topic.convener_org_id = classification.convener_org_id or await lookups.party_org(
        tx, topic.community_id
    )
    topic.convener_reason = classification.convener_reason
    step = await advance(tx, topic, act, reason=reason, paper=note)

    make_public(tx, topic, await lookups.papers_of_acceptance(tx, topic))
    tell(tx, topic, {topic.author_id}, "topic_accepted")
    return step


async def propose_rejection(
    tx: Transaction, topic_id: UUID, *, reason_code: RejectionReason, reason: str
) -> Rejection:
    """T4, first person. A later proposal takes the place of one that nobody confirmed."""
    topic = await access_topic(tx, topic_id, Deed.PROPOSE_REJECTION, lock=True)
    steps.transition(topic.state, Act.REJECT)
    rejection = Rejection(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        reason_code=reason_code,
        reason=reason,
        proposed_by_id=tx.person_id,
        proposed_at=tx.now,
    )
    tx.session.add(rejection)
    return rejection


async def confirm_rejection(
    tx: Transaction,
    topic_id: UUID,
    *,
    title: str = "不予受理通知",
    expected_version: int | None = None,
) -> TopicTransition:
    """T4, second person. The notice tells the author why, and how to appeal."""
    topic = await access_topic(
        tx, topic_id, Deed.CONFIRM_REJECTION, lock=True, expected_version=expected_version
    )
    rejection = await lookups.last_rejection(tx, topic)
    step = await advance(
        tx,
        topic,
        Act.REJECT,
        reason=None if rejection is None else rejection.reason,
        reason_code=None if rejection is None else rejection.reason_code.value,
        paper=None
        if rejection is None
        else Paper(title, rules.rejection_text(rejection.reason, procedure())),
        facts=None if rejection is None else {"proposed_by": str(rejection.proposed_by_id)},
    )

    assert rejection is not None  # the gate saw to it
    rejection.confirmed_by_id = tx.person_id
    rejection.confirmed_at = tx.now
    rejection.confirmed_org_id = tx.standing.org_id
    tell(
        tx,
        topic,
        {topic.author_id},
        "topic_rejected",
        subject_id=rejection.id,
        reason_code=rejection.reason_code.value,
    )
    return step


async def appeal_rejection(tx: Transaction, topic_id: UUID, *, reason: str) -> Rejection:
    """T4a, first part: the author appeals once, within 15 days; the answer is due in 7 working
    days. Refuses with AppealAlreadyMade or AppealNotPossible."""
    topic = await access_own_topic(tx, topic_id, Deed.RAISE_TOPIC)
    rejection = await lookups.last_rejection(tx, topic)
    if await lookups.appeals_made(tx, topic):
        raise rules.AppealAlreadyMade()
    confirmed_at = None if rejection is None else rejection.confirmed_at
    rules.check_appeal(
        topic.state, confirmed_at=confirmed_at, now=tx.now, period=procedure().periods["appeal"]
    )

    assert rejection is not None
    rejection.appealed_at = tx.now
    rejection.appeal_reason = reason
    due_at = procedure().periods["appeal_decision"].after(tx.now)
    await set_deadline(tx, topic, due_at)
    tx.emit(AppealMade(community_id=topic.community_id, topic_id=topic.id, due_at=due_at))
    return rejection


async def decide_appeal(
    tx: Transaction, topic_id: UUID, *, upheld: bool, opinion: str, title: str = "不予受理复核决定"
) -> Topic:
    """T4a, second part: the subdistrict or the supervision committee decides, once. Upheld, the
    topic is screened anew; dismissed, the rejection stands."""
    topic = await access_topic(tx, topic_id, Deed.DECIDE_APPEAL, lock=True)
    row = steps.transition(topic.state, Act.UPHOLD_APPEAL)
    paper = Paper(title, opinion)
    if upheld:
        await advance(tx, topic, Act.UPHOLD_APPEAL, reason=opinion, paper=paper)
    else:
        steps.check_gates(row, await load_facts(tx, topic, row.needs))
        await publish_document(
            tx,
            topic,
            DocumentKind.APPEAL_DECISION,
            title=paper.title,
            body=paper.body,
            public=False,
        )
        await set_deadline(tx, topic, None)
    rejection = await lookups.last_rejection(tx, topic)

    assert rejection is not None
    rejection.appeal_decided_by_id = tx.person_id
    rejection.appeal_decided_at = tx.now
    rejection.appeal_upheld = upheld
    rejection.appeal_opinion = opinion
    tell(
        tx,
        topic,
        {topic.author_id},
        "appeal_decided",
        subject_id=rejection.id,
        reason_code="upheld" if upheld else "dismissed",
    )
    return topic
