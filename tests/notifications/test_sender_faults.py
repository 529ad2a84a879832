"""One row, one channel or one hour that goes wrong holds up nothing else."""

import asyncio
import io
from collections.abc import Generator
from datetime import timedelta
from uuid import UUID

import pytest
import structlog
from sqlmodel import select

from api import logs
from api.settings import Settings
from consultation.calendar import SHANGHAI
from consultation.community.tables import Person
from consultation.database import Database
from consultation.polls.tables import Poll
from notifications.channels import Letter, Outcome, Sent
from notifications.policy import Channel, policy
from notifications.tables import Delivery, DeliveryState, Notice, WeekBudget
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House, always
from tests.world import World


@pytest.fixture
def stage(db: Database, world: World, clock: ManualClock) -> Stage:
    return Stage(db=db, world=world, clock=clock)


@pytest.fixture
def house(db: Database, world: World, clock: ManualClock) -> House:
    return House(db, clock, world)


@pytest.fixture
def log() -> Generator[io.StringIO]:
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    structlog.configure(**before)


async def an_open_poll(stage: Stage, house: House, *, wechat: bool) -> tuple[Poll, list[UUID]]:
    poll, owners = await stage.lift_poll()
    if wechat:
        await house.give_accounts(owners)
    stage.clock.now = poll.opens_at
    await house.told()
    return poll, owners


async def deliveries(db: Database, **where: object) -> list[Delivery]:
    async with db.read() as tx:
        rows = await tx.session.exec(select(Delivery).filter_by(**where))
        return list(rows)


async def test_a_row_that_nobody_can_read_dies_alone_and_its_chain_goes_on(
    stage: Stage, house: House, db: Database, log: io.StringIO
) -> None:
    _, owners = await an_open_poll(stage, house, wechat=False)
    sealed, unknown, sound = owners[0], owners[1], owners[2:]
    async with db.begin() as tx:
        person = await tx.session.get(Person, sealed)
        assert person is not None
        person.phone_sealed = b"not what the vault has sealed"
        rows = await tx.session.exec(
            select(Notice).where(Notice.person_id == unknown, Notice.words == "poll_opened")
        )
        rows.one().words = "words_that_left_the_catalogue"
    await house.later(hours=12)

    assert all(house.sms.to(owner) == ["poll_opened"] for owner in sound)
    for owner, error in ((sealed, "InvalidTag"), (unknown, "KeyError")):
        [dead] = await deliveries(db, person_id=owner, channel=Channel.SMS)
        assert (dead.state, dead.last_error, dead.lease_until) == (DeliveryState.DEAD, error, None)
        [printed] = await deliveries(db, person_id=owner, channel=Channel.PRINTED)
        assert printed.state is DeliveryState.WAITING
    assert log.getvalue().count("delivery unreadable") == 2
    assert [one for one in ("words_that", "not what", str(sealed)) if one in log.getvalue()] == []
    assert await house.later(hours=1) == 0  # and they are not taken up again


