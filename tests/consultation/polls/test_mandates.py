"""Mandates: written, checked, capped, bound to their instruction, and over when the voter votes."""

from datetime import date, timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from consultation.community.tables import Person, RoleAssignment
from consultation.journal import JournalEntry
from consultation.permissions import Actor, Role
from consultation.polls import mandates as rules_of
from consultation.polls import rules
from consultation.polls.commands import mandates
from consultation.polls.envelope_box import SealedReceipt
from consultation.polls.envelope_tables import OpenedBallot
from consultation.polls.envelopes import BallotSecretNeeded
from consultation.polls.mandate_queries import mandates_held
from consultation.polls.mandate_tables import Mandate
from consultation.polls.mandates import HolderNotAllowed, MandateRelation, MandateState
from consultation.polls.objections import CorrectionKind, RollObjectionKind
from consultation.polls.paper import SecondStaffNeeded
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotChannel, BallotMode, Electorate, Proxies, Revote
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.tables import Ballot, Poll
from consultation.refusals import NotFound, NotPermitted
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_objections import confirm, correction, file, goes_to, propose
from tests.consultation.polls.test_runoffs import election, village
from tests.world import LONG_AGO, World

CLERK, GRID = ("clerk", Role.CLERK), ("grid_worker", Role.GRID_WORKER)
PAPER = "d" * 64
FIRST, SECOND = "first-key-of-the-phone", "second-key-of-the-phone"


async def register(
    stage: Stage,
    poll: Poll,
    number: int,
    holder: UUID,
    *,
    instruction: str | None = "for",
    who: tuple[str, Role] = CLERK,
    **more: Any,
) -> None:
    content: dict[str, Any] = {
        "holder_id": holder,
        "holder_phone": None,
        "relation": MandateRelation.SPOUSE,
        "document_sha256": PAPER,
        "instruction": None if instruction is None else [(1, [instruction])],
        "valid_until": poll.closes_at,
    }
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        await mandates.register_mandate(tx, poll.id, number, **(content | more))


async def vote(
    stage: Stage,
    poll: Poll,
    number: int,
    actor: Actor,
    choice: str = "for",
    once: str | None = None,
) -> Ballot:
    async with stage.db.begin(actor) as tx:
        ballot = await mandates.cast_as_proxy(tx, poll.id, number, [(1, [choice])], once=once)
    assert isinstance(ballot, Ballot)
    return ballot


async def withdraw(stage: Stage, poll: Poll, number: int, actor: Actor, **more: Any) -> None:
    async with stage.db.begin(actor) as tx:
        content = {"document_sha256": None} | more
        await mandates.withdraw_mandate(tx, poll.id, number, **content)


async def seen(stage: Stage, poll: Poll, actor: Actor) -> list[tuple[int, MandateState | None]]:
    async with stage.db.read(actor) as tx:
        found = await mandates.read_mandates(tx, poll.id, after=(0, 0), limit=50)
        return [(row.number, row.state) for _, row in found]


