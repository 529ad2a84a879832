"""For all weeks: nobody is written to at night or beyond their budget, and one digest a day."""

from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from consultation.calendar import SHANGHAI, local_day
from consultation.community.tables import Residence
from consultation.database import Database, Transaction, statements
from consultation.events.deliberation import PostAdded
from consultation.events.topics import TopicStateChanged
from consultation.permissions import SYSTEM, Actor
from consultation.topics.commands import cosigning
from consultation.topics.states import State
from consultation.topics.tables import Topic
from notifications import inbox
from notifications.audience import Urgency
from notifications.channels import Outcome
from notifications.debts import add_notices
from notifications.inbox import Settings
from notifications.policy import Channel, policy, week_of
from notifications.tables import Delivery, Notice, WeekBudget
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House, always
from tests.world import World, a_topic


@pytest.fixture
async def house(db: Database, world: World, clock: ManualClock) -> House:
    """Everybody but resident4 has opened the app."""
    house = House(db, clock, world)
    people = {name: person.id for name, person in world.people.items()}
    await house.give_accounts([id for name, id in people.items() if name != "resident4"])
    return house


def a_notice(tx: Transaction, person_id: UUID) -> dict[str, object]:
    id = uuid4()
    return {
        "id": id,
        "dedupe_key": str(id),
        "event_id": None,
        "person_id": person_id,
        "community_id": None,
        "words": "verified",
        "urgency": Urgency.NORMAL,
        "facts": {},
        "topic_id": None,
        "poll_id": None,
        "created_at": tx.now,
    }


async def owe(db: Database, person_id: UUID, chain: str, urgency: Urgency = Urgency.NORMAL) -> None:
    async with db.begin() as tx:
        notice = a_notice(tx, person_id) | {"urgency": urgency}
        await add_notices(tx, [notice], {notice["id"]: chain})  # type: ignore[dict-item]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["told", "told", "told", "owed", "ballot"]),
        st.sampled_from(["resident1", "resident2"]),
        st.integers(min_value=0, max_value=9 * 60),  # minutes until the next one
        st.sampled_from([Outcome.SENT] * 4 + [Outcome.RETRY_LATER, Outcome.NO_CREDIT]),
    ),
    min_size=5,
    max_size=30,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_nothing_goes_out_at_night_nor_beyond_the_budget_of_a_week(
    house: House, steps: list[tuple[str, str, int, Outcome]]
) -> None:
    db, world = house.db, house.world
    house.wechat.sent.clear()
    house.sms.sent.clear()
    for chain, name, minutes, outcome in steps:
        await owe(db, world.id(name), chain)
        house.wechat.answer = always(outcome)
        await house.later(minutes=minutes)
    house.wechat.answer = always(Outcome.SENT)
    for _ in range(8):
        await house.later(hours=7)
    async with db.read() as tx:
        rows = await tx.session.exec(select(Delivery.dedupe_key, Delivery.chain))
        chains = dict(list(rows))

    bound: Counter[tuple[UUID, object]] = Counter()
    every: Counter[tuple[UUID, object]] = Counter()
    for at, letter in [*house.wechat.sent, *house.sms.sent]:
        assert not policy().is_quiet(at), at.astimezone(SHANGHAI)
        every[letter.person_id, week_of(at)] += 1
        if not policy().chains[chains[letter.dedupe_key]].exceeds_budget:
            bound[letter.person_id, week_of(at)] += 1
    assert max(bound.values(), default=0) <= policy().budget.per_week
    keys = [letter.dedupe_key for _, letter in [*house.wechat.sent, *house.sms.sent]]
    assert len(keys) == len(set(keys))
    async with db.read() as tx:
        rows = await tx.session.exec(select(WeekBudget))
        spent = {(row.person_id, row.monday): row.spent for row in rows if row.spent}
    kept = {key: count for key, count in every.items() if count}
    assert {key: spent.get(key, 0) for key in kept} == kept
    house.clock.advance(days=14)  # the next example begins in a fresh week
    await house.later(hours=12)


