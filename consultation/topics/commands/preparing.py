"""Preparing a consultation 协商准备: the plan, its legality, interests, the announcement."""

from datetime import date
from uuid import UUID

from consultation.calendar import end_of, local_day
from consultation.database import Transaction
from consultation.events.topics import DeliberationExtended, PlanChanged
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed
from consultation.topics import lookups, planning
from consultation.topics.documents import Paper, make_public, publish_document
from consultation.topics.lifecycle import advance, set_deadline
from consultation.topics.plan import Plan, procedure
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, DocumentKind
from consultation.topics.tables import InterestDeclaration, Topic, TopicPlan, TopicTransition


async def prepare_topic(tx: Transaction, topic_id: UUID) -> TopicTransition:
    """T8, first part. After a reconsultation it begins the next round."""
    topic = await access_topic(tx, topic_id, Deed.PREPARE, lock=True)
    return await advance(tx, topic, Act.PREPARE)


async def save_plan(tx: Transaction, topic_id: UUID, plan: Plan) -> TopicPlan:
    """Write the plan of the present round, or write it anew; the legality of a changed plan is to
    be checked again.

    Refuses with PlanFrozen, FormUnknown, GroupNamedTwice, PresetUnsuitable, OfficerUnsuitable.
    """
    topic = await access_topic(tx, topic_id, Deed.PREPARE, lock=True)
    planning.check_preparing(topic.state)
    planning.check_plan(plan, layer=topic.layer, on=local_day(tx.now))
    named = {*plan.host_ids, *plan.teller_ids}
    planning.check_officers(
        plan,
        roles=await lookups.roles_at(tx, named, topic),
        interested=await lookups.interested(tx, topic),
    )

    row = await lookups.current_plan(tx, topic)
    if row is None:
        row = TopicPlan(
            topic_id=topic.id, round=topic.round, community_id=topic.community_id, plan=plan
        )
        tx.session.add(row)
    if row.plan != plan or row.legality_ok is None:
        row.legality_ok = row.legality_checked_by_id = row.legality_opinion = None
    row.plan = plan
    row.prepared_by_id = tx.person_id
    tx.emit(PlanChanged(community_id=topic.community_id, topic_id=topic.id, round=topic.round))
    return row


async def check_legality(
    tx: Transaction, topic_id: UUID, *, lawful: bool, opinion: str
) -> TopicPlan:
    """Say whether the plan as it stands is lawful (T8). Refuses with PlanFrozen or NoPlanYet."""
    topic = await access_topic(tx, topic_id, Deed.CHECK_LEGALITY, lock=True)
    planning.check_preparing(topic.state)
    row = await lookups.current_plan(tx, topic)
    if row is None:
        raise planning.NoPlanYet()

    row.legality_ok = lawful
    row.legality_opinion = opinion
    row.legality_checked_by_id = tx.person_id
    tx.emit(PlanChanged(community_id=topic.community_id, topic_id=topic.id, round=topic.round))
    return row


async def declare_interest(
    tx: Transaction, topic_id: UUID, *, has_interest: bool, note: str = ""
) -> InterestDeclaration:
    """Say whether one has a stake in the topic. Who has one neither hosts nor tells (domain 5);
    the latest declaration counts, and one made after the announcement too."""
    topic = await access_topic(tx, topic_id, Deed.DECLARE_INTEREST, lock=True)
    declaration = await tx.session.get(InterestDeclaration, (topic.id, tx.person_id))
    if declaration is None:
        declaration = InterestDeclaration(
            topic_id=topic.id,
            person_id=tx.person_id,
            community_id=topic.community_id,
            note=note,
            at=tx.now,
        )
        tx.session.add(declaration)
    declaration.has_interest = has_interest
    declaration.note = note
    declaration.at = tx.now
    return declaration


async def announce_topic(
    tx: Transaction, topic_id: UUID, *, notice: Paper, expected_version: int | None = None
) -> TopicTransition:
    """T8, second part: the convener announces what the clerk prepared. Plan and materials become
    public, the plan is frozen, and the notice runs as long as the longest that a planned form
    asks for; then deliberation opens by itself."""
    topic = await access_topic(
        tx, topic_id, Deed.CONVENE, lock=True, expected_version=expected_version
    )
    row = await lookups.current_plan(tx, topic)
    papers: tuple[UUID, ...] = ()
    if row is not None:
        papers = (await _file_plan(tx, topic, row.plan),)
    step = await advance(tx, topic, Act.ANNOUNCE, paper=notice, documents=papers)

    assert row is not None  # the gate saw to it
    row.digest = planning.plan_digest(row.plan)
    row.frozen_at = tx.now
    row.notice_until = procedure().notice_for([form.form for form in row.plan.forms]).after(tx.now)
    make_public(tx, topic, await lookups.papers_of_preparation(tx, topic))
    await schedule(
        tx,
        JobKind.OPEN_DELIBERATION,
        topic.id,
        row.notice_until,
        community_id=topic.community_id,
        occasion=str(topic.version),
    )
    tx.emit(PlanChanged(community_id=topic.community_id, topic_id=topic.id, round=topic.round))
    return step


async def _file_plan(tx: Transaction, topic: Topic, plan: Plan) -> UUID:
    document = await publish_document(
        tx, topic, DocumentKind.PLAN, title=f"协商方案:{topic.title}", body=planning.plan_text(plan)
    )
    return document.id


async def extend_deliberation(
    tx: Transaction, topic_id: UUID, *, until: date, reason: str
) -> TopicPlan:
    """Deliberate longer than planned, once, with a reason (T10). The frozen plan stays as it is."""
    topic = await access_topic(tx, topic_id, Deed.CONVENE, lock=True)
    row = await lookups.current_plan(tx, topic)
    if row is None:
        raise planning.NoPlanYet()
    planning.check_extension(
        topic.state,
        planned=row.plan.deliberation_ends,
        extended_to=row.extended_to,
        wanted=until,
        today=local_day(tx.now),
    )

    row.extended_to = until
    row.extension_reason = reason
    await set_deadline(tx, topic, end_of(until))
    tx.emit(DeliberationExtended(community_id=topic.community_id, topic_id=topic.id, ends_on=until))
    return row