async def test_the_holder_votes_as_the_principal_wrote(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    (holder,) = await stage.people(1, poll.community_id)
    await register(stage, poll, 1, holder, instruction="against")
    await register(stage, poll, 1, holder, instruction="against")
    with pytest.raises(rules_of.InstructionBinds):
        await vote(stage, poll, 1, Actor(person_id=holder), "for")
    ballot = await vote(stage, poll, 1, Actor(person_id=holder), "against")
    assert await vote(stage, poll, 1, Actor(person_id=holder), "against") == ballot

    assert (ballot.channel, ballot.choices) == (BallotChannel.PROXY, {"1": ["against"]})
    assert ballot.entered_by_id == holder
    with pytest.raises(rules.NotOnRoll):  # the mandate gives no place of one's own
        await stage.cast(poll.id, holder, "for")
    for stranger in (owners[2], stage.world.id("resident1")):
        with pytest.raises(NotFound):
            await vote(stage, poll, 1, Actor(person_id=stranger), "against")
        assert await seen(stage, poll, Actor(person_id=stranger)) == []
    for reader in (Actor(person_id=holder), Actor(person_id=owners[0]), stage.clerk):
        assert await seen(stage, poll, reader) == [(1, MandateState.USED)]


async def test_a_holders_request_that_comes_late_undoes_no_later_vote(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.rewrite_rule(
        poll.id,
        revote=Revote.LAST_VALID_BEFORE_CLOSE,
        proxies=Proxies(max_principals=3, instructions_binding=False),
    )
    (holder,) = await stage.people(1, poll.community_id)
    agent = Actor(person_id=holder)
    for number in (1, 2):
        await register(stage, poll, number, holder, instruction=None)
    first = await vote(stage, poll, 1, agent, "for", FIRST)
    stage.clock.now += timedelta(minutes=1)
    second = await vote(stage, poll, 1, agent, "against", SECOND)
    stage.clock.now += timedelta(minutes=1)
    assert await vote(stage, poll, 1, agent, "for", FIRST) == first  # delivered once more, too late
    assert await vote(stage, poll, 1, agent, "against", SECOND) == second
    with pytest.raises(rules.BallotKeyReused):
        await vote(stage, poll, 1, agent, "abstain", FIRST)
    other = await vote(stage, poll, 2, agent, "for", FIRST)  # a key is of one place
    assert other.receipt != first.receipt
    third = await vote(stage, poll, 1, agent, "for", "third-key-of-the-phone")  # a change of mind
    assert [one.cast_no for one in (first, second, third)] == [1, 2, 3]
    async with stage.db.read() as tx:
        told = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == "user.ballot_recorded")
        )
        assert len(list(told)) == 4  # not once more for what came again

    await stage.cast(poll.id, owners[0], "abstain")
    assert await vote(stage, poll, 1, agent, "for", FIRST) == first  # the mandate is over
    for key in (None, "fourth-key-of-the-phone"):
        with pytest.raises(rules_of.MandateOver):
            await vote(stage, poll, 1, agent, "for", key)
    stage.clock.now = poll.closes_at
    assert await vote(stage, poll, 1, agent, "for", FIRST) == first
    assert await vote(stage, poll, 1, agent, "for") == third
    for choice, key in (("abstain", None), ("abstain", FIRST)):  # what the principal chose
        with pytest.raises(rules.PollClosed):
            await vote(stage, poll, 1, agent, choice, key)
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.items[0].votes_for.heads == 1
    assert await vote(stage, poll, 2, agent, "for", FIRST) == other


