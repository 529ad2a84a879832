"""A meeting whose minutes are a draft."""

from datetime import timedelta
from uuid import UUID, uuid4

from consultation.database import Database
from consultation.meetings.minutes_rules import MinutesContent
from consultation.meetings.rules import AttendanceMode, Form, MeetingState
from consultation.meetings.tables import Attendance, Meeting, MeetingGroup, Minutes
from consultation.topics.tables import Topic
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    meeting = uuid4()
    async with db.begin() as tx:
        tx.session.add(
            Meeting(
                id=meeting,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                form=Form.HEART_TO_HEART_MEETING,
                title="恳谈会",
                place="居委会二楼",
                starts_at=tx.now,
                opened_at=tx.now,
                closed_at=tx.now,
                state=MeetingState.MINUTES_DRAFT,
                convened_by_id=world.id("secretary"),
                host_id=world.id("deputy"),
                recorder_id=world.id("clerk"),
                present=1,
                created_at=tx.now,
            )
        )
        await tx.session.flush()
        tx.session.add(
            MeetingGroup(
                meeting_id=meeting,
                name="一层业主",
                community_id=topic.community_id,
                affected=True,
                present=1,
            )
        )
        await tx.session.flush()
        tx.session.add(
            Attendance(
                meeting_id=meeting,
                person_id=world.id("resident1"),
                community_id=topic.community_id,
                group_name="一层业主",
                mode=AttendanceMode.ON_SITE,
                at=tx.now,
            )
        )
        tx.session.add(
            Minutes(
                meeting_id=meeting,
                version=1,
                community_id=topic.community_id,
                content=MinutesContent(summary=f"{SECRET}纪要草稿"),
                content_hash="0" * 64,
                drafted_by_id=world.id("clerk"),
                confirm_until=tx.now + timedelta(days=3),
                at=tx.now,
            )
        )
    return {"meeting_id": meeting}