async def test_to_find_nothing_due_costs_one_statement(
    house: House, db: Database, world: World
) -> None:
    async def cost() -> tuple[int, int]:
        counter = [0]
        token = statements.set(counter)
        async with db.begin(SYSTEM) as tx:
            found, _ = await house.sender.claim(tx, Channel.WECHAT)
        statements.reset(token)
        return found, counter[0]

    assert await cost() == (0, 1)
    await owe(db, world.id("resident1"), "told")
    assert await cost() == (0, 1)  # the inbox comes first
    house.clock.advance(hours=12)
    found, statements_for_one = await cost()
    assert (found, statements_for_one > 1) == (1, True)
    assert await cost() == (0, 1)  # it is in somebody's hands


async def test_what_is_urgent_goes_before_what_has_waited_longer(
    house: House, db: Database, world: World
) -> None:
    for name, urgency in (
        ("resident1", Urgency.DIGEST),
        ("resident2", Urgency.NORMAL),
        ("resident3", Urgency.NORMAL),
        ("resident5", Urgency.URGENT),
    ):
        await owe(db, world.id(name), "told", urgency)
        house.clock.advance(minutes=1)
    house.clock.advance(hours=12)

    order: list[UUID] = []
    for _ in range(3):  # a batch is filled up with what is less urgent
        async with db.begin(SYSTEM) as tx:
            _, in_hand = await house.sender.claim(tx, Channel.WECHAT, limit=2)
        order += [one.letter.person_id for one in in_hand]
    assert order == [world.id(f"resident{number}") for number in (5, 2, 3, 1)]


async def test_a_full_week_stops_what_is_bound_by_it_and_nothing_that_is_owed(
    house: House, db: Database, world: World
) -> None:
    me = world.id("resident1")
    for _ in range(policy().budget.per_week + 3):
        await owe(db, me, "told")
    await house.later(hours=12, minutes=30)
    assert len(house.wechat.sent) == policy().budget.per_week
    await owe(db, me, "owed")
    await house.later(hours=12)
    assert len(house.wechat.sent) == policy().budget.per_week + 1
    states = Counter(state for _, state in await house.deliveries(me))
    assert states == {"sent": policy().budget.per_week + 1, "no_budget": 3}

    house.clock.advance(days=7)
    await owe(db, me, "told")
    await house.later(hours=24)
    assert len(house.wechat.sent) == policy().budget.per_week + 2


async def test_what_did_not_go_out_is_given_back_to_the_week(
    house: House, db: Database, world: World
) -> None:
    me = world.id("resident1")
    house.wechat.answer = always(Outcome.REFUSED)
    for _ in range(20):
        await owe(db, me, "told")
    await house.later(hours=12, minutes=30)
    house.wechat.answer = always(Outcome.SENT)
    await owe(db, me, "told")
    await house.later(hours=24)

    assert len(house.wechat.sent) == 1
    async with db.read() as tx:
        assert {row.spent for row in await tx.session.exec(select(WeekBudget))} <= {0, 1}


@pytest.mark.parametrize("dropped", [True, False])
async def test_a_message_that_its_reader_overtook_is_given_back_to_the_week(
    house: House, db: Database, world: World, dropped: bool
) -> None:
    me = world.id("resident1")
    house.wechat.answer = always(Outcome.RETRY_LATER)
    await owe(db, me, "told")
    await house.later(hours=12)
    async with db.begin(Actor(person_id=me)) as tx:
        assert [row.spent for row in await tx.session.exec(select(WeekBudget))] == [1]
        notice = (await tx.session.exec(select(Notice))).one()
        if dropped:
            await inbox.mark_read(tx, notice.id)
        else:  # read while the message was in a sender's hands
            notice.read_at = tx.now
    await house.later(hours=12)

    assert await house.deliveries(me) == [("wechat", "seen")]
    async with db.read() as tx:
        assert [row.spent for row in await tx.session.exec(select(WeekBudget))] == [0]


