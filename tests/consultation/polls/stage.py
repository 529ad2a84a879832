"""Sets the stage for a poll: registers, a topic ready to vote, and the steps of the vote itself,
by the commands and the worker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlmodel import select

from api.phrases import write
from api.worker import Worker
from consultation.append_only import protect, unprotect
from consultation.calendar import add_days
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
from consultation.meetings.rules import AttendanceMode, Form, MeetingState
from consultation.meetings.tables import Attendance, Meeting
from consultation.outcomes.tables import Outcome, OutcomeItem
from consultation.permissions import Actor, Role
from consultation.polls.commands import casting, closing, countersigning, drafting, unsealing
from consultation.polls.countersign_tables import CountersignRequest
from consultation.polls.countersigning import CountersignSubject, EntryKey
from consultation.polls.drafts import Nominee, PollDraft
from consultation.polls.envelope_box import SealedReceipt
from consultation.polls.hand_tables import HandCount
from consultation.polls.presets import BallotMode, QuestionKind
from consultation.polls.queries import frozen_roll
from consultation.polls.results import HandTotals
from consultation.polls.rules import PollItem
from consultation.polls.tables import Poll
from consultation.polls.terms import warnings
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.conftest import ManualClock
from tests.consultation.polls.counting_cases import preset
from tests.world import A_PLAN, LONG_AGO, World, a_topic

OPENERS = (("teller1", Role.TELLER), ("teller2", Role.TELLER), ("supervisor", Role.SUPERVISOR))


@dataclass
class Stage:
    """``voters`` hold the person of each unit, household or member in the order of the register."""

    db: Database
    world: World
    clock: ManualClock

    # ---- registers

    async def place(self, kind: NodeKind, name: str, parent: Node) -> Node:
        id = uuid4()
        whole = kind in (NodeKind.COMMUNITY, NodeKind.VILLAGE)
        node = Node(
            id=id,
            kind=kind,
            parent_id=parent.id,
            path=f"{parent.path}{id}/",
            code=f"{name}-{id.hex[:6]}",
            name=name,
            community_id=id if whole else parent.community_id,
            facts={},
        )
        async with self.db.begin() as tx:
            tx.session.add(node)
        return node

    async def people(self, count: int, community_id: UUID, *, verified: bool = True) -> list[UUID]:
        """Registered people, in bulk; verified as owners who live elsewhere, if they vote."""
        ids = [uuid4() for _ in range(count)]
        async with self.db.begin() as tx:
            connection = await tx.session.connection()
            await connection.execute(
                insert(Person),
                [{"id": id, "masked_name": "王*", "created_at": LONG_AGO} for id in ids],
            )
            if verified:
                await connection.execute(
                    insert(Residence),
                    [
                        {
                            "id": uuid4(),
                            "person_id": id,
                            "community_id": community_id,
                            "kind": ResidenceKind.ABSENT_OWNER,
                            "level": 2,
                            "created_at": LONG_AGO,
                        }
                        for id in ids
                    ],
                )
        return ids

    async def homes(
        self,
        estate: Node,
        entrance: Node,
        areas: Sequence[int],
        owners: Sequence[UUID | None],
        *,
        kind: UnitKind = UnitKind.HOME,
    ) -> list[UUID]:
        """One home per area, in the order of their codes, each with its owner (None: unknown)."""
        ids = [uuid4() for _ in areas]
        spot = "P" if kind is UnitKind.PARKING else ""
        async with self.db.begin() as tx:
            connection = await tx.session.connection()
            await connection.execute(
                insert(PropertyUnit),
                [
                    {
                        "id": id,
                        "community_id": estate.community_id,
                        "estate_id": estate.id,
                        "entrance_id": entrance.id,
                        "code": f"{entrance.code}-{spot}{index:04d}",
                        "kind": kind,
                        "area_dm2": area,
                        "developer_unsold": False,
                    }
                    for index, (id, area) in enumerate(zip(ids, areas, strict=True))
                ],
            )
            owned = [
                {
                    "unit_id": id,
                    "person_id": owner,
                    "community_id": estate.community_id,
                    "named_voter": True,
                }
                for id, owner in zip(ids, owners, strict=True)
                if owner is not None
            ]
            if owned:
                await connection.execute(insert(Ownership), owned)
        return ids

    async def lift(self) -> tuple[Node, list[UUID]]:
        """D1: an entrance of six floors, two flats each of 68.35 and 74.20 m²; its owners."""
        estate = self.world.nodes["estate"]
        entrance = await self.place(NodeKind.ENTRANCE, "5单元", self.world.nodes["building"])
        owners = await self.people(12, self.world.community.id)
        await self.homes(estate, entrance, [6835, 7420] * 6, owners)
        return entrance, owners

    async def households(self, count: int, *, name: str = "梧桐新村") -> tuple[Node, list[UUID]]:
        """An estate of occupied households with a representative each."""
        estate = await self.place(NodeKind.ESTATE, name, self.world.community)
        people = await self.people(count, self.world.community.id)
        async with self.db.begin() as tx:
            connection = await tx.session.connection()
            await connection.execute(
                insert(Household),
                [
                    {
                        "id": uuid4(),
                        "community_id": estate.community_id,
                        "estate_id": estate.id,
                        "code": f"{estate.code}-{index:04d}",
                        "occupied": True,
                        "adults": 2,
                        "representative_id": person,
                    }
                    for index, person in enumerate(people)
                ],
            )
        return estate, people

    async def assembly(self, community: Node, count: int, kind: OrgKind) -> list[UUID]:
        """An assembly of ``count`` members of a community or village."""
        people = await self.people(count, community.id)
        org = Organisation(
            id=uuid4(),
            community_id=community.id,
            node_id=community.id,
            kind=kind,
            code=uuid4().hex,
            name="代表会议",
        )
        async with self.db.begin() as tx:
            tx.session.add(org)
            await tx.session.flush()
            connection = await tx.session.connection()
            await connection.execute(
                insert(RoleAssignment),
                [
                    {
                        "id": uuid4(),
                        "community_id": community.id,
                        "person_id": person,
                        "role": Role.REPRESENTATIVE,
                        "org_id": org.id,
                        "node_id": community.id,
                        "node_path": community.path,
                        "title": "",
                        "close_relative_of_committee": False,
                        "valid_from": LONG_AGO,
                        "basis": "选举",
                    }
                    for person in people
                ],
            )
        return people

    async def meeting(self, topic: Topic, people: Sequence[UUID], *, guests: int = 0) -> Meeting:
        """A meeting of the topic at which these people, and guests, are signed in."""
        meeting = Meeting(
            id=uuid4(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=topic.round,
            form=Form.REPRESENTATIVES_ASSEMBLY,
            title="代表会议",
            place="议事室",
            starts_at=self.clock.now,
            state=MeetingState.OPEN,
            convened_by_id=self.world.id("secretary"),
            host_id=self.world.id("deputy"),
            recorder_id=self.world.id("clerk"),
            created_at=self.clock.now,
        )
        strangers = await self.people(guests, topic.community_id) if guests else []
        async with self.db.begin() as tx:
            tx.session.add(meeting)
        await self.sign_in(meeting, [*people, *strangers])
        return meeting

    async def sign_in(
        self,
        meeting: Meeting,
        people: Sequence[UUID],
        mode: AttendanceMode = AttendanceMode.ON_SITE,
    ) -> None:
        async with self.db.begin() as tx:
            for person in people:
                tx.session.add(
                    Attendance(
                        meeting_id=meeting.id,
                        person_id=person,
                        community_id=meeting.community_id,
                        group_name="代表",
                        mode=mode,
                        at=self.clock.now,
                    )
                )

    # ---- the vote, by commands

    async def topic(
        self, name: str, scope: Node, *, state: State = State.OUTCOME_DRAFTING, **more: Any
    ) -> Topic:
        """A topic at ``scope`` whose frozen plan names the preset, with its outcome written."""
        one = preset(name)
        topic = await a_topic(
            self.db,
            self.world,
            state=state,
            layer=one.layer,
            plan=A_PLAN.model_copy(update={"poll_preset": one.key}),
            community_id=scope.community_id,
            node_id=scope.id,
            node_path=scope.path,
            **more,
        )
        await self.write_outcome(topic)
        return topic

    async def write_outcome(self, topic: Topic) -> None:
        async with self.db.begin() as tx:
            tx.session.add(
                Outcome(
                    topic_id=topic.id,
                    round=topic.round,
                    version=1,
                    community_id=topic.community_id,
                    minority_view="有两户不同意,理由已写入纪要。",
                    adverse_impacts=[],
                    drafted_by_id=self.world.id("clerk"),
                    at=tx.now,
                )
            )
            tx.session.add(
                OutcomeItem(
                    id=uuid4(),
                    community_id=topic.community_id,
                    topic_id=topic.id,
                    round=topic.round,
                    number=1,
                    text="加装电梯",
                    created_at=tx.now,
                )
            )

    def draft(self, name: str, scope: Node, **change: Any) -> PollDraft:
        """A draft that opens when the notice is over and stays open for the default window."""
        one = preset(name)
        opens = add_days(self.clock.now, one.notice_days)
        window = timedelta(days=one.window_days_default) or timedelta(hours=12)
        content: dict[str, Any] = {
            "preset": one.key,
            "scope_node_id": scope.id,
            "question": "是否同意",
            "items": [PollItem(number=1, text="加装电梯")],
            "budget_fen": None,
            "opens_at": opens,
            "closes_at": opens + window,
            "meeting_id": None,
        }
        return PollDraft(**(content | change))

    async def drafted(self, name: str, topic: Topic, scope: Node, **change: Any) -> Poll:
        draft = self.draft(name, scope, **change)
        if not draft.candidates:
            draft = replace(draft, candidates=await self.candidates(draft, topic.community_id))
        async with self.db.begin(self.clerk) as tx:
            return await drafting.draft_poll(tx, topic.id, draft)

    async def candidates(self, draft: PollDraft, community_id: UUID) -> list[Nominee]:
        """Somebody for every option of an election."""
        options = [
            (item.number, option.code)
            for item in draft.items
            if item.kind is QuestionKind.ELECTION
            for option in item.options
        ]
        people = await self.people(len(options), community_id, verified=False) if options else []
        return [
            Nominee(item=item, code=code, person_id=person)
            for (item, code), person in zip(options, people, strict=True)
        ]

    async def announced(self, name: str, topic: Topic, scope: Node, **change: Any) -> Poll:
        poll = await self.drafted(name, topic, scope, **change)
        async with self.db.begin(self.secretary) as tx:
            on_roll, _ = await drafting.check_roll(tx, poll.id)
            return await drafting.announce_poll(
                tx,
                poll.id,
                write=write,
                confirm_preset=bool(warnings(poll.preset)),
                confirm_roll=on_roll,
            )

    async def opened(self, name: str, topic: Topic, scope: Node, **change: Any) -> Poll:
        poll = await self.announced(name, topic, scope, **change)
        self.clock.now = poll.opens_at
        await self.work()
        return await self.load(poll.id)

    async def lift_poll(self) -> tuple[Poll, list[UUID]]:
        """An open poll on the lift of D1, and its twelve owners."""
        entrance, owners = await self.lift()
        topic = await self.topic("lift_scope_owners", entrance)
        return await self.opened("lift_scope_owners", topic, entrance), owners

    async def cast(self, poll_id: UUID, person: UUID, choice: str) -> str:
        """The receipt of a ballot with the same choice for every item."""
        poll = await self.load(poll_id)
        answers = [(item.number, [choice]) for item in poll.items]
        async with self.db.begin(Actor(person_id=person)) as tx:
            return (await casting.cast_ballot(tx, poll_id, answers)).receipt

    async def cast_sealed(
        self, poll_id: UUID, person: UUID, choice: str, *, once: str | None = None
    ) -> SealedReceipt:
        """A confidential ballot, the same choice for every item, with a fresh secret."""
        poll = await self.load(poll_id)
        answers = [(item.number, [choice]) for item in poll.items]
        async with self.db.begin(Actor(person_id=person)) as tx:
            receipt = await casting.cast_ballot(
                tx, poll_id, answers, once=once or token_urlsafe(24)
            )
        assert isinstance(receipt, SealedReceipt)
        return receipt

    async def household_poll(
        self,
        count: int,
        *,
        name: str = "梧桐新村",
        mode: BallotMode = BallotMode.CONFIDENTIAL,
        rule: dict[str, Any] | None = None,
        **change: Any,
    ) -> tuple[Poll, list[UUID]]:
        """An open poll among ``count`` households, and the voters; ``rule`` changes the preset and
        ``change`` the draft."""
        estate, people = await self.households(count, name=name)
        topic = await self.topic("household_poll", estate)
        poll = await self.drafted("household_poll", topic, estate, mode=mode, **change)
        async with self.db.begin() as tx:
            row = await tx.session.get(Poll, poll.id)
            assert row is not None
            row.preset = row.preset.model_copy(update=rule or {})
        async with self.db.begin(self.secretary) as tx:
            await drafting.announce_poll(tx, poll.id, write=write)
        self.clock.now = poll.opens_at
        await self.work()
        return await self.load(poll.id), people

    async def confirm_opening(self, poll_id: UUID, name: str, role: Role) -> Poll:
        async with self.db.begin(self.world.as_(name, role)) as tx:
            return await unsealing.confirm_opening(tx, poll_id)

    async def open_box(self, poll_id: UUID) -> Poll:
        """Close the poll and open its box; key and envelopes are not destroyed yet."""
        await self.closed(poll_id)
        for name, role in OPENERS:
            await self.confirm_opening(poll_id, name, role)
        return await self.load(poll_id)

    async def vote(self, poll_id: UUID, people: Sequence[UUID], answers: str) -> None:
        """``answers`` has a letter for each person: f, a, o; any other does not vote. All in one
        transaction, which saves the waiting for the disk."""
        words = {"f": "for", "a": "against", "o": "abstain"}
        poll = await self.load(poll_id)
        async with self.db.begin() as tx:
            for person, letter in zip(people, answers, strict=True):
                if letter in words:
                    tx.actor = Actor(person_id=person)
                    given = [(item.number, [words[letter]]) for item in poll.items]
                    await casting.cast_ballot(tx, poll_id, given)

    async def closed(self, poll_id: UUID) -> Poll:
        self.clock.now = (await self.load(poll_id)).closes_at
        await self.work()
        return await self.load(poll_id)

    async def sign(
        self, poll_id: UUID, name: str, role: Role, *, digest: str | None = None
    ) -> Poll:
        poll = await self.load(poll_id)
        async with self.db.begin(self.world.as_(name, role)) as tx:
            return await closing.sign_count(
                tx, poll_id, digest=digest or poll.result_digest or "", write=write
            )

    async def countersign_all(self, poll_id: UUID) -> int:
        """Everybody whom an entry names confirms it, each under their own login."""
        async with self.db.read() as tx:
            asked = list(
                await tx.session.exec(
                    select(CountersignRequest).where(CountersignRequest.poll_id == poll_id)
                )
            )
            counts = list(
                await tx.session.exec(select(HandCount).where(HandCount.poll_id == poll_id))
            )
        hands = {one.count_no: HandTotals(heads=one.heads, items=one.items) for one in counts}
        for one in asked:
            key = EntryKey(one.subject, one.number, one.turn)
            told = hands.get(one.number) if one.subject is CountersignSubject.HANDS else None
            async with self.db.begin(Actor(person_id=one.person_id)) as tx:
                await countersigning.countersign(tx, poll_id, key, confirmed=True, hands=told)
        return len(asked)

    async def published(self, poll_id: UUID) -> Poll:
        await self.closed(poll_id)
        await self.countersign_all(poll_id)
        return await self.signed(poll_id)

    async def signed(self, poll_id: UUID) -> Poll:
        """By everybody whose signature the closed poll needs."""
        await self.sign(poll_id, "teller1", Role.TELLER)
        await self.sign(poll_id, "teller2", Role.TELLER)
        poll = await self.sign(poll_id, "supervisor", Role.SUPERVISOR)
        if poll.recount_due_at is not None:
            for name in await self.other_tellers():
                poll = await self.sign(poll_id, name, Role.TELLER)
        return poll

    async def other_tellers(self) -> tuple[str, str]:
        """Two people who are tellers besides the two of the world."""
        names = ("resident5", "resident6")
        given = self.world.assignments["teller1", Role.TELLER]
        async with self.db.begin() as tx:
            for name in names:
                if (name, Role.TELLER) in self.world.assignments:
                    continue
                row = RoleAssignment(
                    id=uuid4(),
                    community_id=given.community_id,
                    person_id=self.world.id(name),
                    role=Role.TELLER,
                    org_id=given.org_id,
                    node_id=given.node_id,
                    node_path=given.node_path,
                    valid_from=LONG_AGO,
                    basis="复核",
                )
                self.world.assignments[name, Role.TELLER] = row
                tx.session.add(row)
        return names

    async def work(self) -> None:
        await Worker(self.db, poll_seconds=1).run_due()

    async def sell(self, poll: Poll, seller: UUID, buyer: UUID) -> None:
        """In the register, all that makes up the seller's place on the roll of a poll."""
        place = next(p for p in (await self.roll(poll.id)).values() if p.person_id == seller)
        async with self.db.begin() as tx:
            for unit in place.units:
                owned = await tx.session.get_one(Ownership, (unit.unit_id, seller))
                await tx.session.delete(owned)
                tx.session.add(
                    Ownership(unit_id=unit.unit_id, person_id=buyer, community_id=poll.community_id)
                )

    async def rewrite_rule(self, poll_id: UUID, **change: Any) -> None:
        """Another rule under a poll that is open already: only the owner of the database can do
        that, by taking its guard away."""
        dialect = "sqlite" if self.db.is_sqlite else "postgresql"
        async with self.db.begin() as tx:
            connection = await tx.session.connection()
            for statement in unprotect(dialect, ["poll"]):
                await connection.exec_driver_sql(statement)
            poll = await tx.session.get_one(Poll, poll_id)
            poll.preset = poll.preset.model_copy(update=change)
            await tx.session.flush()
            for statement in protect(dialect, ["poll"]):
                await connection.exec_driver_sql(statement)

    # ---- looking

    async def load(self, poll_id: UUID) -> Poll:
        async with self.db.read() as tx:
            poll = await tx.session.get(Poll, poll_id)
            assert poll is not None
            return poll

    async def meeting_of(self, poll: Poll) -> Meeting:
        async with self.db.read() as tx:
            meeting = await tx.session.get(Meeting, poll.meeting_id)
            assert meeting is not None
            return meeting

    async def topic_of(self, poll: Poll) -> Topic:
        async with self.db.read() as tx:
            return await tx.session.get_one(Topic, poll.topic_id)

    async def node(self, node_id: UUID) -> Node:
        async with self.db.read() as tx:
            return await tx.session.get_one(Node, node_id)

    async def to_state(self, topic_id: UUID, state: State) -> None:
        """Put a topic where it would come later."""
        async with self.db.begin() as tx:
            (await tx.session.get_one(Topic, topic_id)).state = state

    async def topic_state(self, topic_id: UUID) -> State:
        async with self.db.read() as tx:
            topic = await tx.session.get(Topic, topic_id)
            assert topic is not None
            return topic.state

    async def roll(self, poll_id: UUID) -> dict[UUID, Any]:
        async with self.db.read() as tx:
            poll = await tx.session.get(Poll, poll_id)
            assert poll is not None
            return await frozen_roll(tx, poll)

    @property
    def clerk(self) -> Actor:
        return self.world.as_("clerk", Role.CLERK)

    @property
    def secretary(self) -> Actor:
        return self.world.as_("secretary", Role.PARTY_SECRETARY)
