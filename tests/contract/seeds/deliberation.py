"""A thread with a post and a hidden one, a marked statement, a review, a printed scene."""

from uuid import UUID, uuid4

from consultation.database import Database
from consultation.deliberation.review_rules import ReviewCause, ReviewState, ReviewSubject
from consultation.deliberation.rules import Mark, Stance, StatementState
from consultation.deliberation.tables import (
    ContentReview,
    Post,
    PostVersion,
    Statement,
    StatementMark,
    Thread,
)
from consultation.permissions import Role
from consultation.topics.tables import Topic
from notifications.wechat.tables import Scene, SceneKind
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    thread, post, hidden_post, statement = (uuid4() for _ in range(4))
    async with db.begin() as tx:
        tx.session.add(
            Thread(
                id=thread,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                title="怎样出资",
                opened_by_id=world.id("clerk"),
                posts=2,
                posts_for=2,
                created_at=tx.now,
            )
        )
        await tx.session.flush()
        for id, body in ((post, "同意加装"), (hidden_post, f"{SECRET}人身攻击")):
            concealed = id == hidden_post
            tx.session.add(
                Post(
                    id=id,
                    community_id=topic.community_id,
                    topic_id=topic.id,
                    thread_id=thread,
                    author_id=world.id("resident2"),
                    author_role=Role.RESIDENT,
                    display_name="3幢 居*",
                    stance=Stance.FOR,
                    body=body,
                    created_at=tx.now,
                    hidden_at=tx.now if concealed else None,
                    hidden_by_id=world.id("clerk") if concealed else None,
                    hidden_reason_code="personal_attack" if concealed else None,
                    hidden_reason="含有人身攻击" if concealed else None,
                    appeal=f"{SECRET}申诉" if concealed else None,
                    appealed_at=tx.now if concealed else None,
                )
            )
            await tx.session.flush()
            tx.session.add(
                PostVersion(
                    post_id=id,
                    version=1,
                    community_id=topic.community_id,
                    stance=Stance.FOR,
                    body=body,
                    at=tx.now,
                )
            )
        tx.session.add(
            Statement(
                id=statement,
                community_id=topic.community_id,
                topic_id=topic.id,
                number=1,
                author_id=world.id("resident3"),
                text="应当由受益楼层多出资",
                state=StatementState.ACCEPTED,
                agrees=1,
                agree_events=1,
                created_at=tx.now,
            )
        )
        await tx.session.flush()
        tx.session.add(
            StatementMark(
                statement_id=statement,
                person_id=world.id("resident4"),
                community_id=topic.community_id,
                mark=Mark.AGREE,
                at=tx.now,
            )
        )
    review = uuid4()
    async with db.begin() as tx:
        tx.session.add(
            ContentReview(
                id=review,
                community_id=topic.community_id,
                topic_id=topic.id,
                subject_kind=ReviewSubject.POST,
                subject_id=hidden_post,
                version=1,
                cause=ReviewCause.RISKY,
                label=20003,
                traces=["t1"],
                state=ReviewState.OPEN,
                opened_at=tx.now,
            )
        )
        tx.session.add(
            Scene(
                scene="SeedSceneOfTopic01",
                id=uuid4(),
                community_id=topic.community_id,
                kind=SceneKind.TOPIC,
                target_id=topic.id,
                image=b"\x89PNG\r\n\x1a\n",
                created_by_id=world.id("clerk"),
                created_at=tx.now,
            )
        )
    return {"thread_id": thread, "post_id": post, "statement_id": statement, "review_id": review}
