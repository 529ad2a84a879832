"""What is owed is written with the number of the event: nothing lost, nothing twice, few
statements however many are told."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import event as sa_event
from sqlmodel import col, func, select

from consultation.database import Database, Transaction, statements
from consultation.events.meetings import MeetingConvened
from consultation.events.people import UserNotified
from consultation.events.polls import PollOpened
from consultation.events.topics import TopicOverdue, TopicStateChanged
from consultation.jobs import Job, JobKind
from consultation.journal import JournalEntry
from consultation.permissions import Actor, Role
from consultation.topics.commands import cosigning
from consultation.topics.states import State
from consultation.topics.tables import CoSignature, Follow, Topic
from notifications import debts
from notifications.tables import Delivery, Inbox, Notice
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House
from tests.world import World, a_topic


@pytest.fixture
def stage(db: Database, world: World, clock: ManualClock) -> Stage:
    return Stage(db=db, world=world, clock=clock)


@pytest.fixture
def house(db: Database, world: World, clock: ManualClock) -> House:
    return House(db, clock, world)


def moved(topic: Topic, to: State) -> TopicStateChanged:
    return TopicStateChanged(
        community_id=topic.community_id,
        topic_id=topic.id,
        act="test",
        from_state="test",
        to_state=to.value,
        round=1,
        due_at=None,
    )


async def happen(db: Database, *events: object, by: Actor | None = None) -> None:
    async with db.begin(by or Actor(person_id=None)) as tx:
        for event in events:
            tx.emit(event)  # type: ignore[arg-type]


async def told(house: House, words: str) -> set[UUID]:
    return {notice.person_id for notice in await house.notices() if notice.words == words}


# ---- who ----------------------------------------------------------------------------------


async def test_who_takes_part_follows_and_hears_the_end_unless_they_asked_not_to(
    house: House, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.SUBMITTED, open_to_cosign=True)
    for name in ("resident2", "resident3"):
        async with db.begin(world.as_(name)) as tx:
            await cosigning.cosign_topic(tx, topic.id)
    async with db.begin() as tx:
        row = await tx.session.merge(topic)
        row.was_public = True
    async with db.begin(world.as_("resident4")) as tx:
        await cosigning.follow_topic(tx, topic.id)
    async with db.begin(world.as_("resident3")) as tx:
        await cosigning.unfollow_topic(tx, topic.id)
    await happen(db, moved(topic, State.CLOSED), by=world.as_("resident4"))
    await house.told()

    # the author and a co-signer; not who asked to hear no more, nor who did it themselves
    assert await told(house, "topic_answered") == {world.id("resident1"), world.id("resident2")}


async def test_the_office_that_owes_the_reply_is_told_and_no_other(
    house: House, db: Database, world: World
) -> None:
    """``official`` works for the subdistrict office; ``enforcer`` is of the government as well."""
    due = house.clock.now
    office = world.orgs["subdistrict_office"].id
    asked = await a_topic(
        db, world, state=State.ADOPTION_PENDING, was_public=True, commissioning_org_id=office
    )
    own = await a_topic(db, world, state=State.ADOPTION_PENDING, was_public=True)

    def overdue(topic: Topic, state: State) -> TopicOverdue:
        return TopicOverdue(
            community_id=topic.community_id,
            topic_id=topic.id,
            state=state.value,
            due_at=due,
            escalated_to="supervisor",
        )

    await happen(db, *(replace(moved(t, t.state), due_at=due) for t in (asked, own)))
    await house.told()
    assert await told(house, "reply_owed") == {world.id("official")}

    await happen(db, overdue(own, own.state), overdue(asked, State.DELIBERATING))
    await house.told()
    assert world.id("clerk") in await told(house, "topic_overdue")
    assert world.id("official") not in await told(house, "topic_overdue")

    await happen(db, overdue(asked, asked.state))
    await house.told()
    assert world.id("official") in await told(house, "topic_overdue")
    assert world.id("enforcer") not in await told(house, "topic_overdue")


async def test_asking_to_hear_no_more_outlives_taking_part_and_ends_by_asking_again(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.SUBMITTED, open_to_cosign=True, was_public=True)

    async def following() -> bool | None:
        async with db.read() as tx:
            row = await tx.session.get(Follow, (topic.id, world.id("resident2")))
            return None if row is None else not row.ended

    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.unfollow_topic(tx, topic.id)
    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.cosign_topic(tx, topic.id)
    assert await following() is False
    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.follow_topic(tx, topic.id)
    assert await following() is True
    async with db.read() as tx:
        assert await tx.session.get(CoSignature, (topic.id, world.id("resident2"))) is not None


async def test_following_tells_nothing_of_who_voted(
    stage: Stage, house: House, db: Database
) -> None:
    poll, owners = await stage.lift_poll()

    async def followers() -> set[UUID]:
        async with db.read() as tx:
            rows = await tx.session.exec(
                select(Follow.person_id).where(Follow.topic_id == poll.topic_id)
            )
            return set(rows)

    before = await followers()
    assert before == set(owners)
    await stage.vote(poll.id, owners, "f" * 5 + "a" * 2 + "." * 5)
    await stage.published(poll.id)
    await house.told()
    assert await followers() == before
    assert await told(house, "poll_result") >= set(owners)


async def test_staff_hears_of_what_waits_for_it_and_those_affected_of_a_meeting(
    house: House, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.SUBMITTED)
    meeting = MeetingConvened(
        community_id=topic.community_id,
        topic_id=topic.id,
        meeting_id=topic.id,
        form="heart_to_heart_meeting",
        starts_at=topic.created_at,
    )
    await happen(db, moved(topic, State.SUBMITTED), meeting)
    await house.told()

    staff = {world.id("clerk"), world.id("secretary")}
    assert await told(house, "topic_submitted") == staff
    homes = {world.id(f"resident{n}") for n in range(1, 7)}
    assert await told(house, "meeting_convened") == homes


async def test_a_person_hears_of_their_own_matter_and_of_nobody_elses(
    house: House, db: Database, world: World
) -> None:
    reply = UserNotified(
        community_id=world.community.id,
        person_id=world.id("resident5"),
        about="dissent_explained",
        topic_id=None,
        subject_id=None,
    )
    await happen(db, reply)
    await house.told()

    assert await told(house, "reply") == {world.id("resident5")}


async def test_an_event_on_two_streams_is_told_once(
    house: House, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.CLOSED)
    await happen(db, moved(topic, State.CLOSED))
    await house.told()

    async with db.read() as tx:
        rows = await tx.session.exec(
            select(
                func.count(col(JournalEntry.id)), func.count(col(JournalEntry.event_id).distinct())
            ).where(JournalEntry.type == "topic.state_changed")
        )
        assert rows.one() == (2, 1)
    assert len(await house.notices(world.id("resident1"))) == 1


# ---- once, and not never ------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone in the middle of a statement."""


