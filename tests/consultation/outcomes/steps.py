"""The steps after the vote, taken by the commands as the people whose they are."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from api.worker import Worker
from consultation.database import Database
from consultation.events.event import Event
from consultation.outcomes import queries
from consultation.outcomes.commands import adoption, drafting, feedback, tasks, work
from consultation.outcomes.rules import Decision, NonAdoption, replies_digest
from consultation.outcomes.tables import Task
from consultation.outcomes.task_rules import TaskCategory, TaskPlan
from consultation.permissions import Role
from consultation.topics.states import State, Track
from consultation.topics.tables import Document, Topic
from tests.world import World, a_topic

PARTY = ("secretary", Role.PARTY_SECRETARY)
COMMITTEE = ("deputy", Role.COMMITTEE_HEAD)
CLERK = ("clerk", Role.CLERK)
HOST = ("deputy", Role.HOST)
OFFICIAL = ("official", Role.GOVERNMENT)
COMPANY = ("company", Role.PROPERTY_COMPANY)

ITEMS = ("一层两户不分摊建设费用", "运行夜间22:30后低速模式")
MINORITY = "101室不同意加装,主要理由是采光和噪声;处理:井道改到北侧。"

Who = tuple[str, Role | None]


async def stand(db: Database, topic_id: UUID, state: State, **more: Any) -> None:
    """Put the topic in a state, as if it had got there."""
    async with db.begin() as tx:
        topic = await tx.session.get_one(Topic, topic_id)
        topic.state = state
        topic.state_since = tx.now
        for name, value in more.items():
            setattr(topic, name, value)


async def topic_now(db: Database, topic_id: UUID) -> Topic:
    async with db.read() as tx:
        return await tx.session.get_one(Topic, topic_id)


async def run_due(db: Database) -> None:
    await Worker(db, poll_seconds=60).run_due()


async def with_outcome(
    db: Database, world: World, state: State = State.OUTCOME_DRAFTING, **more: Any
) -> Topic:
    """A topic whose outcome has two items, standing in ``state``."""
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING, **more)
    async with db.begin(world.as_(*CLERK)) as tx:
        await drafting.draft_outcome(tx, topic.id, items=ITEMS, minority_view=MINORITY)
    if state is not State.OUTCOME_DRAFTING:
        await stand(db, topic.id, state)
    return topic


async def commissioned(db: Database, world: World, state: State, **more: Any) -> Topic:
    """The same on Track B, commissioned by the subdistrict office."""
    return await with_outcome(
        db,
        world,
        state,
        track=Track.COMMISSIONED,
        commissioning_org_id=world.orgs["subdistrict_office"].id,
        **more,
    )


async def reply(
    db: Database,
    world: World,
    topic: Topic,
    number: int,
    decision: Decision = Decision.ADOPTED,
    *,
    code: NonAdoption | None = None,
    reason: str = "同意,由社区协助办理。",
    who: Who = PARTY,
) -> None:
    async with db.begin(world.as_(*who)) as tx:
        await adoption.reply_to_item(
            tx, topic.id, number, decision=decision, reason=reason, reason_code=code
        )


async def digest(db: Database, topic: Topic) -> str:
    async with db.read() as tx:
        return replies_digest(await queries.current_answers(tx, topic.id, topic.round))


async def sign(
    db: Database, world: World, topic: Topic, who: Who, *, under: str | None = None
) -> list[Event]:
    seen = under or await digest(db, topic)
    async with db.begin(world.as_(*who)) as tx:
        await adoption.sign_adoption(tx, topic.id, replies_digest=seen)
        return tx.events


async def adopted(
    db: Database, world: World, *decisions: Decision, topic: Topic | None = None
) -> Topic:
    """A Track A topic whose items were answered so and signed by both."""
    topic = topic or await with_outcome(db, world, State.ADOPTION_PENDING)
    for number, decision in enumerate(decisions or (Decision.ADOPTED,) * 2, start=1):
        code = None if decision is Decision.ADOPTED else NonAdoption.IMPOSSIBLE
        await reply(db, world, topic, number, decision, code=code)
    await sign(db, world, topic, PARTY)
    await sign(db, world, topic, COMMITTEE)
    return topic


def a_plan(world: World, **more: Any) -> TaskPlan:
    return TaskPlan(
        **{
            "item_number": 1,
            "title": "签订加装协议",
            "category": TaskCategory.WORKS,
            "responsible_org_id": world.orgs["property_company"].id,
            "budget_fen": 100_000,
            "funding_source": "业主自筹",
            "due_on": date(2026, 4, 30),
            **more,
        }
    )


async def plan(db: Database, world: World, topic: Topic, **more: Any) -> Task:
    async with db.begin(world.as_(*CLERK)) as tx:
        return await tasks.plan_task(tx, topic.id, plan=a_plan(world, **more))


async def implementing(db: Database, world: World, **more: Any) -> tuple[Topic, Task, Task]:
    """A topic being carried out, with one task per item."""
    topic = await adopted(db, world)
    first = await plan(db, world, topic, **more)
    second = await plan(db, world, topic, item_number=2, budget_fen=0)
    async with db.begin(world.as_(*CLERK)) as tx:
        await tasks.start_implementation(tx, topic.id, text="两项任务,四月底完成。")
    return topic, first, second


async def finish(db: Database, world: World, task: Task) -> None:
    async with db.begin(world.as_(*CLERK)) as tx:
        await work.mark_task_done(tx, task.id, note="已完成")


async def accept(db: Database, world: World, task: Task, *who: Who) -> None:
    for name, role in who or (PARTY, ("resident3", None)):
        async with db.begin(world.as_(name, role)) as tx:
            await work.accept_work(tx, task.id)


async def end(db: Database, world: World, task: Task) -> None:
    async with db.begin(world.as_(*CLERK)) as tx:
        await work.end_task(tx, task.id, reason="业主撤回,不再需要")


async def complete(db: Database, world: World, topic: Topic) -> None:
    async with db.begin(world.as_(*PARTY)) as tx:
        await feedback.report_completion(tx, topic.id, text="两项均已验收,账目附后。")


async def notify(db: Database, world: World, topic: Topic) -> Document:
    async with db.begin(world.as_(*CLERK)) as tx:
        return await feedback.publish_feedback_notice(tx, topic.id, body="电梯已投入使用。")


async def post(db: Database, world: World, document_id: UUID, *, on: datetime) -> None:
    async with db.begin(world.as_(*CLERK)) as tx:
        await feedback.post_on_board(
            tx,
            document_id,
            place="3幢公告栏",
            posted_on=on.date(),
            photo_sha256=document_id.hex * 2,
        )
