"""Ballots: one per voter, by the database; acknowledged if and only if counted."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from consultation.permissions import Actor, Role
from consultation.polls import rules
from consultation.polls.assistance_tables import BallotAssistance
from consultation.polls.commands import casting
from consultation.polls.counting import Count
from consultation.polls.envelope_box import SealedReceipt
from consultation.polls.paper import SecondStaffNeeded
from consultation.polls.presets import Revote
from consultation.polls.queries import turnout
from consultation.polls.rules import BallotChannel, PollState
from consultation.polls.tables import Ballot
from consultation.refusals import NotFound, NotPermitted, Refusal
from consultation.topics.tables import InterestDeclaration
from tests.consultation.polls.stage import Stage
from tests.world import World


async def ballots(stage: Stage, poll_id: UUID) -> list[Ballot]:
    async with stage.db.read() as tx:
        return list(await tx.session.exec(select(Ballot).where(Ballot.poll_id == poll_id)))


async def counted(stage: Stage, poll_id: UUID) -> Count:
    async with stage.db.read() as tx:
        return await turnout(tx, poll_id)


async def test_a_retry_gets_the_receipt_and_a_different_ballot_is_refused(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    receipt = await stage.cast(poll.id, owners[0], "against")

    assert await stage.cast(poll.id, owners[0], "against") == receipt
    with pytest.raises(rules.AlreadyVoted):
        await stage.cast(poll.id, owners[0], "for")
    assert [ballot.choices for ballot in await ballots(stage, poll.id)] == [{"1": ["against"]}]
    assert await counted(stage, poll.id) == Count(heads=1, area_dm2=6835)

    stage.clock.now = poll.closes_at
    assert await stage.cast(poll.id, owners[0], "against") == receipt  # its answer was lost
    with pytest.raises(rules.PollClosed):
        await stage.cast(poll.id, owners[0], "for")
    with pytest.raises(rules.PollClosed):
        await stage.cast(poll.id, owners[1], "for")


async def test_the_database_itself_refuses_the_second_ballot(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.cast(poll.id, owners[0], "against")
    (first,) = await ballots(stage, poll.id)

    with pytest.raises(IntegrityError):
        async with stage.db.begin() as tx:
            tx.session.add(Ballot(**(first.model_dump() | {"choices": {"1": ["for"]}})))
    for deed in ("UPDATE ballot SET choices = '{}'", "DELETE FROM ballot"):
        with pytest.raises(IntegrityError, match="ballot is append-only"):
            async with stage.db.begin() as tx:
                await (await tx.session.connection()).exec_driver_sql(deed)


async def test_only_people_on_the_roll_vote_and_only_as_themselves(
    stage: Stage, world: World
) -> None:
    poll, _ = await stage.lift_poll()

    with pytest.raises(rules.NotOnRoll):
        await stage.cast(poll.id, world.id("resident1"), "for")
    for stranger in ("visitor", "neighbour"):
        with pytest.raises(NotPermitted):
            await stage.cast(poll.id, world.id(stranger), "for")
    for name, role in (("clerk", Role.CLERK), ("teller1", Role.TELLER)):
        with pytest.raises(NotPermitted):
            async with stage.db.begin(world.as_(name, role)) as tx:
                await casting.cast_ballot(tx, poll.id, [(1, ["for"])])


async def test_no_ballot_is_taken_before_the_opening(stage: Stage) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    draft = await stage.drafted("lift_scope_owners", topic, entrance)
    with pytest.raises(NotFound):
        async with stage.db.begin(Actor(person_id=owners[0])) as tx:
            await casting.cast_ballot(tx, draft.id, [(1, ["for"])])

    poll = await stage.announced("lift_scope_owners", topic, entrance)
    with pytest.raises(rules.PollNotOpen):
        await stage.cast(poll.id, owners[0], "for")


async def test_twenty_casts_at_once_of_one_voter_leave_one_ballot(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()

    async def cast(choice: str) -> str:
        try:
            return await stage.cast(poll.id, owners[0], choice)
        except rules.AlreadyVoted:
            return "refused"

    answers = await asyncio.gather(*(cast(("for", "against")[n % 2]) for n in range(20)))

    (ballot,) = await ballots(stage, poll.id)
    assert sorted(answers) == sorted([ballot.receipt] * 10 + ["refused"] * 10)
    assert (await counted(stage, poll.id)).heads == 1


async def test_a_ballot_is_acknowledged_if_and_only_if_it_is_counted(stage: Stage) -> None:
    """Forty households cast at once, and after fifteen receipts the closing instant comes: whoever
    got a receipt is in the count, and nobody else."""
    estate, people = await stage.households(40)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)
    receipts: list[str] = []
    time_is_up = asyncio.Event()

    async def cast(person: UUID) -> None:
        try:
            receipts.append(await stage.cast(poll.id, person, "for"))
        except rules.PollClosed:
            return
        if len(receipts) == 15:
            stage.clock.now = poll.closes_at
            time_is_up.set()

    async def close() -> None:
        await time_is_up.wait()
        await stage.work()

    await asyncio.gather(*map(cast, people), close())
    acknowledged = len(receipts)

    assert 15 <= acknowledged < 40
    poll = await stage.load(poll.id)
    assert poll.state is PollState.CLOSED
    assert poll.result is not None
    assert poll.result.participating.heads == acknowledged
    assert len(await ballots(stage, poll.id)) == acknowledged
    assert (await counted(stage, poll.id)).heads == acknowledged


async def test_the_close_waits_for_a_ballot_under_way(stage: Stage) -> None:
    """A ballot that began before the closing instant and has not committed yet is counted."""
    poll, owners = await stage.lift_poll()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def cast() -> None:
        async with stage.db.begin(Actor(person_id=owners[0])) as tx:
            await casting.cast_ballot(tx, poll.id, [(1, ["for"])])
            begun.set()
            await go_on.wait()

    async def close() -> None:
        await begun.wait()
        stage.clock.now = poll.closes_at
        asyncio.get_running_loop().call_later(0.2, go_on.set)
        await stage.work()

    await asyncio.gather(cast(), close())
    closed = await stage.load(poll.id)
    assert closed.result is not None
    assert closed.result.participating.heads == 1


async def test_turnout_counters_agree_with_the_ballots(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "fao" * 3 + "...")

    progress = await counted(stage, poll.id)
    assert progress == Count(heads=9, area_dm2=63855)
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.participating == progress


async def enter(
    stage: Stage,
    poll_id: UUID,
    number: int,
    name: str,
    role: Role,
    *,
    channel: BallotChannel = BallotChannel.ASSISTED,
    helper: str = "resident6",
    witness: str | None = None,
    choice: str = "for",
) -> Ballot:
    async with stage.db.begin(stage.world.as_(name, role)) as tx:
        return await casting.record_ballot(
            tx,
            poll_id,
            number,
            [(1, [choice])],
            channel=channel,
            consent_note="本人口述,家属在场",
            helper_id=stage.world.id(helper),
            witness_id=None if witness is None else stage.world.id(witness),
        )


async def test_staff_enter_a_ballot_for_a_voter_who_asked(stage: Stage, world: World) -> None:
    poll, owners = await stage.lift_poll()
    numbers = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}

    worker = ("grid_worker", Role.GRID_WORKER)
    await enter(stage, poll.id, numbers[owners[0]], *worker)
    first = await enter(stage, poll.id, numbers[owners[0]], *worker)
    for witness in (None, "grid_worker", "resident5"):  # nobody helps and enters alone
        with pytest.raises(SecondStaffNeeded):
            await enter(
                stage, poll.id, numbers[owners[1]], *worker, helper="grid_worker", witness=witness
            )
    second = await enter(
        stage, poll.id, numbers[owners[1]], *worker, helper="grid_worker", witness="clerk"
    )
    assert first.entered_by_id == world.id("grid_worker")
    assert first.consent_note == "本人口述,家属在场"
    async with stage.db.read() as tx:
        helped = {
            row.roll_entry_id: (row.helper_id, row.witness_id)
            for row in await tx.session.exec(select(BallotAssistance))
        }
    assert helped == {
        first.roll_entry_id: (world.id("resident6"), None),
        second.roll_entry_id: (world.id("grid_worker"), world.id("clerk")),
    }
    with pytest.raises(rules.AlreadyVoted):
        await stage.cast(poll.id, owners[0], "against")
    assert (await counted(stage, poll.id)).heads == 2


@pytest.mark.parametrize("revote", Revote)
async def test_who_did_not_enter_a_ballot_cannot_find_out_what_it_says(
    stage: Stage, revote: Revote
) -> None:
    """By trying one choice after another: before the close the answer is the same to all."""
    poll, _ = await stage.lift_poll()
    await stage.rewrite_rule(poll.id, revote=revote)
    worker, clerk = ("grid_worker", Role.GRID_WORKER), ("clerk", Role.CLERK)
    entered = await enter(stage, poll.id, 1, *worker)
    assert (await enter(stage, poll.id, 1, *worker)).receipt == entered.receipt

    said: list[object] = []
    for choice in ("for", "against", "for", "abstain"):
        try:
            said.append((await enter(stage, poll.id, 1, *clerk, choice=choice)).cast_no)
        except rules.AlreadyVoted as refused:
            said.append(refused.facts)
        await stage.countersign_all(poll.id)
    if revote is Revote.NONE:
        assert said == [{"numbers": ["1"]}] * 4
    else:  # each is a ballot of its own, of which the voter is told
        assert said == [2, 3, 4, 5]


async def test_a_witness_beside_a_helper_is_a_second_member_of_staff(
    stage: Stage, world: World
) -> None:
    entrance = world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.opened("lift_scope_owners", topic, entrance)
    await stage.other_tellers()
    number = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}
    voter = world.id("resident6")

    async def record(witness_id: UUID) -> Ballot | SealedReceipt:
        async with stage.db.begin(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
            return await casting.record_ballot(
                tx,
                poll.id,
                number[voter],
                [(1, ["for"])],
                channel=BallotChannel.ASSISTED,
                consent_note="本人口述",
                helper_id=world.id("resident5"),
                witness_id=witness_id,
            )

    names = ("resident2", "grid_worker", "resident5", "resident6")  # a neighbour; who enters; helps
    for witness in (*map(world.id, names), uuid4()):
        with pytest.raises(SecondStaffNeeded):
            await record(witness)
    await record(world.id("clerk"))


async def test_who_may_not_enter_a_ballot_for_another(stage: Stage, world: World) -> None:
    poll, owners = await stage.lift_poll()
    async with stage.db.begin() as tx:
        tx.session.add(
            InterestDeclaration(
                topic_id=poll.topic_id,
                person_id=world.id("teller2"),
                community_id=poll.community_id,
                has_interest=True,
                note="亲属住在本单元",
                at=tx.now,
            )
        )

    assisted, one = BallotChannel.ASSISTED, ("teller1", Role.TELLER)
    cases: list[tuple[str, Role, int, BallotChannel, str, type[Refusal]]] = [
        ("teller2", Role.TELLER, 1, assisted, "resident6", rules.NotImpartial),
        (*one, 99, assisted, "resident6", rules.NotOnRoll),
        (*one, 1, BallotChannel.ELECTRONIC, "resident6", rules.WrongChannel),
        (*one, 1, BallotChannel.PAPER, "resident6", rules.WrongChannel),
        (*one, 1, BallotChannel.SHOW_OF_HANDS, "resident6", rules.WrongChannel),
        (*one, 1, assisted, "resident1", rules.NotImpartial),  # the author of the topic
        (*one, 1, assisted, "teller2", rules.NotImpartial),
        (*one, 1, assisted, "company", rules.NotImpartial),
        ("company", Role.PROPERTY_COMPANY, 1, assisted, "resident6", NotPermitted),
        ("secretary", Role.PARTY_SECRETARY, 1, assisted, "resident6", NotPermitted),
    ]
    for name, role, number, channel, helper, refusal in cases:
        with pytest.raises(refusal):
            await enter(stage, poll.id, number, name, role, channel=channel, helper=helper)
    with pytest.raises(NotPermitted):
        async with stage.db.begin(Actor(person_id=owners[0])) as tx:
            await casting.record_ballot(
                tx,
                poll.id,
                2,
                [(1, ["for"])],
                channel=BallotChannel.ASSISTED,
                consent_note="x",
                helper_id=world.id("resident6"),
            )
    assert await ballots(stage, poll.id) == []
