"""An outcome item with an unsigned reply, and the task that does it."""

from datetime import date
from uuid import UUID, uuid4

from consultation.database import Database
from consultation.outcomes.rules import Decision
from consultation.outcomes.tables import AdoptionReply, Milestone, Outcome, OutcomeItem, Task
from consultation.outcomes.task_rules import TaskCategory, TaskState
from consultation.topics.tables import Topic
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    item, task = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            Outcome(
                topic_id=topic.id,
                round=1,
                version=1,
                community_id=topic.community_id,
                minority_view="一层住户担心采光",
                adverse_impacts=[],
                drafted_by_id=world.id("clerk"),
                at=tx.now,
            )
        )
        tx.session.add(
            OutcomeItem(
                id=item,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                number=1,
                text="加装电梯",
                created_at=tx.now,
            )
        )
        await tx.session.flush()
        tx.session.add(
            AdoptionReply(
                item_id=item,
                version=1,
                community_id=topic.community_id,
                topic_id=topic.id,
                decision=Decision.ADOPTED,
                reason=f"{SECRET}未签署的答复",
                org_id=world.orgs["committee"].id,
                by_id=world.id("clerk"),
                at=tx.now,
            )
        )
        tx.session.add(
            Task(
                id=task,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                item_id=item,
                title="报建",
                category=TaskCategory.WORKS,
                responsible_org_id=world.orgs["committee"].id,
                budget_fen=100_00,
                funding_source="维修资金",
                due_on=date(2026, 12, 1),
                state=TaskState.IN_PROGRESS,
                created_at=tx.now,
            )
        )
        await tx.session.flush()
        tx.session.add(
            Milestone(
                id=uuid4(),
                community_id=topic.community_id,
                task_id=task,
                number=1,
                title="开工",
                due_on=date(2026, 10, 1),
            )
        )
    return {"item_id": item, "task_id": task}
