"""A topic on its way, step by step, by the commands and the people of ``tests.world``."""

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from api.worker import Worker
from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.topics.commands import documenting, preparing, raising, screening
from consultation.topics.commands.screening import Classification
from consultation.topics.documents import Paper
from consultation.topics.plan import FormPlan, GroupPlan, Plan
from consultation.topics.proposal import CommissionLetter, Proposal
from consultation.topics.states import (
    Category,
    DocumentKind,
    Layer,
    MatterList,
    RejectionReason,
    State,
    Track,
)
from consultation.topics.tables import Document, Topic, TopicTransition
from tests.world import World

LIFT = Proposal(
    title="3幢2单元加装电梯",
    problem="老人上下楼难",
    wish="商量加装电梯",
    place="3幢2单元",
    affected=["一层业主"],
)
OWN_MATTER = Classification(
    category=Category.VITAL_INTEREST_PROBLEM,
    layer=Layer.CONSULTATION,
    track=Track.COMMUNITY,
    matter_list=MatterList.SELF_GOVERNANCE,
)
TALK = Plan(
    groups=[GroupPlan(name="一层业主", affected=True), GroupPlan(name="其他业主")],
    forms=[FormPlan(form="heart_to_heart_meeting")],
    deliberation_ends=date(2026, 5, 30),
    text="先开恳谈会,再形成协商意见。",
)
LETTER = CommissionLetter(
    title="关于征询社区助餐点意见的函",
    question="助餐点设在哪里",
    freedom="三处备选地点",
    reply_by=date(2026, 6, 30),
)
NOTE = Paper("受理通知", "经审查,予以受理。")
NOTICE = Paper("协商公告", "现就下列事项开展协商。")
SECRETARY, CLERK = ("secretary", Role.PARTY_SECRETARY), ("clerk", Role.CLERK)
SUPERVISOR, OFFICIAL = ("supervisor", Role.SUPERVISOR), ("official", Role.GOVERNMENT)
ENFORCER = ("enforcer", Role.GOVERNMENT)


async def drafted(
    db: Database, world: World, *, by: str = "resident1", proposal: Proposal = LIFT, **more: Any
) -> UUID:
    async with db.begin(world.as_(by)) as tx:
        topic = await raising.draft_topic(
            tx,
            community_id=world.community.id,
            node_id=world.nodes["entrance"].id,
            proposal=proposal,
            **more,
        )
    return topic.id


async def submitted(db: Database, world: World, *, by: str = "resident1", **more: Any) -> UUID:
    topic_id = await drafted(db, world, by=by, **more)
    async with db.begin(world.as_(by)) as tx:
        await raising.submit_topic(tx, topic_id)
    return topic_id


async def accepted(
    db: Database, world: World, *, classification: Classification = OWN_MATTER, **more: Any
) -> UUID:
    topic_id = await submitted(db, world, **more)
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.accept_topic(tx, topic_id, classification, note=NOTE)
    return topic_id


async def rejected(db: Database, world: World) -> UUID:
    topic_id = await submitted(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await screening.propose_rejection(
            tx, topic_id, reason_code=RejectionReason.NOT_PUBLIC, reason="属于邻里私事"
        )
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.confirm_rejection(tx, topic_id)
    return topic_id


async def planned(
    db: Database, world: World, *, plan: Plan = TALK, lawful: bool | None = True, **more: Any
) -> UUID:
    """In preparation, with a plan, a material and a legality check."""
    topic_id = await accepted(db, world, **more)
    await plan_it(db, world, topic_id, plan=plan, lawful=lawful)
    return topic_id


async def plan_it(
    db: Database, world: World, topic_id: UUID, *, plan: Plan = TALK, lawful: bool | None = True
) -> None:
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.prepare_topic(tx, topic_id)
        await preparing.save_plan(tx, topic_id, plan)
        await documenting.add_document(
            tx, topic_id, kind=DocumentKind.MATERIAL, title="材料", body="电梯方案比较"
        )
        if lawful is not None:
            await preparing.check_legality(tx, topic_id, lawful=lawful, opinion="合法性意见")


async def announced(db: Database, world: World, **more: Any) -> UUID:
    topic_id = await planned(db, world, **more)
    await announce_it(db, world, topic_id)
    return topic_id


async def announce_it(db: Database, world: World, topic_id: UUID) -> None:
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await preparing.announce_topic(tx, topic_id, notice=NOTICE)


async def run_due(db: Database) -> int:
    return await Worker(db, poll_seconds=1).run_due()


async def topic(db: Database, topic_id: UUID) -> Topic:
    async with db.read() as tx:
        found = await tx.session.get(Topic, topic_id)
    assert found is not None
    return found


async def state(db: Database, topic_id: UUID) -> State:
    return (await topic(db, topic_id)).state


async def force(db: Database, topic_id: UUID, state: State, **more: Any) -> None:
    """Put a topic where the areas of others bring it."""
    async with db.begin() as tx:
        found = await tx.session.get(Topic, topic_id)
        assert found is not None
        found.state, found.state_since = state, tx.now
        for name, value in more.items():
            setattr(found, name, value)


async def steps(db: Database, topic_id: UUID) -> list[TopicTransition]:
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(TopicTransition)
            .where(TopicTransition.topic_id == topic_id)
            .order_by(col(TopicTransition.number))
        )
        return list(rows)


async def documents(db: Database, topic_id: UUID) -> list[Document]:
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(Document)
            .where(Document.topic_id == topic_id)
            .order_by(col(Document.created_at), col(Document.version))
        )
        return list(rows)


async def public_kinds(db: Database, topic_id: UUID) -> Collection[DocumentKind]:
    return {document.kind for document in await documents(db, topic_id) if document.public}


async def told(db: Database, person_id: UUID) -> list[str]:
    """What a person was told, in order."""
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry)
            .where(JournalEntry.stream == f"user:{person_id}")
            .order_by(col(JournalEntry.id))
        )
        return [entry.data["about"] for entry in rows if entry.type == "user.notified"]


async def journal(db: Database, topic_id: UUID) -> list[JournalEntry]:
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry)
            .where(JournalEntry.stream == f"topic:{topic_id}")
            .order_by(col(JournalEntry.id))
        )
        return list(rows)
