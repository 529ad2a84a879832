"""A dissent that was explained, and a survey with one answer."""

from datetime import timedelta
from uuid import UUID, uuid4

from consultation.database import Database
from consultation.oversight.rules import (
    DissentState,
    ExplanationChannel,
    SurveyChannel,
    SurveyState,
)
from consultation.oversight.tables import (
    DissentExplanation,
    DissentRecord,
    Survey,
    SurveyAnswer,
    SurveyInvitation,
)
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    dissent, survey = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            DissentRecord(
                id=dissent,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                person_id=world.id("resident5"),
                step=State.DELIBERATING,
                view=f"{SECRET}不同意见",
                recorded_by_id=world.id("resident5"),
                state=DissentState.EXPLAINED,
                assigned_to_id=world.id("clerk"),
                at=tx.now,
            )
        )
        tx.session.add(
            Survey(
                id=survey,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                state=SurveyState.OPEN,
                invited=1,
                groups=["一层业主"],
                opens_at=tx.now,
                closes_at=tx.now + timedelta(days=5),
            )
        )
        await tx.session.flush()
        tx.session.add(
            DissentExplanation(
                id=uuid4(),
                community_id=topic.community_id,
                dissent_id=dissent,
                number=1,
                by_id=world.id("clerk"),
                channel=ExplanationChannel.IN_PERSON,
                text=f"{SECRET}解释",
                at=tx.now,
            )
        )
        tx.session.add(
            SurveyInvitation(
                survey_id=survey, person_id=world.id("resident1"), community_id=topic.community_id
            )
        )
        tx.session.add(
            SurveyAnswer(
                id=uuid4(),
                community_id=topic.community_id,
                survey_id=survey,
                score=1,
                themes=[],
                remark=f"{SECRET}评价",
                channel=SurveyChannel.ONLINE,
            )
        )
    return {"dissent_id": dissent, "survey_id": survey}
