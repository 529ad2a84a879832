"""A small world with five open polls, and one script for it that can be played with two minds: the
same people vote in the same ways at the same times, and choose differently.

``prepare`` makes the world once; each play gets a copy of the database, the same new ids and the
same clock, so that whatever differs between two plays comes from what was chosen.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from api.phrases import write
from consultation.calendar import add_days
from consultation.community.tables import OrgKind, RoleAssignment
from consultation.permissions import Role
from consultation.polls.commands import drafting
from consultation.polls.presets import BallotMode, QuestionKind
from consultation.polls.rules import Option, PollItem
from consultation.polls.tables import Poll
from consultation.polls.terms import warnings
from consultation.topics.tables import Topic
from tests.consultation.polls.stage import Stage
from tests.contract.seeded import seed
from tests.world import LONG_AGO, World

SHA, SCAN, OTHER = "a" * 64, "b" * 64, "c" * 64
OPTIONS = [Option(code="on_the_north_side", text="北侧"), Option(code="b", text="南侧")]
RUNNING = [*OPTIONS, Option(code="c", text="丙")]

Ask = Callable[..., Awaitable[httpx.Response]]
"""(what, method, path, headers, json) → the answer, which is also noticed."""


@dataclass
class Staged:
    """A poll, its topic, and its voters in their order with their places on the roll."""

    poll_id: UUID
    topic_id: UUID
    voters: list[UUID]
    numbers: dict[UUID, int]

    @property
    def home(self) -> str:
        return f"/v1/polls/{self.poll_id}"

    def number(self, index: int) -> int:
        return self.numbers[self.voters[index]]


@dataclass
class Script:
    """``addresses`` leads each path parameter somewhere, besides those of the polls. ``a_day`` is
    the close of the two polls that are open for a day, ``a_week`` that of the others."""

    world: World
    addresses: dict[str, str]
    opens: datetime
    a_day: datetime
    a_week: datetime
    polls: dict[str, Staged] = field(default_factory=dict)

    def of_a_day(self) -> list[str]:
        return ["fund", "election"]

    def of_a_week(self) -> list[str]:
        return ["lift", "sealed", "choice"]


async def prepare(stage: Stage) -> Script:
    """The world up to the moment at which all polls are open and nobody has voted."""
    world = stage.world
    made = await seed(stage.db, world)
    await _officer(stage)
    opens = add_days(stage.clock.now, 20)
    script = Script(
        world, made.addresses, opens, opens + timedelta(days=1), opens + timedelta(days=7)
    )
    community = world.community
    entrance, owners = await stage.lift()
    await _announce(stage, script, "lift", "lift_scope_owners", entrance, owners)
    estate, people = await stage.households(12, name="东里")
    sealed = BallotMode.CONFIDENTIAL
    await _announce(stage, script, "sealed", "household_poll", estate, people, mode=sealed)
    estate, people = await stage.households(9, name="西里")
    items = [
        PollItem(number=1, text="何处", kind=QuestionKind.SINGLE_CHOICE, options=OPTIONS),
        PollItem(number=2, text="何物", kind=QuestionKind.MULTIPLE_CHOICE, options=RUNNING, most=2),
        PollItem(number=3, text="是否"),
    ]
    await _announce(stage, script, "choice", "household_poll", estate, people, items=items)
    members = await stage.assembly(community, 9, OrgKind.RESIDENTS_COMMITTEE)
    items = [PollItem(number=n, text=f"项目{n}", cost_fen=n * 1_000_000) for n in (1, 2, 3)]
    fund: dict[str, Any] = {"items": items, "budget_fen": 4_000_000}
    await _announce(stage, script, "fund", "fund_allocation", community, members, **fund)
    residents = [world.id(f"resident{n}") for n in range(1, 6)]
    items = [
        PollItem(
            number=1, text="委员", kind=QuestionKind.ELECTION, options=RUNNING, most=2, seats=2
        )
    ]
    election = {"items": items, "mode": sealed}
    await _announce(
        stage, script, "election", "urban_election_2026", community, residents, **election
    )
    stage.clock.now = opens
    await stage.work()
    return script


async def _officer(stage: Stage) -> None:
    """The one role that nobody in the world holds."""
    given = stage.world.assignments["admin", Role.SYSTEM_ADMIN]
    row = RoleAssignment(
        id=uuid4(),
        community_id=stage.world.community.id,
        person_id=given.person_id,
        role=Role.DATA_OFFICER,
        org_id=given.org_id,
        node_id=stage.world.community.id,
        node_path=stage.world.community.path,
        valid_from=LONG_AGO,
        basis="test",
    )
    stage.world.assignments["admin", Role.DATA_OFFICER] = row
    async with stage.db.begin() as tx:
        tx.session.add(row)


async def _announce(
    stage: Stage,
    script: Script,
    name: str,
    preset: str,
    scope: Any,
    voters: list[UUID],
    **more: Any,
) -> None:
    topic = await stage.topic(preset, scope)
    if name == "fund":
        more["meeting_id"] = (await stage.meeting(topic, voters)).id
    closes = script.a_day if name in script.of_a_day() else script.a_week
    more |= {"opens_at": script.opens, "closes_at": closes}
    poll = await _announced(stage, preset, topic, scope, more)
    numbers = {
        place.person_id: place.number
        for place in (await stage.roll(poll.id)).values()
        if place.person_id is not None
    }
    script.polls[name] = Staged(poll.id, topic.id, voters, numbers)


async def _announced(
    stage: Stage, preset: str, topic: Topic, scope: Any, more: dict[str, Any]
) -> Poll:
    poll = await stage.drafted(preset, topic, scope, **more)
    async with stage.db.begin(stage.secretary) as tx:
        confirm = bool(warnings(poll.preset))
        on_roll, _ = await drafting.check_roll(tx, poll.id)
        return await drafting.announce_poll(
            tx, poll.id, write=write, confirm_preset=confirm, confirm_roll=on_roll
        )


# ---- the play -----------------------------------------------------------------------------------


@dataclass
class Mind:
    """What people choose. In one play all but the first are for it, in the other the first alone;
    the answers to the other questions differ in all that a ballot can hold, lengths included."""

    other: bool

    def motion(self, index: int = 1) -> str:
        return "for" if (index == 0) == self.other else "against"

    def swapped(self, index: int = 1) -> str:
        return "against" if self.motion(index) == "for" else "for"

    def pick(self, one: list[str], other: list[str]) -> list[str]:
        return other if self.other else one


def answers(*choices: str | list[str]) -> dict[str, Any]:
    given = [[one] if isinstance(one, str) else one for one in choices]
    return {"answers": [{"item": n, "choices": one} for n, one in enumerate(given, 1)]}


@dataclass
class Play:
    script: Script
    mind: Mind
    ask: Ask
    leaves: dict[str, str] = field(default_factory=dict)
    """By poll: the receipt of its first ballot."""

    def person(self, id: UUID, once: str | None = None) -> dict[str, str]:
        token = self.script.world.tokens.issue(id, uuid4(), uuid4())
        return {"authorization": f"Bearer {token}"} | ({"idempotency-key": once} if once else {})

    def staff(self, name: str, role: Role, once: str | None = None) -> dict[str, str]:
        return self.script.world.headers(name, role, key=once)

    async def put(
        self, what: str, path: str, headers: dict[str, str], json: Any = None, expect: int = 200
    ) -> Any:
        answer = await self.ask(what, "put", path, headers=headers, json=json)
        assert answer.status_code == expect, (what, path, answer.text)
        return answer.json() if answer.content else None

    async def cast(self, name: str, index: int, body: Any, **more: Any) -> None:
        staged = self.script.polls[name]
        headers = self.person(staged.voters[index], once(name, index))
        receipt = await self.put("cast_ballot", f"{staged.home}/ballot", headers, body, **more)
        self.leaves.setdefault(name, receipt.get("receipt", ""))

    # ---- the first morning: everybody votes

    async def everybody_votes(self) -> None:
        await self.owners_vote()
        for index in range(10):
            await self.cast("sealed", index, answers(self.mind.motion(index)))
        await self.assisted("sealed", 10)
        pick = self.mind.pick
        for index in range(7):
            where = pick(["on_the_north_side"], ["b"])
            what = pick(["none"], ["b", "on_the_north_side"])
            await self.cast("choice", index, answers(where, what, self.mind.motion(index)))
        for index in range(4):
            await self.cast("fund", index, answers(*self.projects()))
        fund = self.script.polls["fund"]
        votes = [{"number": fund.number(n), **answers(*self.projects())} for n in (4, 5, 6)]
        body = {"channel": "show_of_hands", "votes": votes}
        teller = self.staff("teller1", Role.TELLER)
        await self.put("record_meeting_votes", f"{fund.home}/meeting-votes", teller, body)
        for index in range(4):
            chosen = pick(["on_the_north_side", "b"], ["c"] if index else ["none"])
            await self.cast("election", index, answers(chosen))

    def projects(self) -> list[str]:
        return self.mind.pick(["for", "against", "for"], ["against", "for", "abstain"])

    async def assisted(self, name: str, index: int) -> None:
        staged = self.script.polls[name]
        body = answers(self.mind.motion(index)) | {
            "consent_note": "本人口述",
            "helper_id": str(self.script.world.id("resident6")),
        }
        worker = self.staff("grid_worker", Role.GRID_WORKER, once(name, index))
        path = f"{staged.home}/roll/{staged.number(index)}/ballot"
        await self.put("record_ballot", path, worker, body)

    async def owners_vote(self) -> None:
        """By phone, with help, on paper at the counter and at the door, and by proxy."""
        lift, motion = self.script.polls["lift"], self.mind.motion
        for index in range(3):
            await self.cast("lift", index, answers(motion(index)))
        await self.assisted("lift", 3)
        clerk = self.staff("clerk", Role.CLERK)
        await self.put("print_paper_forms", f"{lift.home}/paper-blocks/1", clerk, {"last": 6})
        for form in range(1, 6):
            body: dict[str, Any] = {"number": lift.number(3 + form), "signature_sha256": SHA}
            if form == 2:
                body["second_staff_id"] = str(self.script.world.id("grid_worker"))
            if form == 5:  # who has voted by phone comes for a form as well
                body["number"] = lift.number(0)
            path = f"{lift.home}/paper-forms/{form}/issue"
            await self.put("issue_paper_form", path, clerk, body)
        for form in (1, 2):
            await self.enter(form, "teller1", motion(3 + form), SCAN)
            await self.enter(form, "teller2", motion(3 + form), OTHER)
        await self.enter(3, "teller1", motion(6), SCAN)  # one of the two misreads it
        await self.enter(3, "teller2", self.mind.swapped(6), OTHER)
        await self.enter(3, "clerk", motion(6), SCAN, OTHER)
        await self.enter(4, "teller1", motion(7), SCAN)  # and waits for its second reader
        home = f"{lift.home}/roll/{lift.number(8)}/mandate"
        mandate = {
            "holder_id": str(self.script.world.id("tenant")),
            "relation": "child",
            "document_sha256": SHA,
            "instruction": answers(motion(8))["answers"],
            "valid_until": self.script.a_week.isoformat(),
        }
        await self.put("register_mandate", home, clerk, mandate, expect=204)
        holder = self.person(self.script.world.id("tenant"))
        wrong = answers(self.mind.swapped(8))
        await self.put("cast_as_proxy", f"{home}/ballot", holder, wrong, expect=422)
        await self.put("cast_as_proxy", f"{home}/ballot", holder, answers(motion(8)))

    async def enter(self, form: int, who: str, choice: str, *scans: str) -> None:
        role = Role.CLERK if who == "clerk" else Role.TELLER
        path = f"{self.script.polls['lift'].home}/paper-forms/{form}/entry"
        body = answers(choice) | {"scans": list(scans)}
        await self.put("enter_paper_form", path, self.staff(who, role), body)

    # ---- after the board has its batch

    async def paper_of_who_voted_by_phone(self) -> None:
        """Of two ballots of one voter the preset lets the electronic one stand."""
        for who in ("teller1", "teller2"):
            await self.enter(5, who, self.mind.swapped(0), SCAN)

    async def refused(self) -> None:
        """What people try that is not allowed, with ballots of all kinds."""
        world, mind = self.script.world, self.mind
        for name in ("lift", "sealed"):
            staged = self.script.polls[name]
            path = f"{staged.home}/ballot"
            again = self.person(staged.voters[0], once(name, 99))
            for body in (answers(mind.swapped(0)), answers("abstain")):
                await self.put("cast_ballot", path, again, body, expect=409)
            waits = self.person(staged.voters[11], once(name, 98))
            for body in (
                answers("c" if mind.other else "on_the_north_side"),
                answers(mind.motion(), mind.motion()),
                {"answers": [{"item": 2, "choices": [mind.motion()]}]},
                answers([mind.motion(), mind.swapped()]),
                answers(mind.motion()) | {"choice": mind.motion()},
            ):
                await self.put("cast_ballot", path, waits, body, expect=422)
            stranger = self.person(world.id("visitor"), once(name, 97))
            await self.put("cast_ballot", path, stranger, answers(mind.motion()), expect=403)
            as_clerk = self.staff("clerk", Role.CLERK, once(name, 96))
            await self.put("cast_ballot", path, as_clerk, answers(mind.motion()), expect=403)
            worker = self.staff("grid_worker", Role.GRID_WORKER, once(name, 95))
            helped = answers(mind.swapped(1)) | {
                "consent_note": "本人口述",
                "helper_id": str(world.id("resident6")),
            }
            entered = f"{staged.home}/roll/{staged.number(1)}/ballot"
            await self.put("record_ballot", entered, worker, helped, expect=409)
            digest = {"result_digest": "0" * 64}
            teller = self.staff("teller1", Role.TELLER)
            await self.put("sign_count", f"{staged.home}/signature", teller, digest, expect=409)
            supervisor = self.staff("supervisor", Role.SUPERVISOR)
            recount = f"{staged.home}/recount"
            await self.put("order_recount", recount, supervisor, expect=409)
            opening = f"{staged.home}/box-opening"
            expect = 409 if name == "sealed" else 422
            await self.put("confirm_box_opening", opening, teller, expect=expect)

    async def late(self, *names: str) -> None:
        """At the closing instant, before the system has closed anything."""
        for name in names:
            staged = self.script.polls[name]
            who = self.person(staged.voters[-1], once(name, 94))
            body = {"choice": ("b", "b", self.mind.motion()), "election": ("b",)}
            given = body.get(name, (self.mind.motion(),))
            if name == "fund":
                given = tuple(self.projects())
            await self.put("cast_ballot", f"{staged.home}/ballot", who, answers(*given), expect=409)


def once(name: str, index: int) -> str:
    return f"a-secret-of-{name}-for-{index:03d}-0123456789"