async def test_a_channel_that_is_switched_off_is_skipped(
    house: House, db: Database, world: World
) -> None:
    me = world.id("resident1")
    async with db.begin(Actor(person_id=me)) as tx:
        await inbox.set_settings(tx, Settings(wechat=False, sms=True))
    await owe(db, me, "owed")
    await house.later(hours=12)
    assert (house.wechat.sent, len(house.sms.sent)) == ([], 1)
    async with db.begin(Actor(person_id=me)) as tx:
        await inbox.set_settings(tx, Settings(wechat=False, sms=False))
    await owe(db, me, "owed")
    await house.later(hours=24)

    assert (house.wechat.sent, len(house.sms.sent)) == ([], 1)
    assert len(await house.notices(me)) == 2  # the inbox is always on


# ---- digests ------------------------------------------------------------------------------


def said(topic: Topic) -> PostAdded:
    return PostAdded(
        community_id=topic.community_id,
        topic_id=topic.id,
        thread_id=uuid4(),
        post_id=uuid4(),
        parent_id=None,
        stance="for",
    )


async def followed(db: Database, world: World, count: int, *names: str) -> list[Topic]:
    topics = []
    for number in range(count):
        topic = await a_topic(
            db, world, state=State.DELIBERATING, title=f"议题{number}", author="resident6"
        )
        for name in names:
            async with db.begin(world.as_(name)) as tx:
                await cosigning.follow_topic(tx, topic.id)
        topics.append(topic)
    return topics


async def test_a_day_of_talk_makes_one_digest_with_the_topics(
    house: House, db: Database, world: World
) -> None:
    topics = await followed(db, world, 4, "resident1", "resident2")
    for _ in range(3):
        async with db.begin() as tx:
            for topic in topics:
                for _ in range(5):
                    tx.emit(said(topic))
        await house.later(hours=2)
    assert await house.notices() == []  # it is three in the afternoon
    await house.later(hours=4, minutes=10)

    mine = await house.notices(world.id("resident1"))
    assert [notice.words for notice in mine] == ["digest"]
    assert mine[0].facts["topics"] == 4
    assert mine[0].facts["titles"] == ["议题0", "议题1", "议题2"]
    assert house.wechat.to(world.id("resident1")) == ["digest"]
    assert len(await house.notices(world.id("resident6"))) == 1  # the author follows
    assert await house.notices(world.id("resident3")) == []
    await house.later(hours=24)
    assert len(await house.notices(world.id("resident1"))) == 1  # nothing new, no digest


async def test_who_is_on_a_roll_only_is_spared_the_daily_talk_until_they_take_part(
    house: House, db: Database, world: World, clock: ManualClock
) -> None:
    stage = Stage(db=db, world=world, clock=clock)
    topic = await stage.topic("lift_scope_owners", world.nodes["entrance"], author="clerk")
    await stage.announced("lift_scope_owners", topic, world.nodes["entrance"])
    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.follow_topic(tx, topic.id)
    async with db.begin() as tx:
        tx.emit(said(topic))
    await house.told()
    await house.later(hours=11)

    digests = {n.person_id for n in await house.notices() if n.words == "digest"}
    assert digests == {world.id("clerk"), world.id("resident2")}


async def test_a_chosen_hour_and_no_digest_at_all_are_kept_to(
    house: House, db: Database, world: World
) -> None:
    [topic] = await followed(db, world, 1, "resident1", "resident2", "resident3")
    for name, chosen in (
        ("resident1", Settings(digest_hour=12)),
        ("resident2", Settings(digest=False)),
    ):
        async with db.begin(world.as_(name)) as tx:
            await inbox.set_settings(tx, chosen)
    async with db.begin() as tx:
        tx.emit(said(topic))
    await house.told()
    await house.later(hours=3, minutes=10)  # 12:10
    assert len(await house.notices(world.id("resident1"))) == 1
    assert await house.notices(world.id("resident3")) == []
    await house.later(hours=7)  # 19:10

    assert len(await house.notices(world.id("resident1"))) == 1
    assert await house.notices(world.id("resident2")) == []
    assert len(await house.notices(world.id("resident3"))) == 1


