"""Dissent and survey, taken by the commands as the people whose they are."""

from uuid import UUID

from consultation.database import Database
from consultation.events.event import Event
from consultation.oversight.commands import dissent, surveys
from consultation.oversight.rules import ExplanationChannel, Reply
from consultation.oversight.tables import DissentRecord, Survey
from consultation.topics.tables import Topic
from tests.consultation.outcomes.steps import CLERK, Who
from tests.world import World

VIEW = "电梯井离我家南窗只有两米多,采光本来就不好。"
ANSWER = "采光、噪声、补偿三项的处理结果逐条说明如下。"


async def dissent_by(
    db: Database, world: World, topic: Topic, name: str = "resident1", view: str = VIEW
) -> DissentRecord:
    async with db.begin(world.as_(name)) as tx:
        return await dissent.record_dissent(tx, topic.id, view=view)


async def explain(
    db: Database,
    world: World,
    record_id: UUID,
    *,
    who: Who = CLERK,
    reached: bool = True,
    text: str = ANSWER,
) -> list[Event]:
    async with db.begin(world.as_(*who)) as tx:
        await dissent.explain_dissent(
            tx, record_id, channel=ExplanationChannel.HOME_VISIT, text=text, reached=reached
        )
        return tx.events


async def answer(
    db: Database, world: World, record_id: UUID, reply: Reply, name: str = "resident1"
) -> None:
    async with db.begin(world.as_(name)) as tx:
        await dissent.answer_explanation(tx, record_id, reply=reply)


async def record_now(db: Database, record_id: UUID) -> DissentRecord:
    async with db.read() as tx:
        return await tx.session.get_one(DissentRecord, record_id)


async def rate(
    db: Database, world: World, survey: Survey, name: str, score: int, *themes: str
) -> None:
    async with db.begin(world.as_(name)) as tx:
        await surveys.answer_survey(tx, survey.id, score=score, themes=themes, themes_checked=True)