async def test_the_principals_own_vote_revokes_the_mandate_before_and_after(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    one, two = await stage.people(2, poll.community_id)
    await register(stage, poll, 1, one)
    await register(stage, poll, 2, two)
    await vote(stage, poll, 1, Actor(person_id=one), "for")
    await stage.cast(poll.id, owners[0], "against")  # after the holder
    await stage.cast(poll.id, owners[1], "against")  # before the holder
    with pytest.raises(rules_of.MandateOver):
        await vote(stage, poll, 2, Actor(person_id=two), "for")

    assert await seen(stage, poll, stage.clerk) == [
        (1, MandateState.REVOKED),
        (2, MandateState.REVOKED),
    ]
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.items[0].votes_against.heads == 2
    async with stage.db.read() as tx:
        report = await reconciliation_of(tx, closed)
    assert (report.proxies.registered, report.proxies.revoked, report.proxies.used) == (2, 2, 0)
    lines = {line.channel: line for line in report.channels}
    assert lines[BallotChannel.PROXY].replaced == 1
    assert report.reconciles


async def test_a_mandate_is_taken_back_until_it_is_used(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    holder, other = await stage.people(2, poll.community_id)
    await register(stage, poll, 1, holder)
    with pytest.raises(rules_of.MandateExists):
        await register(stage, poll, 1, other)
    with pytest.raises(NotFound):
        await withdraw(stage, poll, 1, Actor(person_id=holder))
    with pytest.raises(rules_of.WithdrawalInWriting):
        await withdraw(stage, poll, 1, stage.clerk)
    await withdraw(stage, poll, 1, Actor(person_id=owners[0]))
    await withdraw(stage, poll, 1, Actor(person_id=owners[0]))
    with pytest.raises(rules_of.MandateOver):
        await vote(stage, poll, 1, Actor(person_id=holder))
    await register(stage, poll, 1, other)
    await vote(stage, poll, 1, Actor(person_id=other))
    with pytest.raises(rules_of.MandateUsed):
        await withdraw(stage, poll, 1, stage.clerk, document_sha256=PAPER)
    assert await seen(stage, poll, stage.clerk) == [
        (1, MandateState.REVOKED),
        (1, MandateState.USED),
    ]


async def test_a_holder_speaks_for_three_and_hands_nothing_on(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    holder, other = await stage.people(2, poll.community_id)
    for number in (1, 2, 3):
        await register(stage, poll, number, holder)
    with pytest.raises(rules_of.TooManyMandates):
        await register(stage, poll, 4, holder)
    await withdraw(stage, poll, 3, Actor(person_id=owners[2]))
    await register(stage, poll, 4, holder)

    await register(stage, poll, 5, owners[5])  # an owner holds one …
    for number, who in ((6, other), (7, owners[0])):  # … and gives none; who gave one holds none
        with pytest.raises(HolderNotAllowed) as refused:
            await register(stage, poll, number, who)
        assert refused.value.facts == {"problem": "sub_delegation"}


async def test_who_cannot_hold_a_mandate(stage: Stage, world: World) -> None:
    poll, owners = await stage.lift_poll()
    minor, boss = await stage.people(2, poll.community_id)
    async with stage.db.begin() as tx:
        row = await tx.session.get(Person, minor)
        assert row is not None
        row.born_on = date(2010, 1, 1)
        tx.session.add(row)
        tx.session.add(
            RoleAssignment(
                id=uuid4(),
                community_id=poll.community_id,
                person_id=boss,
                role=Role.PROPERTY_COMPANY,
                org_id=world.orgs["property_company"].id,
                node_id=world.nodes["estate"].id,
                node_path=world.nodes["estate"].path,
                valid_from=LONG_AGO,
                basis="test",
            )
        )
    for who, problem in (
        (owners[0], "is_principal"),
        (minor, "minor"),
        (boss, "property_company"),
        (world.id("company"), "property_company"),
    ):
        with pytest.raises(HolderNotAllowed) as refused:
            await register(stage, poll, 1, who)
        assert refused.value.facts == {"problem": problem}
    with pytest.raises(rules_of.InstructionNeeded):
        await register(stage, poll, 1, world.id("resident1"), instruction=None)
    with pytest.raises(NotFound):
        await register(stage, poll, 1, world.id("resident1"), holder_id=uuid4())
    for who in (("secretary", Role.PARTY_SECRETARY), ("company", Role.PROPERTY_COMPANY)):
        with pytest.raises(NotPermitted):
            await register(stage, poll, 1, world.id("resident1"), who=who)


async def test_staff_vote_for_a_holder_who_came_and_are_not_who_registered_it(
    stage: Stage, world: World
) -> None:
    poll, _ = await stage.lift_poll()
    await register(
        stage, poll, 1, world.id("tenant"), holder_id=None, holder_phone=phone_of(world, "tenant")
    )
    with pytest.raises(SecondStaffNeeded):
        await vote(stage, poll, 1, stage.clerk)
    ballot = await vote(stage, poll, 1, world.as_(*GRID))
    assert (ballot.channel, ballot.entered_by_id) == (BallotChannel.PROXY, world.id("grid_worker"))


def phone_of(world: World, name: str) -> str:
    return f"1990000{list(world.people).index(name):04d}"


async def test_a_mandate_ends_with_its_time_and_with_the_poll(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    (holder,) = await stage.people(1, poll.community_id)
    until = stage.clock.now + timedelta(days=1)
    await register(stage, poll, 1, holder, valid_until=until)
    stage.clock.now = until
    with pytest.raises(rules_of.MandateOver):
        await vote(stage, poll, 1, Actor(person_id=holder))
    assert await seen(stage, poll, stage.clerk) == [(1, MandateState.EXPIRED)]
    stage.clock.now = poll.closes_at
    with pytest.raises(rules.PollClosed):
        await vote(stage, poll, 1, Actor(person_id=holder))


async def place_went_to_another(stage: Stage) -> tuple[Poll, UUID, UUID, UUID]:
    """An announced poll in which place 1 went to another by an objection after its voter gave a
    mandate: its seller, its buyer and the holder."""
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)
    holder, buyer = await stage.people(2, poll.community_id)
    await register(stage, poll, 1, holder)
    await goes_to(stage, poll, owners[0], 1, buyer)
    return await stage.load(poll.id), owners[0], buyer, holder


async def test_a_place_that_went_to_another_voter_takes_no_old_mandate(stage: Stage) -> None:
    poll, _, _, holder = await place_went_to_another(stage)
    stage.clock.now = poll.opens_at
    await stage.work()
    with pytest.raises(rules_of.MandateOver):
        await vote(stage, poll, 1, Actor(person_id=holder))


async def test_a_mandate_is_over_with_the_place_of_its_principal(stage: Stage) -> None:
    poll, seller, buyer, holder = await place_went_to_another(stage)
    for reader in (Actor(person_id=buyer), Actor(person_id=seller), stage.clerk):
        assert await seen(stage, poll, reader) == []  # nobody is named as the principal of it
    with pytest.raises(NotFound):
        await withdraw(stage, poll, 1, Actor(person_id=buyer))

    await register(stage, poll, 2, buyer)  # who gave no mandate holds one
    async with stage.db.read() as tx:
        assert await mandates_held(tx, poll, holder) == 0
    await withdraw(stage, poll, 2, stage.clerk, document_sha256=PAPER)
    await register(stage, poll, 1, holder)  # an equal paper is the buyer's, and a new mandate
    async with stage.db.read() as tx:
        given = list(await tx.session.exec(select(Mandate).where(Mandate.number == 1)))
        assert await mandates_held(tx, poll, holder) == 1
    assert sorted((one.mandate_no, one.principal_id) for one in given) == [(1, seller), (2, buyer)]
    assert await seen(stage, poll, Actor(person_id=buyer)) == [
        (1, MandateState.REGISTERED),
        (2, MandateState.REVOKED),  # held, and taken back
    ]

    stage.clock.now = poll.opens_at
    await stage.work()
    assert (await vote(stage, poll, 1, Actor(person_id=holder))).channel is BallotChannel.PROXY
    closed = await stage.closed(poll.id)
    async with stage.db.read() as tx:
        report = await reconciliation_of(tx, closed)
    assert (report.proxies.registered, report.proxies.used, report.proxies.revoked) == (2, 1, 1)
    assert report.reconciles


@pytest.mark.parametrize("meanwhile", ["another", "nobody"])
async def test_a_place_that_comes_back_to_its_voter_revives_no_mandate(
    stage: Stage, meanwhile: str
) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)
    holder, buyer = await stage.people(2, poll.community_id)
    await register(stage, poll, 1, holder)
    await register(stage, poll, 2, holder)
    if meanwhile == "another":
        await goes_to(stage, poll, owners[0], 1, buyer)
        await register(stage, poll, 1, holder)  # the buyer's own
        await goes_to(stage, poll, buyer, 1, owners[0])
    else:
        for by, person in ((owners[2], None), (owners[0], owners[0])):
            objection = await file(stage, poll.id, by, 1, RollObjectionKind.WRONG_VOTER, "不是")
            fix = correction(CorrectionKind.SET_VOTER, number=1, person_id=person)
            await propose(stage, objection, correction=fix)
            await confirm(stage, objection)
    poll = await stage.load(poll.id)
    assert poll.roll_version == 3

    assert await seen(stage, poll, Actor(person_id=owners[0])) == [(1, MandateState.REVOKED)]
    assert await seen(stage, poll, Actor(person_id=owners[1])) == [(2, MandateState.REGISTERED)]
    async with stage.db.read() as tx:
        assert await mandates_held(tx, poll, holder) == 1  # the one whose voter kept the place
        changes = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == "user.mandate_changed")
        )
        revoked = sorted(
            entry.stream for entry in changes if entry.data["state"] == MandateState.REVOKED
        )
    losers = [owners[0], buyer] if meanwhile == "another" else [owners[0]]
    assert revoked == sorted(f"user:{person}" for person in losers)

    stage.clock.now = poll.opens_at
    await stage.work()
    with pytest.raises(rules_of.MandateOver):
        await vote(stage, poll, 1, Actor(person_id=holder))
    await register(stage, poll, 1, holder)  # an equal paper again is a new mandate
    assert (await vote(stage, poll, 1, Actor(person_id=holder))).channel is BallotChannel.PROXY
    closed = await stage.closed(poll.id)
    async with stage.db.read() as tx:
        report = await reconciliation_of(tx, closed)
    assert (report.proxies.registered, report.proxies.used, report.proxies.revoked) == (3, 1, 1)
    assert report.reconciles


