"""A vote of an evening: everybody is told in time, also who has no app and no phone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from consultation.calendar import SHANGHAI, add_days
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls.tables import Poll
from notifications.channels import Letter, Outcome
from notifications.policy import policy
from notifications.sheets import sheet, sheet_of_no_grid
from tests.conftest import ManualClock
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House
from tests.world import World

ASSEMBLY = "urban_assembly_2026"


@dataclass
class Evening:
    """A meeting that is announced: of its voters two have WeChat, two neither that nor a phone."""

    house: House
    poll: Poll
    wechat: Sequence[UUID]
    phone: Sequence[UUID]
    neither: Sequence[UUID]

    async def until(self, moment: datetime) -> None:
        while self.house.clock.now < moment:
            left = (moment - self.house.clock.now).total_seconds()
            await self.house.later(seconds=min(left, 600))

    def told(self, words: str) -> dict[UUID, tuple[str, datetime]]:
        """By person, how and when a message went out."""
        channels = {"wechat": self.house.wechat, "sms": self.house.sms}
        return {
            letter.person_id: (name, at)
            for name, channel in channels.items()
            for at, letter in channel.sent
            if letter.template == words
        }

    async def on_the_sheet(self) -> set[UUID]:
        world = self.house.world
        async with self.house.db.read(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
            _, of_grid = await sheet(tx, world.nodes["grid"].id)
        async with self.house.db.read(world.as_("clerk", Role.CLERK)) as tx:
            _, of_clerk = await sheet_of_no_grid(tx, world.community.id)
        return {visit.notice.person_id for visit in [*of_grid, *of_clerk]}


async def an_evening(
    db: Database, world: World, clock: ManualClock, opens: int, hours: float
) -> Evening:
    stage, house = Stage(db=db, world=world, clock=clock), House(db, clock, world)
    topic = await stage.topic(ASSEMBLY, world.community)
    meeting = await stage.meeting(topic, [])
    day = add_days(clock.now, preset(ASSEMBLY).notice_days)
    begin = day.astimezone(SHANGHAI).replace(hour=opens, minute=0, second=0, microsecond=0)
    poll = await stage.announced(
        ASSEMBLY,
        topic,
        world.community,
        meeting_id=meeting.id,
        opens_at=begin,
        closes_at=begin + timedelta(hours=hours),
    )
    roll = await stage.roll(poll.id)
    voters = sorted(place.person_id for place in roll.values() if place.person_id)
    assert len(voters) >= 5
    evening = Evening(house, poll, voters[:2], voters[4:], voters[2:4])
    await house.give_accounts(evening.wechat)

    def sms(letter: Letter) -> Outcome:
        return Outcome.SENT if letter.person_id in evening.phone else Outcome.NOT_REACHABLE

    house.sms.answer = sms
    await house.told()
    return evening


WINDOWS = pytest.mark.parametrize(
    ("opens", "hours"), [(19, 1.0), (19, 2.0), (19, 4.0), (20, 11.5), (22, 10.5)]
)


@WINDOWS
async def test_everybody_hears_of_an_evenings_vote_days_before_it(
    db: Database, world: World, clock: ManualClock, opens: int, hours: float
) -> None:
    evening = await an_evening(db, world, clock, opens, hours)
    await evening.until(clock.now + timedelta(hours=3))

    told = evening.told("poll_announced")
    assert {person: how for person, (how, _) in told.items()} == (
        dict.fromkeys(evening.wechat, "wechat") | dict.fromkeys(evening.phone, "sms")
    )
    assert await evening.on_the_sheet() == set(evening.neither)


@WINDOWS
async def test_that_it_is_open_is_told_while_there_is_time_to_vote(
    db: Database, world: World, clock: ManualClock, opens: int, hours: float
) -> None:
    evening = await an_evening(db, world, clock, opens, hours)
    begin, end = evening.poll.opens_at, evening.poll.closes_at
    clock.now = begin
    await evening.until(end)

    told = evening.told("poll_opened")
    assert told.keys() == {*evening.wechat, *evening.phone}
    for _, at in told.values():
        assert begin <= at < end
        assert not policy().is_quiet(at)
        assert policy().loud_time(at, end, enough=timedelta(hours=12)) > timedelta(minutes=25)


@pytest.mark.parametrize("hours", [24, 72])
async def test_a_vote_of_a_day_or_more_is_announced_without_a_visit(
    db: Database, world: World, clock: ManualClock, hours: int
) -> None:
    """Its opening is told with the whole chain."""
    stage, house = Stage(db=db, world=world, clock=clock), House(db, clock, world)
    topic = await stage.topic("open_poll", world.community)
    begin = clock.now + timedelta(days=2)
    end = begin + timedelta(hours=hours)
    await stage.announced("open_poll", topic, world.community, opens_at=begin, closes_at=end)
    await house.told()
    await house.later(hours=24)
    assert await house.deliveries() == []

    clock.now = begin
    await house.later(seconds=0)
    await house.later(hours=2)
    assert {channel for channel, _ in await house.deliveries()} == {"sms"}
