"""Who is owed a notice has it by the right channel, once, or is on the list for a visit."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Actor
from consultation.polls.commands.serving import record_proofs
from consultation.polls.tables import Poll
from notifications import inbox
from notifications.channels import Letter, Outcome
from notifications.policy import policy
from notifications.tables import Delivery, DeliveryState
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


async def an_open_poll(stage: Stage, house: House) -> tuple[Poll, list[UUID]]:
    """Twelve owners, told of the announcement and of the opening; it is nine in the morning."""
    poll, owners = await stage.lift_poll()
    await house.give_accounts(owners)
    stage.clock.now = poll.opens_at
    await house.told()
    return poll, owners


async def read(db: Database, person_id: UUID, words: str) -> None:
    async with db.begin(Actor(person_id=person_id)) as tx:
        notices = await inbox.notices(tx, after=None, limit=50)
        for notice in notices:
            if notice.words == words:
                _, proofs = await inbox.mark_read(tx, notice.id)
                await record_proofs(tx, proofs)


async def test_everybody_on_the_roll_finds_a_notice_in_the_inbox_and_hears_of_it_live(
    stage: Stage, house: House, db: Database
) -> None:
    _, owners = await an_open_poll(stage, house)

    for owner in owners:
        words = [notice.words for notice in await house.notices(owner)]
        assert sorted(words) == ["poll_announced", "poll_opened"]
    async with db.read(Actor(person_id=owners[0])) as tx:
        assert await inbox.unread(tx) == 2
        rows = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.stream == f"user:{owners[0]}")
        )
        added = [entry for entry in rows if entry.type == "notice.added"]
    assert [(entry.seq, entry.data["template"]) for entry in added] == [
        (1, "poll_announced"),
        (2, "poll_opened"),
    ]


async def test_who_read_it_in_the_app_gets_no_message(
    stage: Stage, house: House, db: Database
) -> None:
    poll, owners = await an_open_poll(stage, house)
    await read(db, owners[0], "poll_opened")
    await house.later(hours=12)

    assert house.wechat.to(owners[0]) == ["poll_announced"]
    assert house.wechat.to(owners[1]) == ["poll_announced", "poll_opened"]
    assert house.sms.sent == []
    proved = {(row.channel.value, row.evidence.value) for row in await house.ledger(poll.id)}
    assert proved == {("in_app", "read"), ("wechat", "accepted")}
    async with db.read(Actor(person_id=owners[0])) as tx:
        assert await inbox.unread(tx) == 1


async def test_wechat_is_not_tried_for_who_has_no_account(
    stage: Stage, house: House, db: Database
) -> None:
    poll, owners = await stage.lift_poll()
    await house.give_accounts(owners[1:])
    stage.clock.now = poll.opens_at + timedelta(hours=10)
    await house.told()
    assert len(await house.notices(owners[0])) == 2
    assert await house.deliveries(owners[0]) == [("sms", "waiting")]
    await house.later(hours=1, minutes=59)
    assert house.sms.sent == []  # the inbox has as long as with WeChat
    await house.later(minutes=2)

    assert house.sms.to(owners[0]) == ["poll_opened"]
    assert house.wechat.to(owners[0]) == []
    assert house.sms.to(owners[1]) == []


async def test_the_chain_goes_on_at_once_where_a_channel_does_not_reach(
    stage: Stage, house: House, db: Database
) -> None:
    poll, owners = await an_open_poll(stage, house)
    no_wechat, no_phone = owners[1], owners[2]
    house.wechat.answer = lambda letter: (
        Outcome.NO_CREDIT if letter.person_id in (no_wechat, no_phone) else Outcome.SENT
    )
    house.sms.answer = lambda letter: (
        Outcome.NOT_REACHABLE if letter.person_id == no_phone else Outcome.SENT
    )
    await house.later(hours=12)

    assert house.wechat.to(owners[0]) == ["poll_announced", "poll_opened"]
    assert house.sms.to(no_wechat) == ["poll_opened"]
    assert house.sms.to(owners[0]) == house.sms.to(no_phone) == []
    assert ("printed", "waiting") in await house.deliveries(no_phone)
    assert {row.channel.value for row in await house.ledger(poll.id)} == {"wechat", "sms"}
    assert len({row.roll_entry_id for row in await house.ledger(poll.id)}) == 11


async def test_nothing_is_sent_twice_however_often_senders_and_relays_run(
    stage: Stage, house: House
) -> None:
    await an_open_poll(stage, house)
    house.clock.advance(hours=12)
    await asyncio.gather(
        *(house.another().run_due() for _ in range(4)), house.relay.drain(), house.relay.drain()
    )
    await house.sender.run_due()

    keys = [letter.dedupe_key for _, letter in house.wechat.tried]
    assert len(keys) == len(set(keys)) == 24


async def test_a_sender_that_dies_after_sending_sends_again_with_the_same_key(
    stage: Stage, house: House, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, _ = await an_open_poll(stage, house)
    house.clock.advance(hours=12)
    dying = house.another()

    async def die(*args: object) -> None:
        raise SystemError("killed")

    monkeypatch.setattr(dying, "record", die)
    with pytest.raises(SystemError):
        await dying.run_due()
    first = [letter.dedupe_key for _, letter in house.wechat.tried]

    assert await house.sender.run_due() == 24 - len(first)  # the leased ones wait for the lease
    house.clock.advance(seconds=policy().attempts.lease_seconds)
    assert await house.sender.run_due() == len(first)
    keys = [letter.dedupe_key for _, letter in house.wechat.tried]
    assert len(set(keys)) == 24
    assert {key for key in keys if keys.count(key) == 2} == set(first)
    assert len(await house.ledger(poll.id)) == 12


async def test_ten_minutes_without_wechat_lose_nothing_and_cost_nobody_an_sms(
    stage: Stage, house: House, clock: ManualClock
) -> None:
    _, owners = await an_open_poll(stage, house)
    noon = clock.now + timedelta(hours=12)
    house.wechat.answer = lambda _: Outcome.RETRY_LATER if clock.now < noon else Outcome.SENT
    await house.later(hours=11, minutes=50)
    for _ in range(60):
        await house.later(seconds=30)

    assert house.sms.tried == []
    for owner in owners:
        assert house.wechat.to(owner) == ["poll_announced", "poll_opened"]
    assert len(house.wechat.tried) > len(house.wechat.sent)


async def test_what_is_given_up_is_a_dead_letter_and_the_next_channel_takes_over(
    stage: Stage, house: House, db: Database
) -> None:
    _, owners = await an_open_poll(stage, house)
    house.wechat.answer = always(Outcome.RETRY_LATER)
    await house.later(hours=3)
    for _ in range(40):
        await house.later(minutes=30)

    tried = [letter for _, letter in house.wechat.tried if letter.person_id == owners[0]]
    assert len(tried) == 2 * policy().attempts.most
    assert house.sms.to(owners[0]) == ["poll_opened"]
    async with db.read() as tx:
        rows = await tx.session.exec(select(Delivery).where(Delivery.person_id == owners[0]))
        states = [(row.channel.value, row.state.value) for row in rows]
    assert states.count(("wechat", "dead")) == 2


async def test_an_adapter_that_breaks_holds_up_nobody_else(stage: Stage, house: House) -> None:
    _, owners = await an_open_poll(stage, house)

    def broken(letter: Letter) -> Outcome:
        if letter.person_id == owners[0]:
            raise RuntimeError("张三 13900000000")
        return Outcome.SENT

    house.wechat.answer = broken
    await house.later(hours=12)

    assert len(house.wechat.sent) == 22
    assert await house.deliveries(owners[0]) == [("wechat", "waiting"), ("wechat", "waiting")]


async def test_a_poll_that_closed_meanwhile_is_not_written_about(
    stage: Stage, house: House, clock: ManualClock
) -> None:
    poll, owners = await an_open_poll(stage, house)
    house.wechat.answer = always(Outcome.RETRY_LATER)
    await house.later(hours=12)
    house.wechat.answer = always(Outcome.SENT)
    clock.now = poll.closes_at
    await house.later(hours=11)

    assert "poll_opened" not in house.wechat.to(owners[0])
    assert {state for _, state in await house.deliveries(owners[0])} <= {
        DeliveryState.OBSOLETE.value,
        DeliveryState.WAITING.value,
        DeliveryState.SENT.value,
    }