async def test_mandates_that_are_over_do_not_fill_a_holders_hands(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    (holder,) = await stage.people(1, poll.community_id)
    for number in (1, 2):
        await register(stage, poll, number, holder)
    until = stage.clock.now + timedelta(hours=1)
    await register(stage, poll, 3, holder, valid_until=until)
    await vote(stage, poll, 1, Actor(person_id=holder))  # used: it counts
    await stage.cast(poll.id, owners[1], "for")  # revoked by the principal's own vote
    await register(stage, poll, 4, holder)
    with pytest.raises(rules_of.TooManyMandates):
        await register(stage, poll, 5, holder)
    stage.clock.now = until  # the third ran out
    await register(stage, poll, 5, holder)
    with pytest.raises(rules_of.TooManyMandates):
        await register(stage, poll, 6, holder)


def test_nobody_votes_for_another_in_a_meeting_or_among_the_chosen() -> None:
    lift = next(one for key, one in presets().items() if key.startswith("lift_scope_owners"))
    with_proxies = lift.model_copy(
        update={
            "proxies": Proxies(max_principals=3),
            "channels": [BallotChannel.ELECTRONIC, BallotChannel.PROXY],
        }
    )
    rules_of.check_allowed(with_proxies, BallotMode.NAMED)
    for change in (
        {"held_in_meeting": True},
        {"proxies": Proxies()},
        {"channels": [BallotChannel.ELECTRONIC]},
        *({"electorate": electorate} for electorate in rules_of.NO_PROXIES),
    ):
        with pytest.raises(rules_of.ProxiesNotAllowed):
            rules_of.check_allowed(with_proxies.model_copy(update=change), BallotMode.NAMED)
    assert {Electorate.RESIDENTS_REPRESENTATIVES, Electorate.OWNERS_COMMITTEE} < rules_of.NO_PROXIES


def test_where_relatives_alone_may_others_may_not() -> None:
    lift = next(iter(presets().values())).model_copy(
        update={"proxies": Proxies(max_principals=3, relatives_only=True)}
    )
    fine: dict[str, Any] = {
        "is_principal": False,
        "is_candidate": False,
        "property_staff": False,
        "of_age": True,
        "on_roll": False,
        "gave_away": False,
        "principal_holds": False,
        "held": 0,
    }
    close = {*MandateRelation} - {MandateRelation.OTHER}
    assert {one.value for one in close} == {  # 民法典 1045
        "spouse",
        "parent",
        "child",
        "sibling",
        "grandparent",
        "grandchild",
    }
    for relation in close:
        rules_of.check_holder(lift, relation=relation, **fine)
    with pytest.raises(HolderNotAllowed):
        rules_of.check_holder(lift, relation=MandateRelation.OTHER, **fine)


async def test_in_a_village_the_holder_has_a_vote_there(stage: Stage) -> None:
    """村民委员会组织法 art. 15: 本村有选举权的近亲属."""
    place, people = await village(stage, 9)
    topic = await stage.topic("village_election", place)
    poll = await stage.announced("village_election", topic, place, items=[election("ab", 1)])
    (outsider,) = await stage.people(1, place.id)  # verified there, and lives elsewhere
    places = sorted((await stage.roll(poll.id)).values(), key=lambda one: one.number)
    form: dict[str, Any] = {"instruction": None, "relation": MandateRelation.GRANDCHILD}
    with pytest.raises(HolderNotAllowed) as refused:
        await register(stage, poll, 1, outsider, **form)
    assert refused.value.facts == {"problem": "no_vote_here"}
    holder = next(one for one in people if one not in {places[0].person_id, places[1].person_id})
    number = next(one.number for one in places if one.person_id == holder)
    for principal in (1, 2):
        await register(stage, poll, principal, holder, **form)

    objection = await file(stage, poll.id, people[0], number, RollObjectionKind.DOES_NOT_BELONG)
    gone = correction(CorrectionKind.REMOVE_PLACE, number=number)
    stage.clock.now += timedelta(hours=1)
    await propose(stage, objection, correction=gone)
    await confirm(stage, objection)
    stage.clock.now = poll.opens_at
    await stage.work()
    with pytest.raises(HolderNotAllowed):  # who lost the vote votes for nobody
        await seal(stage, poll, 1, Actor(person_id=holder), "a", token_urlsafe(24))


# ---- in a confidential poll ----------------------------------------------------------------------

CHANNELS = [BallotChannel.ELECTRONIC, BallotChannel.PAPER, BallotChannel.PROXY]
FREE = {"channels": CHANNELS, "proxies": Proxies(max_principals=3, instructions_binding=False)}
BOUND = {"channels": CHANNELS, "proxies": Proxies(max_principals=3)}


async def seal(
    stage: Stage, poll: Poll, number: int, actor: Actor, choice: str, once: str | None
) -> SealedReceipt:
    async with stage.db.begin(actor) as tx:
        receipt = await mandates.cast_as_proxy(tx, poll.id, number, [(1, [choice])], once=once)
    assert isinstance(receipt, SealedReceipt)
    return receipt


async def test_the_preset_says_whether_there_are_proxies_in_a_confidential_poll(
    stage: Stage,
) -> None:
    (holder,) = await stage.people(1, stage.world.community.id)
    bound, _ = await stage.household_poll(2, rule=BOUND)
    with pytest.raises(rules_of.ProxiesNotAllowed):  # an instruction would be a vote with a name
        await register(stage, bound, 1, holder)
    poll, _ = await stage.household_poll(2, name="别苑", rule=FREE)
    with pytest.raises(rules_of.InstructionReveals):
        await register(stage, poll, 1, holder)
    await register(stage, poll, 1, holder, instruction=None)
    taking = [
        one
        for one in presets().values()
        if one.modes == [BallotMode.CONFIDENTIAL] and BallotChannel.PROXY in one.channels
    ]
    assert len(taking) == 4  # elections: the law gives them to relatives, and no instruction
    for one in taking:
        rules_of.check_allowed(one, BallotMode.CONFIDENTIAL)


async def test_a_holder_seals_the_principals_ballot_and_the_principals_own_replaces_it(
    stage: Stage,
) -> None:
    poll, _ = await stage.household_poll(5, rule=FREE)
    voter = {place.number: place.person_id for place in (await stage.roll(poll.id)).values()}
    holder, stranger = await stage.people(2, poll.community_id)
    agent, once = Actor(person_id=holder), token_urlsafe(24)
    for number in (1, 2, 3):
        await register(stage, poll, number, holder, instruction=None)
    with pytest.raises(BallotSecretNeeded):
        await seal(stage, poll, 1, agent, "for", None)
    first = await seal(stage, poll, 1, agent, "for", once)
    assert await seal(stage, poll, 1, agent, "for", once) == first
    other = await seal(stage, poll, 2, agent, "for", once)
    assert other.tracker != first.tracker
    with pytest.raises(rules.AlreadyVoted):
        await seal(stage, poll, 1, agent, "against", token_urlsafe(24))
    with pytest.raises(NotFound):
        await seal(stage, poll, 3, Actor(person_id=stranger), "for", once)
    with pytest.raises(rules.WrongChannel):  # the holder alone knows what the holder chose
        await seal(stage, poll, 3, stage.world.as_(*GRID), "for", once)
    assert voter[1] is not None
    assert voter[3] is not None
    own = await stage.cast_sealed(poll.id, voter[1], "against")  # after the holder
    await stage.cast_sealed(poll.id, voter[3], "against")  # before the holder
    for number in (1, 3):
        with pytest.raises(rules_of.MandateOver):
            await seal(stage, poll, number, agent, "for", token_urlsafe(24))
    with pytest.raises(rules_of.MandateUsed):
        await withdraw(stage, poll, 2, stage.clerk, document_sha256=PAPER)
    async with stage.db.read() as tx:
        told = await tx.session.exec(
            select(JournalEntry.stream).where(JournalEntry.type == "user.ballot_recorded")
        )
        assert sorted(told) == sorted(f"user:{voter[number]}" for number in (1, 2))

    states = [(1, MandateState.REVOKED), (2, MandateState.USED), (3, MandateState.REVOKED)]
    assert await seen(stage, poll, stage.clerk) == states
    opened = await stage.open_box(poll.id)
    assert opened.result is not None
    motion = opened.result.items[0]
    assert (motion.votes_for.heads, motion.votes_against.heads) == (1, 2)
    assert await seen(stage, opened, stage.clerk) == states
    async with stage.db.read() as tx:
        report = await reconciliation_of(tx, opened)
        listed = set(
            await tx.session.exec(
                select(OpenedBallot.tracker).where(OpenedBallot.poll_id == poll.id)
            )
        )
    assert {other.tracker, own.tracker} < listed
    assert first.tracker not in listed
    assert (report.proxies.registered, report.proxies.revoked, report.proxies.used) == (3, 2, 1)
    assert report.reconciles


async def test_a_holder_whose_answer_was_lost_gets_the_sealed_receipt_until_the_box_is_opened(
    stage: Stage,
) -> None:
    poll, _ = await stage.household_poll(3, rule=FREE)
    (holder,) = await stage.people(1, poll.community_id)
    agent, once = Actor(person_id=holder), token_urlsafe(24)
    await register(stage, poll, 1, holder, instruction=None)
    first = await seal(stage, poll, 1, agent, "for", once)
    await stage.closed(poll.id)
    assert await seal(stage, poll, 1, agent, "for", once) == first
    for choice, secret in (("against", once), ("for", token_urlsafe(24))):
        with pytest.raises(rules.PollClosed):
            await seal(stage, poll, 1, agent, choice, secret)
