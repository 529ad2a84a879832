"""The ledger of notices: append-only, one proof a channel, counted once; and the share that a
preset asks for before its poll opens."""

import asyncio
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlmodel import select

from consultation.community.tables import Household, Residence, ResidenceKind
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls import terms
from consultation.polls.commands import opening, serving
from consultation.polls.notice_queries import served_count, unserved
from consultation.polls.presets import QuestionKind, RulePreset
from consultation.polls.rolls import Place
from consultation.polls.rules import Option, PollItem, PollState, text_hash
from consultation.polls.serving import NoticeChannel, NoticeEvidence, Proof
from consultation.polls.tables import Poll
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.world import World


def proof(poll_id: UUID, person_id: UUID, channel: NoticeChannel, db: Database) -> Proof:
    return Proof(
        poll_id=poll_id,
        person_id=person_id,
        channel=channel,
        at=db.clock(),
        evidence=NoticeEvidence.ACCEPTED,
        reference="message 1",
    )


async def record(db: Database, *proofs: Proof) -> int:
    async with db.begin() as tx:
        return await serving.record_proofs(tx, proofs)


async def count(db: Database, poll_id: UUID) -> int:
    async with db.read() as tx:
        return await served_count(tx, poll_id)


async def test_a_voter_counts_once_however_they_were_told(stage: Stage, db: Database) -> None:
    poll, owners = await stage.lift_poll()
    sms = proof(poll.id, owners[0], NoticeChannel.SMS, db)
    assert await record(db, sms, proof(poll.id, owners[1], NoticeChannel.SMS, db)) == 2
    assert await record(db, sms) == 0
    assert await record(db, proof(poll.id, owners[0], NoticeChannel.WECHAT, db)) == 1

    assert await count(db, poll.id) == 2
    async with db.read() as tx:
        waiting = await unserved(tx, poll, grid_id=None, after=0, limit=50)
    assert len(waiting) == 10


async def test_a_home_leads_to_its_household_and_to_whoever_lives_there(
    stage: Stage, world: World
) -> None:
    poll, _ = await stage.household_poll(3)
    async with stage.db.begin(stage.clerk) as tx:
        (last,) = await serving.read_addresses(tx, poll.id, unit="梧桐新村", after=2, limit=9)
    assert (last.number, [code[-5:] for code in last.codes]) == (3, ["-0002"])

    people = await stage.people(2, world.community.id)
    async with stage.db.begin() as tx:
        home = (await tx.session.exec(select(Household).order_by(Household.code))).first()
        assert home is not None
        for person, at_home in zip(people, (home.id, None), strict=True):
            row = (
                await tx.session.exec(select(Residence).where(Residence.person_id == person))
            ).one()
            row.kind, row.household_id = ResidenceKind.TENANT, at_home
    topic = await stage.topic("urban_election_2026", world.community)
    options = [Option(code=code, text=code) for code in "ab"]
    seat = PollItem(number=1, text="委员", kind=QuestionKind.ELECTION, seats=1, options=options)
    adults = await stage.announced("urban_election_2026", topic, world.community, items=[seat])
    number = {place.person_id: n for n, place in numbered(await stage.roll(adults.id))}
    async with stage.db.begin(stage.clerk) as tx:
        found = await serving.read_addresses(tx, adults.id, unit=home.code, after=0, limit=9)
        everybody = await serving.read_addresses(tx, adults.id, unit="", after=0, limit=99)
    assert number[people[0]] in {one.number for one in found}
    assert number[people[1]] not in {one.number for one in found}
    assert {home.code} <= {code for one in found for code in one.codes}
    assert [one.number for one in everybody] == sorted(number.values())


def numbered(roll: dict[UUID, Place]) -> list[tuple[int, Place]]:
    return [(place.number, place) for place in roll.values()]


async def test_recorders_at_the_same_moment_count_a_voter_once(stage: Stage, db: Database) -> None:
    poll, owners = await stage.lift_poll()
    channels = [NoticeChannel.SMS, NoticeChannel.WECHAT, NoticeChannel.LIVE, NoticeChannel.IN_APP]
    await asyncio.gather(
        *(
            record(db, *(proof(poll.id, owner, channel, db) for owner in owners))
            for channel in channels
        )
    )

    assert await count(db, poll.id) == 12