async def test_what_happened_in_a_second_community_has_a_digest_of_its_own(
    house: House, db: Database, world: World
) -> None:
    """Whichever digest is made first, and however often."""
    me, elsewhere = world.id("resident1"), world.nodes["other"]
    [here] = await followed(db, world, 1, "resident1")
    there = await a_topic(db, world, state=State.DELIBERATING, title="别处议题", author="neighbour")
    async with db.begin() as tx:
        there = await tx.session.merge(there)
        there.community_id = there.node_id = elsewhere.id
        there.node_path = elsewhere.path
        home = (await tx.session.exec(select(Residence).where(Residence.person_id == me))).one()
        second = {"id": tx.new_id(), "community_id": elsewhere.id}
        nowhere = {"household_id": None, "unit_id": None, "grid_id": None}
        tx.session.add(Residence(**(home.model_dump() | second | nowhere)))
    async with db.begin(world.as_("resident1")) as tx:
        await cosigning.follow_topic(tx, there.id)
    for _ in range(2):
        async with db.begin() as tx:
            tx.emit(said(here))
            tx.emit(said(there))
        await house.told()
        for _ in range(24):
            await house.later(hours=1)

    told = Counter(
        (notice.community_id, *notice.facts["titles"]) for notice in await house.notices(me)
    )
    assert told == {(here.community_id, "议题0"): 2, (elsewhere.id, "别处议题"): 2}


HOURS = st.sampled_from([None, 8, 9, 12, 19, 21])


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.booleans(), HOURS, st.integers(min_value=1, max_value=11)),
        min_size=3,
        max_size=8,
    )
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_news_is_told_in_a_digest_within_two_days_and_never_in_two_of_one_day(
    house: House, steps: list[tuple[bool, int | None, int]]
) -> None:
    """However the hour is changed and whatever happens when."""
    db, world = house.db, house.world
    [topic] = await followed(db, world, 1, "resident1")
    me = world.id("resident1")
    before = {notice.id for notice in await house.notices(me)}
    happened = []
    for news, hour, hours in steps:
        async with db.begin(Actor(person_id=me)) as tx:
            await inbox.set_settings(tx, Settings(digest_hour=hour))
        if news:
            happened.append(house.clock.now)
            async with db.begin() as tx:
                tx.emit(said(topic))
            await house.told()
        for _ in range(hours):
            await house.later(hours=1)
    for _ in range(50):
        await house.later(hours=1)

    made = [n for n in await house.notices(me) if n.id not in before]
    days = [local_day(notice.created_at) for notice in made]
    assert len(days) == len(set(days))
    for moment in happened:
        assert [n for n in made if moment < n.created_at <= moment + timedelta(hours=49)], moment
    of_this = [n for n in made if str(topic.id) in n.facts["topic_ids"]]  # one house for all tries
    assert len(of_this) <= len(happened)


async def test_what_the_community_is_told_reaches_its_members_and_no_others(
    house: House, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.ANNOUNCED)
    async with db.begin() as tx:
        tx.emit(
            TopicStateChanged(
                community_id=topic.community_id,
                topic_id=topic.id,
                act="announce",
                from_state="preparing",
                to_state="announced",
                round=1,
                due_at=None,
            )
        )
    await house.told()
    await house.later(hours=11)

    words = {n.person_id: n.words for n in await house.notices() if n.words == "digest"}
    homes = {world.id(f"resident{n}") for n in range(1, 7)}
    assert words.keys() == {*homes, world.id("tenant")} - {world.id("resident4")}
    announced = {n.person_id for n in await house.notices() if n.words == "topic_announced"}
    assert announced == homes  # the matter lies in their entrance
    assert world.id("neighbour") not in words