async def test_a_relay_killed_at_every_statement_neither_loses_nor_doubles_what_is_owed(
    stage: Stage, house: House, db: Database
) -> None:
    """First at its first statement, then at its second …: who comes next pays each debt once."""
    _, owners = await stage.lift_poll()
    await house.give_accounts(owners)
    at, killed = 0, True
    while killed:
        at, killed = at + 1, False
        left = [at]

        def die(*args: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        sa_event.listen(db.writer.sync_engine, "before_cursor_execute", die)
        try:
            await house.relay.drain()
        except Killed:
            killed = True
        finally:
            sa_event.remove(db.writer.sync_engine, "before_cursor_execute", die)

    assert at > 12  # how many more there are depends on the shards that the ids fall into
    for owner in owners:
        assert sorted(notice.words for notice in await house.notices(owner)) == [
            "poll_announced",
            "poll_opened",
        ]
    async with db.read() as tx:
        inboxes = await tx.session.exec(select(Inbox.unread))
        assert set(inboxes) == {2}
        count = await tx.session.exec(select(func.count()).select_from(Delivery))
        assert count.one() == 2 * len(owners)
        waiting = await tx.session.exec(select(func.count()).where(col(JournalEntry.seq).is_(None)))
        assert waiting.one() == 0


async def test_a_fault_in_what_is_owed_never_stops_the_numbering_and_is_paid_later(
    stage: Stage, house: House, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, owners = await stage.lift_poll()
    real = debts.incur

    async def broken(tx: Transaction, entries: object) -> int:
        await real(tx, entries)  # type: ignore[arg-type]
        raise ValueError("after half of the work")

    monkeypatch.setattr(debts, "incur", broken)
    await house.told()
    async with db.read() as tx:
        waiting = await tx.session.exec(select(func.count()).where(col(JournalEntry.seq).is_(None)))
        assert waiting.one() == 0
        jobs = await tx.session.exec(select(Job).where(Job.kind == JobKind.OWE_NOTICES))
        assert len(list(jobs)) >= 2
    assert await house.notices() == []

    monkeypatch.setattr(debts, "incur", real)
    await house.later(minutes=1)
    assert sorted(notice.words for notice in await house.notices(owners[3])) == [
        "poll_announced",
        "poll_opened",
    ]
    await house.later(minutes=1)
    assert len(await house.notices(owners[3])) == 2


async def test_three_thousand_voters_cost_as_many_statements_as_thirty(
    stage: Stage, house: House, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is owed alone: in how many shards the entries of an event are numbered depends on
    the ids of its streams."""
    costs: list[int] = []
    real = debts.incur

    async def measured(tx: Transaction, entries: Sequence[JournalEntry]) -> int:
        counter = [0]
        token = statements.set(counter)
        try:
            told = await real(tx, entries)
        finally:
            statements.reset(token)
        if told:
            costs.append(counter[0])
        return told

    for size in (30, 3000):
        estate, _ = await stage.households(size, name=f"{size}户")
        topic = await stage.topic("household_poll", estate)
        poll = await stage.announced("household_poll", topic, estate)
        await house.told()
        await happen(
            db,
            PollOpened(
                community_id=poll.community_id,
                topic_id=topic.id,
                poll_id=poll.id,
                closes_at=poll.closes_at,
            ),
        )
        monkeypatch.setattr(debts, "incur", measured)
        await house.told()
        monkeypatch.setattr(debts, "incur", real)
        async with db.read() as tx:
            rows = await tx.session.exec(
                select(func.count()).where(Notice.poll_id == poll.id, Notice.words == "poll_opened")
            )
            assert rows.one() == size

    few, many = costs
    assert few <= 8
    assert many == few + 2  # an insert with RETURNING goes in pages of a thousand


async def test_a_role_that_ended_is_told_nothing_more(
    house: House, db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.SUBMITTED)
    async with db.begin() as tx:
        row = await tx.session.merge(world.assignments["clerk", Role.CLERK])
        row.valid_to = clock.now
    await happen(db, moved(topic, State.SUBMITTED))
    await house.told()

    assert await told(house, "topic_submitted") == {world.id("secretary")}