async def test_somebody_off_the_roll_and_a_poll_that_is_over_prove_nothing(
    stage: Stage, db: Database, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    assert await record(db, proof(poll.id, world.id("tenant"), NoticeChannel.SMS, db)) == 0
    assert await record(db) == 0
    await stage.closed(poll.id)
    assert await record(db, proof(poll.id, owners[0], NoticeChannel.SMS, db)) == 0
    assert await count(db, poll.id) == 0


# ---- the share ----------------------------------------------------------------------------


async def an_announced_poll(stage: Stage, share: str | None) -> tuple[Poll, list[UUID]]:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)
    async with stage.db.begin() as tx:
        row = await tx.session.get(Poll, poll.id)
        assert row is not None
        row.preset = row.preset.model_copy(update={"served_min": share})
        row.text_hash = text_hash(row)
    return await stage.load(poll.id), owners


async def test_a_poll_waits_for_the_share_that_must_be_served_and_opens_when_it_is(
    stage: Stage, db: Database, world: World
) -> None:
    poll, owners = await an_announced_poll(stage, "2/3")
    await record(db, *(proof(poll.id, one, NoticeChannel.SMS, db) for one in owners[:7]))
    stage.clock.now = poll.opens_at
    await stage.work()
    assert (await stage.load(poll.id)).state is PollState.ANNOUNCED
    async with db.begin(world.as_("secretary", Role.PARTY_SECRETARY)) as tx:
        with pytest.raises(terms.PollNotServed) as refused:
            await opening.open_poll(tx, poll.id)
    assert refused.value.facts == {"served": 7, "eligible": 12, "needed": 8}

    await record(db, proof(poll.id, owners[7], NoticeChannel.SMS, db))
    async with db.begin(world.as_("secretary", Role.PARTY_SECRETARY)) as tx:
        opened = await opening.open_poll(tx, poll.id)
    assert opened.state is PollState.OPEN


async def test_a_poll_whose_share_is_served_opens_by_itself_at_its_hour(
    stage: Stage, db: Database
) -> None:
    poll, owners = await an_announced_poll(stage, "1/1")
    await record(db, *(proof(poll.id, one, NoticeChannel.SMS, db) for one in owners))
    stage.clock.now = poll.opens_at
    await stage.work()

    assert (await stage.load(poll.id)).state is PollState.OPEN


@pytest.mark.parametrize(
    ("share", "served", "eligible", "enough"),
    [
        (None, 0, 12, True),
        ("2/3", 8, 12, True),
        ("2/3", 7, 12, False),
        ("2/3", 326, 489, True),
        ("2/3", 325, 489, False),
        ("1/1", 488, 489, False),
        ("1/3", 0, 1, False),
    ],
)
def test_the_share_is_exact(share: str | None, served: int, eligible: int, enough: bool) -> None:
    rule = preset("lift_scope_owners").model_copy(update={"served_min": share})
    if enough:
        terms.check_served(rule, served=served, eligible=eligible)
        return
    with pytest.raises(terms.PollNotServed):
        terms.check_served(rule, served=served, eligible=eligible)


@pytest.mark.parametrize("share", ["3/2", "0/1", "1/0", "half", "2", "1/3/4"])
def test_a_share_that_is_none_is_refused(share: str) -> None:
    whole = preset("lift_scope_owners").model_dump(mode="json")

    with pytest.raises(ValidationError):
        RulePreset.model_validate(whole | {"served_min": share})


async def test_the_words_of_a_poll_announced_before_there_was_a_share_keep_their_hash(
    stage: Stage,
) -> None:
    poll, _ = await an_announced_poll(stage, None)
    with_share = poll.model_copy()
    with_share.preset = poll.preset.model_copy(update={"served_min": "2/3"})

    assert "served_min" in RulePreset.model_fields
    assert text_hash(poll) != text_hash(with_share)
    bare = poll.preset.model_dump(mode="json")
    del bare["served_min"]
    old = poll.model_copy()
    old.preset = RulePreset.model_validate(bare)
    assert text_hash(old) == text_hash(poll)


async def test_a_place_whose_voter_nobody_knows_is_served_at_the_door(
    stage: Stage, db: Database, world: World
) -> None:
    estate, people = await stage.households(3)
    async with db.begin() as tx:
        rows = await tx.session.exec(
            select(Household).where(Household.representative_id == people[1])
        )
        row = rows.one()
        row.representative_id = None
        row.grid_id = world.nodes["grid"].id
    topic = await stage.topic("household_poll", estate)
    poll = await stage.announced("household_poll", topic, estate)
    async with db.read() as tx:
        waiting = await unserved(tx, poll, grid_id=world.nodes["grid"].id, after=0, limit=50)
    [one] = waiting
    assert (one.known, one.label.endswith("—"), bool(one.address)) == (False, True, True)

    async with db.begin(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
        await serving.record_voter_notice(
            tx,
            poll.id,
            one.number,
            channel=NoticeChannel.PRINTED,
            evidence=NoticeEvidence.LEFT,
            reference="有楼组长在场",
        )
    assert await count(db, poll.id) == 1
