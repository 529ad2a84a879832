"""A small community for tests: tree, offices, staff under their roles, owners and residents.

Rows are inserted directly, so that a test of one area does not depend on the commands of another.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlalchemy.orm import make_transient_to_detached

from consultation.columns import Row
from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Organisation,
    OrgKind,
    Ownership,
    Person,
    PropertyUnit,
    Residence,
    ResidenceKind,
    RoleAssignment,
    UnitKind,
)
from consultation.database import Database
from consultation.permissions import Actor, Role
from consultation.topics.plan import FormPlan, GroupPlan, Plan
from consultation.topics.states import Category, Layer, MatterList, State, Track
from consultation.topics.tables import Topic, TopicPlan
from consultation.vault import Vault

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """``people`` by a short name; ``assignments`` by (name, role). Use ``as_`` for an Actor and
    ``headers`` for a request."""

    nodes: dict[str, Node] = field(default_factory=dict)
    orgs: dict[str, Organisation] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    assignments: dict[tuple[str, Role], RoleAssignment] = field(default_factory=dict)
    units: list[PropertyUnit] = field(default_factory=list)
    tokens: Any = None

    @property
    def community(self) -> Node:
        return self.nodes["community"]

    def id(self, name: str) -> UUID:
        return self.people[name].id

    def as_(self, name: str, role: Role | None = None) -> Actor:
        assignment = None if role is None else self.assignments[name, role].id
        return Actor(person_id=self.people[name].id, assignment_id=assignment)

    def headers(
        self, name: str, role: Role | None = None, *, key: str | None = None, **extra: str
    ) -> dict[str, str]:
        """Authorization, the role, and a fresh (or given) Idempotency-Key."""
        token = self.tokens.issue(self.people[name].id, uuid4(), uuid4())
        headers = {"authorization": f"Bearer {token}", "idempotency-key": key or uuid4().hex}
        if role is not None:
            headers["minyi-role"] = str(self.assignments[name, role].id)
        return headers | extra


STAFF = (
    ("secretary", "周文静", Role.PARTY_SECRETARY, "party_org", "community"),
    ("deputy", "许国平", Role.COMMITTEE_HEAD, "committee", "community"),
    ("deputy", "许国平", Role.HOST, "committee", "community"),
    ("clerk", "陶颖", Role.CLERK, "committee", "community"),
    ("supervisor", "陈巧云", Role.SUPERVISOR, "supervision", "community"),
    ("grid_worker", "马立新", Role.GRID_WORKER, "committee", "grid"),
    ("teller1", "钱明", Role.TELLER, "committee", "community"),
    ("teller2", "郑芳", Role.TELLER, "committee", "community"),
    ("official", "林栋", Role.GOVERNMENT, "subdistrict_office", "subdistrict"),
    ("enforcer", "高翔", Role.GOVERNMENT, "enforcement", "district"),
    ("inspector", "顾宁", Role.INSPECTOR, "district_office", "district"),
    ("admin", "方一", Role.SYSTEM_ADMIN, "district_office", "city"),
    ("company", "和物业", Role.PROPERTY_COMPANY, "property_company", "estate"),
    ("owners_chair", "丁海涛", Role.OWNERS_COMMITTEE, "owners_committee", "estate"),
    ("representative", "王代表", Role.REPRESENTATIVE, "committee", "community"),
)

RESIDENTS = ("resident1", "resident2", "resident3", "resident4", "resident5", "resident6")


TABLES = (Node, Organisation, Person, RoleAssignment, PropertyUnit, Ownership, Household, Residence)
"""Each after those it refers to."""


async def build_world(db: Database) -> World:
    """Draw it, and put its rows in. A flush per row, as commands do it, would take as long as most
    tests: here it is one statement per table."""
    world, rows = draw_world(db.vault)
    async with db.begin() as tx:
        connection = await tx.session.connection()
        for table in TABLES:
            values = [row.model_dump() for row in rows if type(row) is table]
            await connection.execute(insert(table), values)
    for row in rows:
        make_transient_to_detached(row)
    return world


def draw_world(vault: Vault) -> tuple[World, list[Row]]:
    """The world, and all rows of it, also those that it does not name."""
    world = World()
    rows: list[Row] = []

    def node(name: str, kind: NodeKind, parent: str | None, label: str, **more: Any) -> Node:
        above = world.nodes.get(parent or "")
        id = uuid4()
        community = (
            id
            if kind in (NodeKind.COMMUNITY, NodeKind.VILLAGE)
            else above.community_id
            if above
            else None
        )
        row = Node(
            id=id,
            kind=kind,
            parent_id=above.id if above else None,
            path=f"{above.path if above else '/'}{id}/",
            code=name,
            name=label,
            community_id=community,
            facts={},
            **more,
        )
        world.nodes[name] = row
        rows.append(row)
        return row

    node("city", NodeKind.CITY, None, "宁澜市")
    node("district", NodeKind.DISTRICT, "city", "青溪区")
    node("subdistrict", NodeKind.SUBDISTRICT, "district", "柳叶街道")
    node("community", NodeKind.COMMUNITY, "subdistrict", "梧桐里社区")
    node("other", NodeKind.COMMUNITY, "subdistrict", "别处社区")
    node("grid", NodeKind.GRID, "community", "G02")
    node("grid2", NodeKind.GRID, "community", "G03")
    node("estate", NodeKind.ESTATE, "community", "桐荫苑")
    node("building", NodeKind.BUILDING, "estate", "3幢", grid_id=world.nodes["grid"].id)
    node("entrance", NodeKind.ENTRANCE, "building", "2单元", grid_id=world.nodes["grid"].id)
    community = world.nodes["community"]

    for name, kind, at, label in (
        ("party_org", OrgKind.COMMUNITY_PARTY_ORG, "community", "梧桐里社区党委"),
        ("committee", OrgKind.RESIDENTS_COMMITTEE, "community", "梧桐里社区居民委员会"),
        ("supervision", OrgKind.SUPERVISION_COMMITTEE, "community", "居务监督委员会"),
        ("owners_committee", OrgKind.OWNERS_COMMITTEE, "estate", "桐荫苑业委会"),
        ("property_company", OrgKind.PROPERTY_COMPANY, "estate", "惠民物业"),
        ("subdistrict_office", OrgKind.SUBDISTRICT_OFFICE, "subdistrict", "柳叶街道办事处"),
        ("enforcement", OrgKind.DEPARTMENT, "district", "区综合执法局"),
        ("district_office", OrgKind.DISTRICT_GOVERNMENT, "district", "青溪区政府"),
        ("hotline", OrgKind.HOTLINE, "city", "12345热线"),
    ):
        place = world.nodes[at]
        world.orgs[name] = Organisation(
            id=uuid4(),
            community_id=place.community_id,
            node_id=place.id,
            kind=kind,
            code=name,
            name=label,
        )
        rows.append(world.orgs[name])

    def person(name: str, label: str) -> Person:
        id = uuid4()
        phone = f"1990000{len(world.people):04d}"
        row = Person(
            id=id,
            masked_name=label[0] + "*",
            name_sealed=vault.seal(id, label),
            phone_sealed=vault.seal(id, phone),
            born_on=date(1970, 1, 1),
            phone_lookup=vault.lookup("phone", phone),
            created_at=LONG_AGO,
        )
        world.people[name] = row
        rows.append(row)
        return row

    for name, label, role, org, at in STAFF:
        who = world.people.get(name) or person(name, label)
        place = world.nodes[at]
        assignment = RoleAssignment(
            id=uuid4(),
            community_id=place.community_id,
            person_id=who.id,
            role=role,
            org_id=world.orgs[org].id,
            node_id=place.id,
            node_path=place.path,
            valid_from=LONG_AGO,
            basis="test",
        )
        world.assignments[name, role] = assignment
        rows.append(assignment)

    # six flats, one owner each: 101 … 302, 68.35 and 74.20 m²
    for index, name in enumerate(RESIDENTS):
        who = person(name, f"居民{index + 1}")
        floor, side = divmod(index, 2)
        unit = PropertyUnit(
            id=uuid4(),
            community_id=community.id,
            estate_id=world.nodes["estate"].id,
            entrance_id=world.nodes["entrance"].id,
            code=f"桐荫苑-3-2-{floor + 1}0{side + 1}",
            kind=UnitKind.HOME,
            area_dm2=7420 if side else 6835,
        )
        world.units.append(unit)
        rows.append(unit)
        rows.append(Ownership(unit_id=unit.id, person_id=who.id, community_id=community.id))
        household = Household(
            id=uuid4(),
            community_id=community.id,
            estate_id=world.nodes["estate"].id,
            grid_id=world.nodes["grid"].id,
            unit_id=unit.id,
            code=f"H{index + 1}",
            adults=2,
            representative_id=who.id,
        )
        rows.append(household)
        rows.append(
            Residence(
                id=uuid4(),
                person_id=who.id,
                community_id=community.id,
                household_id=household.id,
                unit_id=unit.id,
                grid_id=world.nodes["grid"].id,
                kind=ResidenceKind.OWNER,
                level=2,
                method="register",
                verified_at=LONG_AGO,
                created_at=LONG_AGO,
            )
        )
    person("visitor", "过客")  # an account, not verified anywhere
    tenant = person("tenant", "李想")
    rows.append(
        Residence(
            id=uuid4(),
            person_id=tenant.id,
            community_id=community.id,
            grid_id=world.nodes["grid"].id,
            kind=ResidenceKind.TENANT,
            level=2,
            method="grid_worker",
            created_at=LONG_AGO,
        )
    )
    neighbour = person("neighbour", "外人")  # verified in the other community
    rows.append(
        Residence(
            id=uuid4(),
            person_id=neighbour.id,
            community_id=world.nodes["other"].id,
            kind=ResidenceKind.OWNER,
            level=2,
            method="register",
            created_at=LONG_AGO,
        )
    )
    return world, rows


A_PLAN = Plan(
    groups=[GroupPlan(name="一层业主", affected=True), GroupPlan(name="其他业主")],
    forms=[FormPlan(form="heart_to_heart_meeting")],
    deliberation_ends=date(2026, 5, 30),
    text="先开恳谈会,再形成协商意见。",
)


async def a_topic(
    db: Database,
    world: World,
    *,
    state: State = State.SUBMITTED,
    author: str = "resident1",
    track: Track | None = None,
    layer: Layer | None = None,
    plan: Plan | None = None,
    round: int = 1,
    **more: Any,
) -> Topic:
    """A topic that stands in ``state``, as if it had got there; with a frozen plan from
    ``announced`` on."""
    early = state in (
        State.DRAFT,
        State.SUBMITTED,
        State.RETURNED,
        State.REJECTED,
        State.TRANSFERRED,
    )
    async with db.begin() as tx:
        topic = Topic(
            id=uuid4(),
            community_id=world.community.id,
            node_id=world.nodes["entrance"].id,
            node_path=world.nodes["entrance"].path,
            number=f"T-{uuid4().hex[:8]}",
            title="3幢2单元加装电梯",
            problem="老人上下楼难",
            wish="商量加装电梯",
            place="3幢2单元",
            affected=["一层业主"],
            author_id=world.id(author),
            state=state,
            state_since=tx.now,
            round=round,
            created_at=tx.now,
            category=None if early else Category.VITAL_INTEREST_PROBLEM,
            layer=layer or (None if early else Layer.CONSULTATION),
            track=track or (None if early else Track.COMMUNITY),
            matter_list=None if early else MatterList.SELF_GOVERNANCE,
            convener_org_id=None if early else world.orgs["party_org"].id,
            was_public=not early or state is State.TRANSFERRED,
        )
        for name, value in more.items():
            setattr(topic, name, value)
        tx.session.add(topic)
        await tx.session.flush()
        if not early and state is not State.ACCEPTED:
            frozen = state is not State.PREPARING
            tx.session.add(
                TopicPlan(
                    topic_id=topic.id,
                    round=round,
                    community_id=topic.community_id,
                    plan=plan or A_PLAN,
                    prepared_by_id=world.id("clerk"),
                    legality_ok=True,
                    legality_checked_by_id=world.id("clerk"),
                    frozen_at=tx.now if frozen else None,
                    notice_until=tx.now if frozen else None,
                )
            )
    return topic
