"""The community in which a consultation of the past is held again: registers for everybody who
took part, taken over as a city's would be, and one topic brought to its deliberation by the
commands that bring every topic there. Names are made up: open data has none."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import select

from api.registers import take_register
from api.worker import Worker
from consultation.calendar import local_day
from consultation.community.register_queries import people_by_key
from consultation.community.registers import RegisterKind
from consultation.community.tables import RoleAssignment
from consultation.database import Database
from consultation.permissions import Actor, Deed, Role
from consultation.topics.commands import documenting, preparing, raising, screening
from consultation.topics.documents import Paper
from consultation.topics.lookups import current_plan
from consultation.topics.plan import FormPlan, GroupPlan, Plan
from consultation.topics.proposal import Proposal
from consultation.topics.queries import access_topic
from consultation.topics.states import Category, DocumentKind, Layer, MatterList, State, Track

CODE = "replay"
LEAD = timedelta(days=20)
"""How long before the replay the topic is raised, so that its notice is over."""

TREE = """code,kind,parent_code,name
replay-city,市,,重演市
replay-district,区,replay-city,重演区
replay-street,街道,replay-district,重演街道
replay,社区,replay-street,重演社区
replay-grid,网格,replay,G01
"""
ORGANISATIONS = """code,kind,name,node_code
replay-party,社区(村)党组织,重演社区党组织,replay
replay-committee,居民委员会,重演社区居民委员会,replay
"""
ROLES = """person_key,person_name,role,org_code,node_code,valid_from,basis
secretary,重演书记,党组织书记,replay-party,replay,2020-01-01,重演
clerk,重演文书,社区工作人员,replay-committee,replay,2020-01-01,重演
"""


@dataclass
class SetUpClock:
    """Time while the community is set up: it moves when it is told to."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Venue:
    """Where the replay takes place, and who its people are: ``people`` by their old number."""

    topic_id: UUID
    people: Mapping[int, UUID]
    clerk: Actor


async def set_up(db: Database, clock: SetUpClock, people: Sequence[int]) -> Venue:
    """Registers and topic, from ``clock.now`` until the topic's notice is over."""
    registers = [
        (RegisterKind.TREE, TREE),
        (RegisterKind.ORGANISATIONS, ORGANISATIONS),
        (RegisterKind.RESIDENTS, _residents(people)),
        (RegisterKind.ROLES, ROLES),
    ]
    community_id = UUID(int=0)
    for kind, content in registers:
        report = await take_register(db, kind, content.encode(), community_code=CODE)
        community_id = report.community_id

    async with db.read() as tx:
        lookups = {number: tx.vault.lookup("register", _key(number)) for number in people}
        known = await people_by_key(tx, community_id, lookups.values())
        offices = await tx.session.exec(
            select(RoleAssignment).where(RoleAssignment.community_id == community_id)
        )
        held = {office.role: Actor(office.person_id, office.id) for office in offices}
    ids = {number: known[lookup].id for number, lookup in lookups.items()}
    secretary, clerk = held[Role.PARTY_SECRETARY], held[Role.CLERK]
    topic_id = await _deliberated_topic(
        db, clock, community_id, author=Actor(ids[people[0]]), secretary=secretary, clerk=clerk
    )
    return Venue(topic_id, ids, clerk)


def _residents(people: Sequence[int]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["person_key", "person_name", "kind", "grid_code"])
    writer.writerows([_key(number), f"甲{number:04d}", "租户", "replay-grid"] for number in people)
    return file.getvalue()


def _key(number: int) -> str:
    return f"participant-{number}"


async def _deliberated_topic(
    db: Database,
    clock: SetUpClock,
    community_id: UUID,
    *,
    author: Actor,
    secretary: Actor,
    clerk: Actor,
) -> UUID:
    """Raised, accepted, prepared, announced; then the system opens it when its notice is over."""
    proposal = Proposal(
        title="重演一次公开征询",
        problem="按原来的时间顺序重演一次公开征询。",
        wish="得到与原来相同的结果。",
        place="线上",
        affected=["参加者"],
    )
    async with db.begin(author) as tx:
        topic = await raising.draft_topic(
            tx, community_id=community_id, node_id=community_id, proposal=proposal
        )
        topic_id = topic.id
        await raising.submit_topic(tx, topic_id)
    sorting = screening.Classification(
        category=Category.PUBLIC_INTEREST_DECISION,
        layer=Layer.CONSULTATION,
        track=Track.COMMUNITY,
        matter_list=MatterList.SELF_GOVERNANCE,
    )
    async with db.begin(secretary) as tx:
        await screening.accept_topic(tx, topic_id, sorting, note=Paper("受理通知", "予以受理。"))
    plan = Plan(
        groups=[GroupPlan(name="参加者", affected=True)],
        forms=[FormPlan(form="online_deliberation")],
        deliberation_ends=local_day(clock.now + 3 * LEAD),
        text="线上征集观点,逐条表态。",
    )
    async with db.begin(clerk) as tx:
        await preparing.prepare_topic(tx, topic_id)
        await preparing.save_plan(tx, topic_id, plan)
        await documenting.add_document(
            tx, topic_id, kind=DocumentKind.MATERIAL, title="说明", body="资料见原征询。"
        )
        await preparing.check_legality(tx, topic_id, lawful=True, opinion="合法。")
    async with db.begin(secretary) as tx:
        await preparing.announce_topic(tx, topic_id, notice=Paper("公告", "现予公告。"))
        row = await current_plan(tx, await access_topic(tx, topic_id, Deed.READ_PUBLIC))
        assert row is not None
        assert row.notice_until is not None
        clock.now = row.notice_until
    await Worker(db, poll_seconds=1).run_due()
    async with db.read() as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        assert topic.state is State.DELIBERATING, topic.state
    return topic_id
