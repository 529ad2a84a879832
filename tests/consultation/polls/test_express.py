"""Many own ballots in one transaction: the same rule as one by itself, and nobody pays for the
mistake of another."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from api.phrases import write
from consultation.batching import Busy
from consultation.community.tables import NodeKind, OrgKind
from consultation.database import Database, statements, system_clock
from consultation.permissions import Actor, Deed, Role
from consultation.polls import leaves, rules
from consultation.polls.box import Cast, put_in
from consultation.polls.commands import casting, drafting
from consultation.polls.commands.express import Express
from consultation.polls.counting import Count
from consultation.polls.express.judging import Admitted, OwnCast, PollText, Receipt, Seen
from consultation.polls.express.ledgers import LEDGERS, Case
from consultation.polls.express.postgres import PostgresBox
from consultation.polls.presets import BallotChannel, BallotMode, Duplicates, Revote
from consultation.polls.queries import Hold, access_poll, places_numbered, turnout
from consultation.polls.rules import PollState, check_ballot, check_open
from consultation.polls.tables import Ballot, Poll
from consultation.refusals import NotFound, NotPermitted, Refusal
from tests.conftest import BOARD_KEY
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.world import World

FOR, AGAINST = ((1, ("for",)),), ((1, ("against",)),)


@pytest.fixture
async def express(stage: Stage) -> AsyncGenerator[Express]:
    return Express(stage.db)


async def ballots(stage: Stage, poll_id: UUID) -> list[Ballot]:
    async with stage.db.read() as tx:
        found = await tx.session.exec(select(Ballot).where(Ballot.poll_id == poll_id))
        return sorted(found, key=lambda one: (one.roll_entry_id, one.cast_no))


async def counted(stage: Stage, poll_id: UUID) -> Count:
    async with stage.db.read() as tx:
        return await turnout(tx, poll_id)


async def outcomes(express: Express, casts: Sequence[OwnCast]) -> list[str]:
    """A receipt, or the code of the refusal, for each, all handed in at once."""

    async def one(cast: OwnCast) -> str:
        try:
            return (await express.cast(cast)).receipt
        except Refusal as refusal:
            return refusal.code

    return list(await asyncio.gather(*map(one, casts)))


async def two_polls(stage: Stage) -> tuple[list[Poll], list[UUID]]:
    """Two polls alike, announced, and the owners who are on the roll of both."""
    entrance, owners = await stage.lift()
    polls = []
    for _ in range(2):
        topic = await stage.topic("lift_scope_owners", entrance)
        polls.append(await stage.announced("lift_scope_owners", topic, entrance))
    return polls, owners


async def change_preset(stage: Stage, poll: Poll, **change: Any) -> None:
    await stage.rewrite_rule(poll.id, **change)


async def test_a_batch_takes_its_ballots_in_one_transaction_and_reads_like_any_other(
    stage: Stage, express: Express
) -> None:
    poll, owners = await stage.lift_poll()
    casts = [OwnCast(poll.id, owner, FOR if n % 3 else AGAINST) for n, owner in enumerate(owners)]

    receipts = await outcomes(express, casts)

    rows = await ballots(stage, poll.id)
    assert sorted(receipts) == sorted(row.receipt for row in rows)
    assert len(set(receipts)) == 12
    assert {(row.channel, row.cast_no, row.set_aside, row.cast_at) for row in rows} == {
        (BallotChannel.ELECTRONIC, 1, False, stage.clock.now)
    }
    assert await counted(stage, poll.id) == Count(heads=12, area_dm2=85530)
    # each of them is found again by the road for one
    for cast, receipt in zip(casts, receipts, strict=True):
        assert await stage.cast(poll.id, cast.person_id, cast.answers[0][1][0]) == receipt
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.participating.heads == 12


async def test_statements_of_a_batch_do_not_grow_with_it(stage: Stage, express: Express) -> None:
    poll, owners = await stage.lift_poll()

    async def cost(people: list[UUID]) -> int:
        counter = [0]
        token = statements.set(counter)
        await express._free[0].put_in([OwnCast(poll.id, person, FOR) for person in people])
        statements.reset(token)
        return counter[0]

    await cost(owners[:1])  # reads the text of the poll, once a process
    one, many = await cost(owners[1:2]), await cost(owners[2:])
    assert one == many <= 2


async def test_one_bad_ballot_loses_none_of_the_others(stage: Stage, express: Express) -> None:
    poll, owners = await stage.lift_poll()
    bad = [
        OwnCast(poll.id, owners[9], ((1, ("maybe",)),)),
        OwnCast(poll.id, owners[10], ((2, ("for",)),)),
        OwnCast(poll.id, uuid4(), FOR),
        OwnCast(poll.id, stage.world.id("resident1"), FOR),
        OwnCast(uuid4(), owners[11], FOR),
    ]
    good = [OwnCast(poll.id, owner, FOR) for owner in owners[:9]]
    casts = good + bad
    random.Random(7).shuffle(casts)

    found = dict(zip(casts, await outcomes(express, casts), strict=True))

    assert [found[cast] for cast in bad] == [
        "ballot-invalid",
        "ballot-invalid",
        "not-permitted",
        "not-on-roll",
        "not-found",
    ]
    assert {found[cast] for cast in good} == {row.receipt for row in await ballots(stage, poll.id)}
    assert len(good) == len(await ballots(stage, poll.id))


async def test_a_ballot_that_the_database_cannot_store_loses_none_of_the_others(
    stage: Stage, express: Express
) -> None:
    """The rules let it through, the database does not: the batch is done again one by one."""
    (poll, other), owners = await two_polls(stage)
    for one in (poll, other):
        stage.clock.now = one.opens_at
        await stage.work()
    async with stage.db.begin() as tx:
        connection = await tx.session.connection()
        if stage.db.is_sqlite:
            id = str(other.id.hex)
            await connection.exec_driver_sql(
                "CREATE TRIGGER broken BEFORE INSERT ON ballot FOR EACH ROW "
                f"WHEN NEW.poll_id = '{id}' BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        else:
            await connection.exec_driver_sql(
                f"ALTER TABLE ballot ADD CONSTRAINT broken CHECK (poll_id <> '{other.id}')"
            )
    casts = [OwnCast(poll.id, owner, FOR) for owner in owners]

    async def broken() -> None:
        with pytest.raises(Exception, match="broken"):
            await express.cast(OwnCast(other.id, owners[0], FOR))

    found, _ = await asyncio.gather(outcomes(express, casts), broken())

    assert set(found) == {row.receipt for row in await ballots(stage, poll.id)}
    assert await ballots(stage, other.id) == []
    assert (await counted(stage, poll.id)).heads == 12
    assert (await counted(stage, other.id)).heads == 0


async def test_two_casts_of_one_voter_in_one_batch_are_one_accepted_and_one_already_voted(
    stage: Stage, express: Express
) -> None:
    poll, owners = await stage.lift_poll()

    found = await outcomes(
        express,
        [OwnCast(poll.id, owners[0], answer) for answer in (FOR, AGAINST, FOR, FOR, AGAINST)],
    )

    (row,) = await ballots(stage, poll.id)
    assert row.choices == {"1": ["for"]}
    assert found == [row.receipt, "already-voted", row.receipt, row.receipt, "already-voted"]
    assert (await counted(stage, poll.id)).heads == 1


async def test_two_processes_leave_one_ballot_of_each_voter(stage: Stage) -> None:
    estate, people = await stage.households(40)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)
    both = Express(stage.db), Express(stage.db)

    found = await asyncio.gather(
        *(
            outcomes(one, [OwnCast(poll.id, person, answer) for person in people])
            for one, answer in zip(both, (FOR, AGAINST), strict=True)
        )
    )

    rows = await ballots(stage, poll.id)
    assert len(rows) == 40
    answers = Counter(code for codes in found for code in codes)
    assert answers.pop("already-voted") == 40
    assert answers == Counter(row.receipt for row in rows)
    assert (await counted(stage, poll.id)).heads == 40


async def test_a_re_vote_counts_last_where_the_preset_lets_it(
    stage: Stage, express: Express
) -> None:
    poll, owners = await stage.lift_poll()
    await change_preset(stage, poll, revote=Revote.LAST_VALID_BEFORE_CLOSE)
    first = await express.cast(OwnCast(poll.id, owners[0], FOR))
    second = await express.cast(OwnCast(poll.id, owners[0], AGAINST))
    third = await express.cast(OwnCast(poll.id, owners[0], FOR))

    assert await express.cast(OwnCast(poll.id, owners[0], FOR)) == third
    assert len({first.receipt, second.receipt, third.receipt}) == 3
    assert [(row.cast_no, row.choices) for row in await ballots(stage, poll.id)] == [
        (1, {"1": ["for"]}),
        (2, {"1": ["against"]}),
        (3, {"1": ["for"]}),
    ]
    assert (await counted(stage, poll.id)).heads == 1
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.participating.heads == 1


@pytest.mark.parametrize("road", ["together", "alone"])
async def test_a_request_that_comes_late_does_not_undo_a_later_vote(
    stage: Stage, express: Express, road: str
) -> None:
    poll, owners = await stage.lift_poll()
    await change_preset(stage, poll, revote=Revote.LAST_VALID_BEFORE_CLOSE)

    async def cast(answers: Any, key: str | None) -> str:
        if road == "together":
            return (await express.cast(OwnCast(poll.id, owners[0], answers, key))).receipt
        async with stage.db.begin(Actor(person_id=owners[0])) as tx:
            return (await casting.cast_ballot(tx, poll.id, answers, once=key)).receipt

    first = await cast(FOR, "first-key-of-the-phone")
    second = await cast(AGAINST, "second-key-of-the-phone")
    assert await cast(FOR, "first-key-of-the-phone") == first  # delivered once more, too late
    assert await cast(AGAINST, "second-key-of-the-phone") == second
    assert [row.choices for row in await ballots(stage, poll.id)] == [
        {"1": ["for"]},
        {"1": ["against"]},
    ]
    with pytest.raises(rules.BallotKeyReused):
        await cast(((1, ("abstain",)),), "first-key-of-the-phone")
    other = OwnCast(poll.id, owners[1], FOR, "first-key-of-the-phone")
    await express.cast(other)  # keys are the voter's own
    salts = {row.salt for row in await ballots(stage, poll.id)}
    assert len(salts) == 3
    third = await cast(FOR, "third-key-of-the-phone")  # a change of mind
    assert third not in (first, second)
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.items[0].votes_for.heads == 2
    assert await cast(FOR, "first-key-of-the-phone") == first


@pytest.mark.parametrize(("microseconds", "taken"), [(-1, True), (0, False), (1, False)])
async def test_the_closing_instant_is_already_too_late(
    stage: Stage, express: Express, microseconds: int, taken: bool
) -> None:
    poll, owners = await stage.lift_poll()
    before = await express.cast(OwnCast(poll.id, owners[1], FOR))
    stage.clock.now = poll.closes_at + timedelta(microseconds=microseconds)

    (found,) = await outcomes(express, [OwnCast(poll.id, owners[0], FOR)])

    assert (found != "poll-closed") == taken
    assert len(await ballots(stage, poll.id)) == 1 + taken
    # whose answer was lost gets it later too, and a different ballot is late
    assert (await express.cast(OwnCast(poll.id, owners[1], FOR))).receipt == before.receipt
    late = await outcomes(express, [OwnCast(poll.id, owners[1], AGAINST)])
    assert late == ["already-voted" if taken else "poll-closed"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("by_the_clock", [True, False])
async def test_a_poll_that_closes_after_the_look_takes_no_more_of_the_batch(
    stage: Stage, express: Express, monkeypatch: pytest.MonkeyPatch, by_the_clock: bool
) -> None:
    """Its ballots are judged anew, and the others of the batch go in."""
    (poll, other), owners = await two_polls(stage)
    stage.clock.now = poll.opens_at
    await stage.work()
    look = PostgresBox.look

    async def look_and_close(self: PostgresBox, casts: Sequence[OwnCast]) -> Any:
        seen = await look(self, casts)
        async with stage.db.begin() as tx:
            row = await tx.session.get(Poll, poll.id)
            assert row is not None
            if by_the_clock:
                row.closes_at = stage.clock.now
            else:
                row.state = PollState.CLOSED
        return seen

    monkeypatch.setattr(PostgresBox, "look", look_and_close)
    found = await outcomes(
        express, [OwnCast(poll.id, owners[0], FOR), OwnCast(other.id, owners[1], FOR)]
    )

    assert found[0] == "poll-closed"
    assert await ballots(stage, poll.id) == []
    assert [row.receipt for row in await ballots(stage, other.id)] == found[1:]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("ahead", [-3600, 3600])
async def test_the_clock_of_the_database_decides_and_not_that_of_the_process(
    stage: Stage, ahead: int
) -> None:
    """The process is an hour off; the poll closes when it closes by the database's clock. On SQLite
    the two are one."""
    poll, owners = await stage.lift_poll()
    db = Database(stage.db.url, vault=stage.db.vault, board_key=BOARD_KEY)
    db.clock = lambda: system_clock() + timedelta(seconds=ahead)
    closes_at = system_clock() + timedelta(seconds=4)
    async with stage.db.begin() as tx:
        row = await tx.session.get(Poll, poll.id)
        assert row is not None
        row.closes_at = closes_at
    express = Express(db)

    async def by_itself(person: UUID) -> Ballot:
        async with db.begin(Actor(person_id=person)) as tx:
            return await casting.cast_ballot(tx, poll.id, FOR)

    in_time = [await express.cast(OwnCast(poll.id, owners[0], FOR)), await by_itself(owners[1])]
    assert all(one.cast_at < closes_at for one in in_time)
    await asyncio.sleep((closes_at - system_clock()).total_seconds() + 0.01)
    with pytest.raises(rules.PollClosed):
        await express.cast(OwnCast(poll.id, owners[2], FOR))
    with pytest.raises(rules.PollClosed):
        await by_itself(owners[3])
    await db.dispose()


async def test_who_waits_too_long_is_told_so_and_nothing_is_lost(stage: Stage) -> None:
    estate, people = await stage.households(30)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)
    small = Express(stage.db, most=4, bound=10)

    found = await outcomes(small, [OwnCast(poll.id, person, FOR) for person in people])

    assert found.count(Busy.code) == 20
    assert set(found) - {Busy.code} == {row.receipt for row in await ballots(stage, poll.id)}
    again = await outcomes(small, [OwnCast(poll.id, person, FOR) for person in people[-10:]])
    assert Busy.code not in again
    assert len(await ballots(stage, poll.id)) == 20


async def test_an_owner_whom_nobody_verified_votes_on_neither_road(
    stage: Stage, express: Express
) -> None:
    """Only an office says who somebody is; a name in the property register does not."""
    entrance = await stage.place(NodeKind.ENTRANCE, "6单元", stage.world.nodes["building"])
    (verified,) = await stage.people(1, stage.world.community.id)
    (unverified,) = await stage.people(1, stage.world.community.id, verified=False)
    await stage.homes(stage.world.nodes["estate"], entrance, [6835] * 2, [verified, unverified])
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.opened("lift_scope_owners", topic, entrance)

    with pytest.raises(NotPermitted):
        await stage.cast(poll.id, unverified, "for")
    codes = await outcomes(express, [OwnCast(poll.id, unverified, FOR)])
    assert codes == [NotPermitted.code]
    await outcomes(express, [OwnCast(poll.id, verified, FOR)])
    assert len(await ballots(stage, poll.id)) == 1


async def test_only_members_present_vote_in_a_meeting(stage: Stage, express: Express) -> None:
    members = await stage.assembly(stage.world.community, 6, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", stage.world.community)
    meeting = await stage.meeting(topic, members[:4])
    poll = await stage.opened(
        "urban_reps_2026", topic, stage.world.community, meeting_id=meeting.id
    )

    found = await outcomes(express, [OwnCast(poll.id, member, FOR) for member in members])

    assert found[4:] == ["not-at-meeting"] * 2
    assert set(found[:4]) == {row.receipt for row in await ballots(stage, poll.id)}


async def test_a_poll_that_is_not_public_yet_is_not_there(stage: Stage, express: Express) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    draft = await stage.drafted("lift_scope_owners", topic, entrance)
    with pytest.raises(NotFound):
        await express.cast(OwnCast(draft.id, owners[0], FOR))
    async with stage.db.begin(stage.secretary) as tx:
        await drafting.announce_poll(tx, draft.id, write=write)
    with pytest.raises(rules.PollNotOpen):
        await express.cast(OwnCast(draft.id, owners[0], FOR))


# ---- one rule on two roads ------------------------------------------------------------------


async def entered(
    stage: Stage, poll_id: UUID, number: int, choice: str, channel: BallotChannel
) -> None:
    """Staff enter a ballot; a paper one as it comes in when two people agree on its form."""
    async with stage.db.begin(stage.world.as_("teller1", Role.TELLER)) as tx:
        if channel is BallotChannel.PAPER:
            poll, _ = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.POLL_SHARED)
            check_open(poll.state, poll.closes_at, tx.now)
            choices = check_ballot(poll.items, [(1, [choice])])
            (place,) = await places_numbered(tx, poll, [number])
            await put_in(tx, poll, [Cast(place=place, choices=choices, channel=channel)])
            return
        await casting.record_ballot(
            tx,
            poll_id,
            number,
            [(1, [choice])],
            channel=channel,
            consent_note="本人要求",
            helper_id=stage.world.id("grid_worker"),
        )


@pytest.mark.parametrize(
    ("seed", "change"),
    [
        (1, {}),
        (2, {"revote": Revote.LAST_VALID_BEFORE_CLOSE}),
        (3, {"duplicates": Duplicates.PAPER_PREVAILS}),
        (4, {"revote": Revote.LAST_VALID_BEFORE_CLOSE, "duplicates": Duplicates.PAPER_PREVAILS}),
    ],
)
async def test_both_roads_are_one_rule(
    stage: Stage, world: World, express: Express, seed: int, change: dict[str, Any]
) -> None:
    """Two polls alike; the same random story, in which people vote, vote again, vote on paper, come
    too early or too late or have no right to: by one road in the one and by the other in the other.
    Every answer and every row is the same."""
    draw = random.Random(seed)
    polls, owners = await two_polls(stage)
    if change:
        stage.clock.now = polls[0].opens_at
        await stage.work()
        for poll in polls:
            await change_preset(stage, poll, **change)
    numbers = {place.person_id: place.number for place in (await stage.roll(polls[0].id)).values()}
    people = [*owners, world.id("resident1"), world.id("visitor"), world.id("neighbour"), uuid4()]
    receipts: tuple[dict[str, str], dict[str, str]] = ({}, {})

    async def alone(person: UUID, answers: Any, key: str | None) -> Receipt:
        async with stage.db.begin(Actor(person_id=person)) as tx:
            ballot = await casting.cast_ballot(tx, polls[0].id, answers, once=key)
            return Receipt(ballot.poll_id, ballot.receipt, ballot.cast_at)

    async def together(person: UUID, answers: Any, key: str | None) -> Receipt:
        cast = await express.cast(OwnCast(polls[1].id, person, answers, key))
        return replace(cast, poll_id=polls[0].id)

    async def tried(which: int, work: Any) -> tuple[Any, ...]:
        try:
            receipt = await work
        except Refusal as refusal:
            return (refusal.code, refusal.facts)
        if receipt is None:
            return ("entered",)
        # the first receipt of a poll is called 0, the second 1, and so on, as it salts its own
        name = receipts[which].setdefault(receipt.receipt, str(len(receipts[which])))
        return (name, receipt.cast_at)

    last = polls[0].closes_at
    moments = sorted(draw.uniform(0 if change else -0.02, 1.02) for _ in range(140))
    for at in moments:
        stage.clock.now = polls[0].opens_at + at * (last - polls[0].opens_at)
        await stage.work()
        person = draw.choice(people)
        choice = draw.choice(["for", "against", "against", "maybe"])
        if draw.random() < 0.15 and person in numbers:
            channel = draw.choice([BallotChannel.PAPER, BallotChannel.ASSISTED])
            one, other = [
                await tried(n, entered(stage, poll.id, numbers[person], choice, channel))
                for n, poll in enumerate(polls)
            ]
        else:
            answers = ((draw.choice([1, 1, 1, 1, 2]), (choice,)),)
            key = draw.choice([None, None, "k1", "k2", "k3"])
            one = await tried(0, alone(person, answers, key))
            other = await tried(1, together(person, answers, key))
        assert one == other, (at, person, choice)

    ledgers = []
    for poll in polls:
        roll = await stage.roll(poll.id)
        ledgers.append(
            sorted(
                (
                    roll[row.roll_entry_id].number,
                    row.cast_no,
                    str(row.choices),
                    row.channel,
                    row.set_aside,
                    row.cast_at,
                )
                for row in await ballots(stage, poll.id)
            )
        )
    assert ledgers[0] == ledgers[1]
    assert len(ledgers[0]) >= 10
    assert await counted(stage, polls[0].id) == await counted(stage, polls[1].id)
    results = [(await stage.load(poll.id)).result for poll in polls]
    assert results[0] is not None
    assert results[0] == results[1]


@given(
    number=st.integers(1, 10**6),
    cast_no=st.integers(1, 9),
    choices=st.dictionaries(
        st.integers(1, 50).map(str),
        st.lists(st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    ),
    random=st.binary(min_size=16, max_size=16),
)
def test_a_row_of_a_batch_has_the_leaf_of_the_board(
    number: int, cast_no: int, choices: dict[str, list[str]], random: bytes
) -> None:
    poll_id, now = uuid4(), system_clock()
    text = PollText([], preset("household_poll"), BallotMode.NAMED, None)
    written = leaves.canonical(choices).decode()
    seen = Seen(PollState.OPEN, now, True, poll_id, None, None, poll_id, number, 0, False)
    case = Case(0, OwnCast(poll_id, poll_id, ()), text, seen, Admitted(choices, written))
    row, receipt = LEDGERS[BallotMode.NAMED].row(case, cast_no, now, random)

    leaf = leaves.ballot_leaf(
        poll_id=poll_id,
        place=number,
        cast_no=cast_no,
        channel=BallotChannel.ELECTRONIC,
        choices=choices,
        salt=random,
    )
    assert receipt.receipt == leaves.leaf_hash(leaf).hex()
    names = [name for name, _ in LEDGERS[BallotMode.NAMED].columns]
    stored = dict(zip(names, row, strict=True))
    assert json.loads(stored["choices"]) == choices
    assert (stored["salt"], stored["leaf_hash"]) == (random, leaves.leaf_hash(leaf))
