"""A world in which every address of the contract leads somewhere, with marked secrets in it.

``SECRETS`` are texts that strangers must never read. ``Seed.addresses`` has a value for every path
parameter; ``Seed.hidden`` has the address of a topic that is not public.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID, uuid4

from consultation.community.tables import (
    AccountBar,
    BarReason,
    Residence,
    ResidenceKind,
    RoleAssignment,
)
from consultation.database import Database
from consultation.deliberation.photo_tables import Photo, PhotoState
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
from consultation.meetings.minutes_rules import MinutesContent
from consultation.meetings.rules import AttendanceMode, Form, MeetingState
from consultation.meetings.tables import Attendance, Meeting, MeetingGroup, Minutes
from consultation.outcomes.rules import Decision
from consultation.outcomes.tables import AdoptionReply, Milestone, Outcome, OutcomeItem, Task
from consultation.outcomes.task_rules import TaskCategory, TaskState
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
from consultation.permissions import Role
from consultation.polls.objection_tables import RollObjection
from consultation.polls.objections import RollObjectionKind, RollObjectionState
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotMode
from consultation.polls.rules import BallotChannel, PollItem, PollState
from consultation.polls.tables import Ballot, Poll, PollTurnout, RollEntry
from consultation.topics.states import (
    DocumentKind,
    RejectionReason,
    RequestState,
    State,
    TransferState,
)
from consultation.topics.tables import (
    Document,
    InterestDeclaration,
    ParticipantRequest,
    Rejection,
    Topic,
    Transfer,
)
from notifications.audience import Urgency
from notifications.hub import Hub
from notifications.policy import Channel
from notifications.relay import Relay
from notifications.tables import Delivery, DeliveryState, Inbox, Notice
from notifications.wechat.tables import Scene, SceneKind
from tests.world import LONG_AGO, World, a_topic

SECRET = "机密"
"""Stands in every text that strangers must not read."""


@dataclass
class Seed:
    world: World
    topic: Topic
    hidden: Topic
    addresses: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)


async def seed(db: Database, world: World) -> Seed:
    topic = await a_topic(db, world, state=State.ADOPTION_PENDING)
    hidden = await a_topic(
        db,
        world,
        title=f"{SECRET}标题",
        problem=f"{SECRET}问题",
        wish=f"{SECRET}诉求",
        place=f"{SECRET}地点",
    )
    made = Seed(world, topic, hidden)
    made.secrets = [
        SECRET,
        "1990000",  # every phone of the world
        *(f"居民{number}" for number in range(1, 7)),  # full names
    ]
    made.addresses = {
        "community_id": str(world.community.id),
        "topic_id": str(topic.id),
        "session_id": str(uuid4()),
        "number": "1",
        "first": "1",
        "form": "1",
        "subject": "assisted",
        "turn": "1",
        "sheet": "1",
        "unit_id": str(world.units[0].id),
        "owner_id": str(world.id("resident1")),
        "household_id": str(uuid4()),
        "stream_id": f"topic:{topic.id}",
        "node_id": str(world.nodes["grid"].id),
        "grid_id": str(world.nodes["grid"].id),
        "person_id": str(world.id("resident1")),
        "org_id": str(world.orgs["committee"].id),
        "assignment_id": str(world.assignments["clerk", Role.CLERK].id),
        "role_id": str(world.assignments["clerk", Role.CLERK].id),
        "version": "1",
        "accept_key": "popup-of-the-seed",
        "scene": "SeedSceneOfTopic01",
        "kind": DocumentKind.NOTICE.value,
        "side": "committee",
    }
    await _strangers(db, world)
    for part in (
        _residence,
        _files,
        _deliberation,
        _meeting,
        _poll,
        _outcome,
        _oversight,
        _notices,
    ):
        made.addresses |= {
            name: str(address) for name, address in (await part(db, world, topic, hidden)).items()
        }
    await Relay(db, Hub(), poll_seconds=1).drain()  # opens the log of the streams
    return made


async def _strangers(db: Database, world: World) -> None:
    """The neighbour holds every office there is, in the other community."""
    other = world.nodes["other"]
    async with db.begin() as tx:
        for role in Role:
            if role in (Role.SYSTEM, Role.VISITOR, Role.RESIDENT):
                continue
            assignment = RoleAssignment(
                id=uuid4(),
                community_id=other.id,
                person_id=world.id("neighbour"),
                role=role,
                org_id=world.orgs["hotline"].id,
                node_id=other.id,
                node_path=other.path,
                valid_from=LONG_AGO,
                basis="test",
            )
            world.assignments["neighbour", role] = assignment
            tx.session.add(assignment)


async def _residence(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    claim, bar = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            AccountBar(
                id=bar,
                community_id=topic.community_id,
                node_id=topic.community_id,
                person_id=world.id("visitor"),
                reason=BarReason.ORDER,
                basis=f"{SECRET}决定",
                proposed_by_id=world.id("admin"),
                proposed_at=tx.now,
            )
        )
        tx.session.add(
            Residence(
                id=claim,
                person_id=world.id("official"),
                community_id=topic.community_id,
                grid_id=world.nodes["grid"].id,
                kind=ResidenceKind.TENANT,
                level=1,
                claim_sealed=tx.vault.seal(claim, f"{SECRET}住址"),
                created_at=tx.now,
            )
        )
    return {"residence_id": claim, "bar_id": bar}


async def _files(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    document, secret, rejection, transfer, request, photo = (uuid4() for _ in range(6))
    async with db.begin() as tx:
        tx.session.add(
            Photo(
                id=photo,
                community_id=topic.community_id,
                topic_id=topic.id,
                author_id=topic.author_id,
                source_sha256="0" * 64,
                sha256="0" * 64,
                width=1,
                height=1,
                alt=f"{SECRET}照片",
                state=PhotoState.WAITING,
                created_at=tx.now,
            )
        )
        for id, public, body in ((document, True, "公告"), (secret, False, f"{SECRET}材料")):
            tx.session.add(
                Document(
                    id=id,
                    community_id=topic.community_id,
                    topic_id=topic.id,
                    series_id=id,
                    kind=DocumentKind.NOTICE,
                    round=1,
                    title=body,
                    body=body,
                    content_hash="0" * 64,
                    public=public,
                    author_id=world.id("clerk"),
                    created_at=tx.now,
                )
            )
        tx.session.add(
            Rejection(
                id=rejection,
                community_id=hidden.community_id,
                topic_id=hidden.id,
                reason_code=next(iter(RejectionReason)),
                reason=f"{SECRET}理由",
                proposed_by_id=world.id("clerk"),
                proposed_at=tx.now,
            )
        )
        tx.session.add(
            Transfer(
                id=transfer,
                community_id=hidden.community_id,
                topic_id=hidden.id,
                receiver_org_id=world.orgs["enforcement"].id,
                state=TransferState.SENT,
                reason=f"{SECRET}转办",
                sent_by_id=world.id("clerk"),
                sent_at=tx.now,
            )
        )
        tx.session.add(
            ParticipantRequest(
                id=request,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                person_id=world.id("resident6"),
                group_name="租户",
                reason=f"{SECRET}申请",
                state=RequestState.ASKED,
                at=tx.now,
            )
        )
        tx.session.add(
            InterestDeclaration(
                topic_id=topic.id,
                person_id=world.id("teller1"),
                community_id=topic.community_id,
                has_interest=True,
                note=f"{SECRET}利益",
                at=tx.now,
            )
        )
    return {
        "photo_id": photo,
        "document_id": document,
        "rejection_id": rejection,
        "transfer_id": transfer,
        "request_id": request,
    }


async def _deliberation(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
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


async def _meeting(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
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


async def _poll(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    poll, entry = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            Poll(
                id=poll,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                scope_node_id=world.nodes["entrance"].id,
                scope_name="桐荫苑3幢2单元",
                question="是否加装电梯",
                items=[PollItem(number=1, text="加装电梯")],
                preset=next(iter(presets().values())),
                mode=BallotMode.NAMED,
                state=PollState.OPEN,
                drafted_by_id=world.id("clerk"),
                announced_by_id=world.id("secretary"),
                text_hash="0" * 64,
                roll_digest="0" * 64,
                eligible_heads=2,
                eligible_area_dm2=2 * 6835,
                announced_at=tx.now,
                opens_at=tx.now,
                closes_at=tx.now + timedelta(days=10),
                drafted_at=tx.now,
            )
        )
        await tx.session.flush()
        for number, id, voter in ((1, entry, "resident1"), (2, uuid4(), "resident2")):
            tx.session.add(
                RollEntry(
                    id=id,
                    community_id=topic.community_id,
                    poll_id=poll,
                    number=number,
                    person_id=world.id(voter),
                    label="3幢 居*",
                    area_dm2=6835,
                    units=[],
                )
            )
        tx.session.add(PollTurnout(poll_id=poll, shard=0, community_id=topic.community_id, heads=1))
        await tx.session.flush()
        tx.session.add(
            Ballot(
                poll_id=poll,
                roll_entry_id=entry,
                community_id=topic.community_id,
                choices={"1": ["against"]},
                channel=BallotChannel.ASSISTED,
                entered_by_id=world.id("clerk"),
                consent_note=f"{SECRET}委托",
                salt=bytes(16),
                leaf_hash=bytes(32),
                cast_at=tx.now,
            )
        )
        objection = uuid4()
        tx.session.add(
            RollObjection(
                id=objection,
                community_id=topic.community_id,
                poll_id=poll,
                number=2,
                kind=RollObjectionKind.WRONG_VOTER,
                ground=f"{SECRET}名册异议",
                filed_by_id=world.id("resident3"),
                filed_at=tx.now,
                due_at=tx.now + timedelta(days=3),
                state=RollObjectionState.OPEN,
            )
        )
    return {"poll_id": poll, "objection_id": objection}


async def _outcome(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
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


async def _notices(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    notice, delivery = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            Notice(
                id=notice,
                dedupe_key=f"{notice}",
                person_id=world.id("resident6"),
                community_id=topic.community_id,
                words="reply",
                urgency=Urgency.NORMAL,
                facts={"title": f"{SECRET}议题", "about": "dissent_explained"},
                created_at=tx.now,
            )
        )
        tx.session.add(Inbox(person_id=world.id("resident6"), unread=1))
        await tx.session.flush()
        tx.session.add(
            Delivery(
                id=delivery,
                dedupe_key=f"{notice}:printed",
                notice_id=notice,
                person_id=world.id("resident6"),
                community_id=topic.community_id,
                channel=Channel.PRINTED,
                chain="vote",
                step=2,
                urgency=Urgency.NORMAL,
                state=DeliveryState.WAITING,
                next_try=tx.now,
                grid_id=world.nodes["grid"].id,
                created_at=tx.now,
            )
        )
    return {"notice_id": notice, "delivery_id": delivery}


async def _oversight(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
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
