"""Drafting by one person, announcing by another, with everything frozen."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from api.phrases import write
from consultation.community.tables import NodeKind, OrgKind, Ownership, Person
from consultation.database import statements
from consultation.events.polls import PollAnnounced
from consultation.permissions import Actor, Role
from consultation.polls import rules, terms
from consultation.polls.commands import drafting
from consultation.polls.counting import Count
from consultation.polls.items import PollItemsInvalid
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotMode, QuestionKind, RulePreset
from consultation.polls.queries import turnout
from consultation.polls.rolls import roll_digest
from consultation.polls.rules import Option, PollItem, PollState, text_hash
from consultation.polls.tables import PollTurnout, RollEntry
from consultation.refusals import NotFound, NotPermitted, Refusal
from consultation.topics.states import Layer, State
from consultation.topics.tables import Document
from tests.consultation.polls.stage import Stage
from tests.world import World


async def announce(stage: Stage, poll_id: Any, actor: Actor) -> None:
    async with stage.db.begin(actor) as tx:
        await drafting.announce_poll(tx, poll_id, write=write)


async def test_a_draft_is_replaced_until_it_is_announced_by_a_second_person(stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)

    first = await stage.drafted("lift_scope_owners", topic, entrance)
    second = await stage.drafted("lift_scope_owners", topic, entrance, question="改为北侧加装")
    assert second.id == first.id
    assert second.question == "改为北侧加装"

    with pytest.raises(terms.SecondPersonNeeded):
        await announce(stage, first.id, stage.clerk)
    await announce(stage, first.id, stage.secretary)
    await announce(stage, first.id, stage.secretary)  # the same again changes nothing
    with pytest.raises(terms.PollExists):
        await announce(stage, first.id, stage.world.as_("owners_chair", Role.OWNERS_COMMITTEE))
    with pytest.raises(terms.PollExists):
        await stage.drafted("lift_scope_owners", topic, entrance)


async def test_announcing_freezes_text_roll_and_times_and_tells(stage: Stage) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    draft = await stage.drafted("lift_scope_owners", topic, entrance)
    async with stage.db.begin(stage.secretary) as tx:
        poll = await drafting.announce_poll(tx, draft.id, write=write)
        events = [event for event in tx.events if isinstance(event, PollAnnounced)]

    assert poll.state is PollState.ANNOUNCED
    assert poll.text_hash == text_hash(poll)
    assert (poll.eligible_heads, poll.eligible_area_dm2) == (12, 85530)
    assert [event.text_hash for event in events] == [poll.text_hash]
    roll = await stage.roll(poll.id)
    assert {place.person_id for place in roll.values()} == set(owners)
    assert {place.label for place in roll.values()} == {"3幢 王*"}
    assert poll.roll_digest == roll_digest(list(roll.values()))
    async with stage.db.read() as tx:
        notice = await tx.session.get(Document, poll.notice_id)
        shards = (await tx.session.exec(select(PollTurnout.shard))).all()
        assert await turnout(tx, poll.id) == Count()
    assert notice is not None
    assert notice.public
    assert "应参与表决的业主12人,专有部分面积855.30平方米" in notice.body
    assert sorted(shards) == list(range(16))


async def test_the_roll_does_not_follow_the_register_after_the_announcement(stage: Stage) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.opened("lift_scope_owners", topic, entrance)
    (buyer,) = await stage.people(1, stage.world.community.id)
    async with stage.db.begin() as tx:  # 101 is sold after the snapshot
        sold = (
            await tx.session.exec(select(Ownership).where(Ownership.person_id == owners[0]))
        ).one()
        unit_id, community_id = sold.unit_id, sold.community_id
        await tx.session.delete(sold)
        tx.session.add(Ownership(unit_id=unit_id, person_id=buyer, community_id=community_id))

    with pytest.raises(rules.NotOnRoll):
        await stage.cast(poll.id, buyer, "for")
    await stage.vote(poll.id, owners, "f" * 12)
    poll = await stage.published(poll.id)

    roll = await stage.roll(poll.id)
    assert roll_digest(list(roll.values())) == poll.roll_digest
    assert poll.result is not None
    assert poll.result.eligible == Count(heads=12, area_dm2=85530)


async def test_the_database_refuses_to_change_a_roll(stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)

    for deed in ("UPDATE roll_entry SET area_dm2 = 0", "DELETE FROM roll_entry"):
        with pytest.raises(Exception, match="roll_entry is append-only"):
            async with stage.db.begin() as tx:
                await (await tx.session.connection()).exec_driver_sql(deed)
    assert len(await stage.roll(poll.id)) == 12


WRONG: list[tuple[dict[str, Any], type[Refusal]]] = [
    ({"preset": "civil278_special@1999-01-01"}, terms.UnknownPreset),
    ({"preset": "civil278_special@2021-01-01"}, terms.PresetNotPlanned),
    ({"preset": "household_poll@2026-01-01"}, terms.PollLayerMismatch),
    ({"items": []}, PollItemsInvalid),
    ({"budget_fen": 100}, PollItemsInvalid),
    ({"meeting_id": uuid4()}, terms.PollMeetingInvalid),
    ({"scope_node_id": uuid4()}, NotFound),
]


async def test_a_draft_that_breaks_a_rule_is_refused(stage: Stage, world: World) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.drafted("lift_scope_owners", topic, entrance)

    for change, refusal in [
        *WRONG,
        ({"closes_at": poll.opens_at + timedelta(days=4)}, terms.PollWindowInvalid),
        ({"scope_node_id": world.nodes["entrance"].id}, terms.PollScopeInvalid),
        ({"scope_node_id": world.nodes["estate"].id}, terms.PollScopeInvalid),
        ({"scope_node_id": world.nodes["other"].id}, NotFound),
        ({"scope_node_id": world.nodes["subdistrict"].id}, NotFound),
    ]:
        with pytest.raises(refusal):
            await stage.drafted("lift_scope_owners", topic, entrance, **change)


async def test_an_announcement_before_its_notice_can_run_is_refused(stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.drafted("lift_scope_owners", topic, entrance)
    stage.clock.advance(days=1)

    with pytest.raises(terms.PollWindowInvalid):
        await announce(stage, poll.id, stage.secretary)


@pytest.mark.parametrize(
    ("state", "may_draft", "may_announce"),
    [
        (State.ACCEPTED, False, False),
        (State.PREPARING, True, False),
        (State.ANNOUNCED, True, True),
        (State.DELIBERATING, True, True),
        (State.VOTING, False, False),
        (State.OUTCOME_PUBLIC, False, False),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_polls_are_drafted_and_announced_between_preparing_and_voting(
    stage: Stage, state: State, may_draft: bool, may_announce: bool
) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance, state=state)

    if not may_draft:
        with pytest.raises(terms.PollTooEarly):
            await stage.drafted("lift_scope_owners", topic, entrance)
        return
    poll = await stage.drafted("lift_scope_owners", topic, entrance)
    if may_announce:
        await announce(stage, poll.id, stage.secretary)
    else:
        with pytest.raises(terms.PollTooEarly):
            await announce(stage, poll.id, stage.secretary)


async def test_nobody_can_announce_a_poll_that_nobody_could_vote_in(stage: Stage) -> None:
    estate = stage.world.nodes["estate"]
    empty = await stage.place(NodeKind.ENTRANCE, "9单元", stage.world.nodes["building"])
    await stage.homes(estate, empty, [5000], [None])
    topic = await stage.topic("lift_scope_owners", empty)
    poll = await stage.drafted("lift_scope_owners", topic, empty)

    with pytest.raises(terms.EmptyRoll):
        await announce(stage, poll.id, stage.secretary)


async def test_a_draft_is_seen_only_by_those_who_draft(stage: Stage, world: World) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.drafted("lift_scope_owners", topic, entrance)

    for actor in (
        Actor(person_id=owners[0]),
        world.as_("teller1", Role.TELLER),
        world.as_("supervisor", Role.SUPERVISOR),
    ):
        with pytest.raises(NotFound):
            await announce(stage, poll.id, actor)
    draft = stage.draft("lift_scope_owners", entrance)
    with pytest.raises(NotPermitted):
        async with stage.db.begin(Actor(person_id=owners[0])) as tx:
            await drafting.draft_poll(tx, topic.id, draft)


async def test_an_owners_committee_drafts_owners_polls_only(stage: Stage, world: World) -> None:
    chair = world.as_("owners_chair", Role.OWNERS_COMMITTEE)
    estate = world.nodes["estate"]
    for name, allowed in (("civil278_general", True), ("household_poll", False)):
        topic = await stage.topic(name, estate)
        if allowed:
            async with stage.db.begin(chair) as tx:
                await drafting.draft_poll(tx, topic.id, stage.draft(name, estate))
            continue
        with pytest.raises(NotPermitted):
            async with stage.db.begin(chair) as tx:
                await drafting.draft_poll(tx, topic.id, stage.draft(name, estate))


async def test_839_owners_are_put_on_the_roll_in_a_constant_number_of_statements(
    stage: Stage, world: World
) -> None:
    estate = await stage.place(NodeKind.ESTATE, "荷塘月色", world.community)
    block = await stage.place(NodeKind.BUILDING, "1幢", estate)
    people = await stage.people(839, world.community.id)
    areas = [8965300 // 888 + (index < 8965300 % 888) for index in range(888)]
    # 49 owners have a second home; somebody has three
    owners = [*people, *people[:48], people[0]]
    await stage.homes(estate, block, areas, owners)
    topic = await stage.topic("civil278_general", estate)
    draft = await stage.drafted("civil278_general", topic, estate)

    counter = [0]
    token = statements.set(counter)
    try:
        await announce(stage, draft.id, stage.secretary)
    finally:
        statements.reset(token)

    poll = await stage.load(draft.id)
    assert (poll.eligible_heads, poll.eligible_area_dm2) == (839, 8965300)
    assert counter[0] <= 30
    async with stage.db.read() as tx:
        rows = await tx.session.exec(
            select(RollEntry).where(RollEntry.poll_id == poll.id, RollEntry.person_id == people[0])
        )
        place = rows.one()
    assert len(place.units) == 3
    assert place.area_dm2 == sum(unit.area_dm2 for unit in place.units)


async def test_households_without_an_adult_representative_count_and_cannot_vote(
    stage: Stage,
) -> None:
    estate, people = await stage.households(4)
    async with stage.db.begin() as tx:
        young = (await tx.session.exec(select(Person).where(col(Person.id).in_(people[:2])))).all()
        # eighteen on the last day of voting, and a day too young
        poll_draft = stage.draft("household_poll", estate)
        last = (poll_draft.closes_at - timedelta(seconds=1) + timedelta(hours=8)).date()
        young[0].born_on = date(last.year - 18, last.month, last.day)
        young[1].born_on = date(last.year - 18, last.month, last.day) + timedelta(days=1)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)

    roll = await stage.roll(poll.id)
    voters = {place.person_id for place in roll.values()} - {None}
    assert len(roll) == 4
    assert voters == set(people) - {young[1].id}
    assert {place.label for place in roll.values()} == {"梧桐新村 王*", "梧桐新村 —"}
    with pytest.raises(rules.NotOnRoll):
        await stage.cast(poll.id, young[1].id, "for")


async def test_an_opinion_poll_has_every_verified_resident_on_its_roll(
    stage: Stage, world: World
) -> None:
    topic = await stage.topic("open_poll", world.community)
    poll = await stage.opened("open_poll", topic, world.community)

    voters = {place.person_id for place in (await stage.roll(poll.id)).values()}
    residents = {world.id(f"resident{n}") for n in range(1, 7)} | {world.id("tenant")}
    assert voters == residents
    assert poll.preset.layer is Layer.CONSULTATION
    await stage.cast(poll.id, world.id("tenant"), "for")
    with pytest.raises(NotPermitted):
        await stage.cast(poll.id, world.id("neighbour"), "for")


async def test_one_entrance_does_not_agree_for_its_building(stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("civil279_unanimous", stage.world.nodes["building"])
    with pytest.raises(terms.PollScopeInvalid):
        await stage.drafted("civil279_unanimous", topic, entrance)
    await stage.drafted("civil279_unanimous", topic, stage.world.nodes["building"])


# ---- the mode that nobody chose -----------------------------------------------------------------

GRADES = PollItem(
    number=1,
    text="评议",
    kind=QuestionKind.RATING,
    options=[Option(code="good", text="满意"), Option(code="bad", text="不满意")],
)
MOTION = PollItem(number=2, text="议案")


@pytest.mark.parametrize("one", presets().values(), ids=lambda one: one.id)
def test_grades_are_given_in_confidence_wherever_the_rule_can(one: RulePreset) -> None:
    mode = terms.default_mode(one, [GRADES])
    can = BallotMode.CONFIDENTIAL in one.modes
    assert mode is (BallotMode.CONFIDENTIAL if can else BallotMode.NAMED)
    if QuestionKind.MOTION in one.questions:
        assert terms.default_mode(one, [GRADES, MOTION]) is one.modes[0]


async def test_an_assembly_that_only_grades_does_so_in_confidence(stage: Stage) -> None:
    members = await stage.assembly(stage.world.community, 20, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", stage.world.community)
    meeting = await stage.meeting(topic, members)
    for items, mode in (
        ([GRADES], BallotMode.CONFIDENTIAL),
        ([GRADES, MOTION], BallotMode.NAMED),
        ([MOTION.model_copy(update={"number": 1})], BallotMode.NAMED),
    ):
        poll = await stage.drafted(
            "urban_reps_2026", topic, stage.world.community, items=items, meeting_id=meeting.id
        )
        assert poll.mode is mode
    asked = await stage.drafted(
        "urban_reps_2026",
        topic,
        stage.world.community,
        items=[GRADES],
        meeting_id=meeting.id,
        mode=BallotMode.NAMED,
    )
    assert asked.mode is BallotMode.NAMED


async def test_a_draft_without_a_close_takes_the_default_window(stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.drafted("lift_scope_owners", topic, entrance, closes_at=None)
    assert poll.closes_at - poll.opens_at == timedelta(days=7)
    members = await stage.assembly(stage.world.community, 20, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", stage.world.community)
    meeting = await stage.meeting(topic, members)
    with pytest.raises(terms.PollWindowInvalid):  # a meeting has no default
        await stage.drafted(
            "urban_reps_2026", topic, stage.world.community, meeting_id=meeting.id, closes_at=None
        )