async def test_a_channel_that_hangs_does_not_hold_up_another(
    stage: Stage, house: House, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, owners = await stage.lift_poll()
    await house.give_accounts(owners[:6])
    stage.clock.now = poll.opens_at
    await house.told()
    stage.clock.advance(hours=12)
    never = asyncio.Event()

    async def hang(letter: Letter) -> Sent:
        await never.wait()
        return Sent(Outcome.RETRY_LATER)

    with monkeypatch.context() as patch:
        patch.setattr(house.wechat, "send", hang)
        house.sender.start()
        async with asyncio.timeout(5):
            while len(house.sms.sent) < 6:  # noqa: ASYNC110  a list says nothing
                await asyncio.sleep(0.01)
    house.wechat.answer = always(Outcome.SENT)
    never.set()
    await house.sender.stop()

    assert {letter.person_id for _, letter in house.sms.sent} == set(owners[6:])


async def test_nothing_that_was_claimed_before_the_night_leaves_in_it(
    stage: Stage, house: House, db: Database, clock: ManualClock
) -> None:
    """The first messages take until ten in the evening; the rest waits for the morning, at no cost
    of an attempt or of the week."""
    await an_open_poll(stage, house, wechat=True)
    evening = clock.now.astimezone(SHANGHAI).replace(hour=21, minute=59, second=30)
    clock.now = evening

    def slowly(letter: Letter) -> Outcome:
        clock.advance(seconds=15)
        return Outcome.SENT

    house.wechat.answer = slowly
    await house.sender.run_due()
    sent = len(house.wechat.tried)
    assert 1 <= sent < 12
    assert await house.later(minutes=1) == 0

    begun = [at - timedelta(seconds=15) for at, _ in house.wechat.sent]
    assert all(not policy().is_quiet(at) for at, _ in house.wechat.tried)
    assert len(begun) == sent
    waiting = await deliveries(db, channel=Channel.WECHAT, state=DeliveryState.WAITING)
    assert waiting
    assert {(row.attempts, row.lease_until, row.charged) for row in waiting} == {(0, None, None)}
    async with db.read() as tx:
        spent = sum((await tx.session.exec(select(WeekBudget.spent))).all())
    assert spent == sent
    house.wechat.answer = always(Outcome.SENT)
    clock.now = evening.replace(hour=8, minute=0, second=0) + timedelta(days=1)
    await house.sender.run_due()
    assert len(house.wechat.sent) == 24


async def test_nothing_that_was_claimed_before_the_close_leaves_after_it(
    stage: Stage, house: House, db: Database, clock: ManualClock
) -> None:
    poll, _ = await an_open_poll(stage, house, wechat=True)
    async with db.begin() as tx:
        for row in await tx.session.exec(select(Delivery)):
            row.next_try = poll.closes_at - timedelta(hours=10)
    clock.now = poll.closes_at - timedelta(hours=10)  # two in the afternoon
    closes_at = clock.now + timedelta(seconds=40)
    async with db.begin() as tx:
        row = await tx.session.get(Poll, poll.id)
        assert row is not None
        row.closes_at = closes_at

    def slowly(letter: Letter) -> Outcome:
        clock.advance(seconds=15)
        return Outcome.SENT

    house.wechat.answer = slowly
    await house.sender.run_due()

    assert 1 <= len(house.wechat.tried) < 12
    assert all(at < closes_at for at, _ in house.wechat.tried)
    left = await deliveries(db, channel=Channel.WECHAT, state=DeliveryState.OBSOLETE)
    assert {row.attempts for row in left} == {0}


async def test_nothing_is_begun_that_might_outlive_its_lease(
    stage: Stage, house: House, db: Database, clock: ManualClock
) -> None:
    await an_open_poll(stage, house, wechat=True)
    clock.advance(hours=12)
    attempts = policy().attempts
    leased_at = clock.now

    def slowly(letter: Letter) -> Outcome:
        if clock.now < leased_at + timedelta(seconds=attempts.lease_seconds):
            clock.advance(seconds=30)
        return Outcome.SENT

    house.wechat.answer = slowly
    async with db.begin() as tx:
        _, in_hand = await house.sender.claim(tx, Channel.WECHAT)
    results = await house.sender._send(Channel.WECHAT, in_hand)
    async with db.begin() as tx:
        await house.sender.record(tx, Channel.WECHAT, results)

    margin = timedelta(seconds=attempts.lease_seconds - attempts.margin_seconds)
    assert 1 <= len(house.wechat.tried) < len(in_hand)
    assert all(at < leased_at + margin for at, _ in house.wechat.tried)
    await house.sender.run_due()
    keys = [letter.dedupe_key for _, letter in house.wechat.tried]
    assert len(keys) == len(set(keys)) == 24


def test_a_whole_request_to_wechat_is_shorter_than_the_margin_of_a_lease() -> None:
    longest = Settings.model_fields["wechat_timeout_seconds"].metadata
    [most] = [one.le for one in longest if hasattr(one, "le")]
    assert 4 * most < policy().attempts.margin_seconds < policy().attempts.lease_seconds
