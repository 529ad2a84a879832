"""A message that WeChat took and did not deliver proves nothing, and SMS tells the person."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Actor
from consultation.polls.commands.serving import record_proofs
from consultation.polls.notice_queries import served_count, unserved
from consultation.polls.notice_tables import VoterNotice, VoterNoticeRetraction
from consultation.polls.serving import Proof
from consultation.polls.tables import Poll, RollEntry
from notifications import inbox
from notifications.channels import Letter, Outcome, Sent
from notifications.policy import Channel
from notifications.tables import Delivery
from notifications.wechat import ledger
from notifications.wechat.ledger import Accept
from notifications.wechat.subscribe import SEND
from notifications.wechat.tables import SubscriptionSend, WechatAccount
from notifications.wechat.templates import TemplateSpec
from tests.api.wechat_house import House, house
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.fake_wechat import FakeWechat
from tests.live import Start

OPENED = TemplateSpec(name="poll_opened", template_id="T-poll", values={"thing1": "title"})


@dataclass
class Town:
    """An open poll of six owners, of whom resident1 has WeChat with one credit."""

    house: House
    poll: Poll
    clock: ManualClock
    sms_file: Path

    @property
    def db(self) -> Database:
        return self.house.db

    @property
    def voter(self) -> UUID:
        return self.house.world.id("resident1")

    async def accept(self) -> None:
        """One more credit."""
        await self.house.fake.tap("o1", **{"T-poll": "accept"})
        await self.house.deliver()

    async def later(self, **by: float) -> int:
        self.clock.advance(**by)
        return await self.house.services.sender.run_due()

    def texts(self) -> int:
        """SMS to the voter that say that the poll is open."""
        if not self.sms_file.exists():
            return 0
        lines = [json.loads(line) for line in self.sms_file.read_text("utf-8").splitlines()]
        phone = f"1990000{list(self.house.world.people).index('resident1'):04d}"
        return sum(one["to"].endswith(phone) and one["template"] == "poll_opened" for one in lines)

    async def states(self) -> list[tuple[str, str]]:
        rows = await self.house.rows(Delivery)
        mine = [row for row in rows if row.person_id == self.voter and row.chain == "vote"]
        return sorted((row.channel.value, row.state.value) for row in mine)

    async def sends(self) -> list[str]:
        return [row.state.value for row in await self.house.rows(SubscriptionSend)]

    async def served(self) -> int:
        """As the counters have it; the list of the unserved must say the same."""
        async with self.db.read() as tx:
            served = await served_count(tx, self.poll.id)
            waiting = await unserved(tx, self.poll, grid_id=None, after=0, limit=50)
        assert served == 6 - len(waiting)
        return served

    async def proofs(self) -> list[tuple[str, int, bool]]:
        """Channel, take and whether it stands, of the voter's proofs."""
        gone = {row.notice_id for row in await self.house.rows(VoterNoticeRetraction)}
        roll = {row.id: row.person_id for row in await self.house.rows(RollEntry)}
        return sorted(
            (row.channel.value, row.take, row.id not in gone)
            for row in await self.house.rows(VoterNotice)
            if roll[row.roll_entry_id] == self.voter
        )


@pytest.fixture
async def town(
    start: Start, fake_wechat: FakeWechat, clock: ManualClock, tmp_path: Path
) -> AsyncGenerator[Town]:
    sms = tmp_path / "sms.jsonl"
    changes = {"sms_provider": "file", "sms_file": sms, "wechat_templates": [OPENED]}
    async with house(start, fake_wechat, **changes) as made:
        await fake_wechat.template("T-poll", "议题:{{thing1.DATA}}")
        await made.account("resident1", "o1")
        stage = Stage(db=made.db, world=made.world, clock=clock)
        entrance = made.world.nodes["entrance"]
        topic = await stage.topic("lift_scope_owners", entrance)
        poll = await stage.opened("lift_scope_owners", topic, entrance)
        await made.services.relay.drain()
        found = Town(made, poll, clock, sms)
        await found.accept()
        yield found


async def test_a_failed_receipt_after_the_message_counted_as_sent_goes_on_to_sms_once(
    town: Town,
) -> None:
    await town.house.fake.receipt(43101, status="failed:user block", n=1)
    await town.later(hours=12)
    assert await town.states() == [("wechat", "sent")]
    assert await town.sends() == ["sent"]
    before = await town.served()
    assert await town.proofs() == [("wechat", 0, True)]

    await town.house.deliver(times=2, reverse=True)  # the receipt comes, and comes again

    assert await town.sends() == ["not_sent"]
    assert await town.states() == [("sms", "waiting"), ("wechat", "impossible")]
    assert await town.served() == before - 1
    assert await town.proofs() == [("wechat", 0, False)]
    assert await town.later(minutes=1) == 1
    assert town.texts() == 1
    assert await town.served() == before
    await town.house.fake.replay()
    await town.house.errands()
    for _ in range(3):
        await town.later(hours=2)
    assert town.texts() == 1
    assert len(await town.house.rows(VoterNoticeRetraction)) == 1
    [told] = [e for e in await town.house.rows(JournalEntry) if e.type == "poll.voters_served"][-1:]
    assert told.data["served"] == before


async def test_a_receipt_that_says_success_changes_nothing(town: Town) -> None:
    await town.later(hours=12)
    before = await town.served()
    await town.house.deliver(times=2)

    assert (await town.states(), await town.sends()) == ([("wechat", "sent")], ["sent"])
    assert await town.served() == before
    assert await town.later(hours=1) == 0
    assert town.texts() == 0


@pytest.mark.parametrize(("errcode", "sms"), [(0, 0), (43101, 1)])
async def test_the_receipt_decides_where_the_answer_was_lost(
    town: Town, errcode: int, sms: int
) -> None:
    await town.house.fake.receipt(errcode)
    await town.house.fake.fault(SEND, "lost")
    await town.later(hours=12)
    assert await town.sends() == ["unsure"]
    await town.house.deliver(times=2)
    await town.later(minutes=2)
    await town.later(minutes=2)

    assert await town.sends() == ["not_sent" if errcode else "sent"]
    assert town.texts() == sms
    assert await town.house.fake.calls(SEND) == 1
    ways = {channel for channel, _, stands in await town.proofs() if stands}
    assert ways == ({"sms"} if errcode else {"wechat"})


async def test_a_failed_receipt_that_overtakes_the_answer_is_heeded(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.house.listen(at_once=True)
    await town.house.fake.receipt(43101)
    wechat = town.house.services.wechat
    ask = wechat.ask_with_token

    async def slowly(*args: object, **more: object) -> dict[str, object]:
        answer = await ask(*args, **more)  # type: ignore[arg-type]  # as it was called
        while not await town.house.errands():  # the receipt is here before our answer is noted
            pass
        return answer

    monkeypatch.setattr(wechat, "ask_with_token", slowly)
    await town.later(hours=12)

    assert await town.sends() == ["not_sent"]
    assert await town.states() == [("sms", "sent"), ("wechat", "impossible")]
    assert town.texts() == 1
    assert await town.proofs() == [("sms", 0, True)]


async def test_a_failed_receipt_between_sending_and_recording_is_heeded(town: Town) -> None:
    await town.house.fake.receipt(43101)
    port = town.house.services.sender._channels[Channel.WECHAT]
    send = port.send

    async def told_at_once(letter: Letter) -> Sent:
        sent = await send(letter)
        if sent.outcome is Outcome.SENT:
            await town.house.deliver()
        return sent

    port.send = told_at_once
    await town.later(hours=12)

    assert await town.sends() == ["not_sent"]
    assert await town.states() == [("sms", "sent"), ("wechat", "impossible")]
    assert await town.proofs() == [("sms", 0, True)]


async def test_who_has_read_it_meanwhile_gets_no_sms_and_stays_served(town: Town) -> None:
    await town.house.fake.receipt(43101)
    await town.later(hours=12)
    before = await town.served()
    async with town.db.begin(Actor(person_id=town.voter)) as tx:
        for notice in await inbox.notices(tx, after=None, limit=50):
            _, proofs = await inbox.mark_read(tx, notice.id)
            await record_proofs(tx, proofs)
    await town.house.deliver()

    assert await town.states() == [("wechat", "seen")]
    assert await town.served() == before
    assert await town.proofs() == [("in_app", 0, True), ("wechat", 0, False)]
    assert await town.later(hours=1) == 0
    assert town.texts() == 0


async def test_after_the_close_neither_the_ledger_nor_a_phone_moves(town: Town) -> None:
    await town.house.fake.receipt(43101)
    await town.later(hours=12)
    before = await town.served()
    town.clock.now = town.poll.closes_at
    await town.house.deliver()

    assert await town.sends() == ["not_sent"]
    assert await town.states() == [("wechat", "obsolete")]
    assert await town.served() == before
    assert await town.house.rows(VoterNoticeRetraction) == []


async def test_a_channel_whose_proof_was_retracted_can_prove_again(town: Town) -> None:
    await town.house.fake.receipt(43101)
    await town.later(hours=12)
    await town.house.deliver()
    before = await town.served()
    [wrong] = [row for row in await town.house.rows(VoterNotice) if row.channel == "wechat"]
    await _prove_again(town, wrong)

    assert await town.served() == before + 1
    assert await town.proofs() == [("wechat", 0, False), ("wechat", 1, True)]
    await _prove_again(town, wrong)
    assert len(await town.proofs()) == 2


async def _prove_again(town: Town, wrong: VoterNotice) -> None:
    async with town.db.begin() as tx:
        await record_proofs(
            tx,
            [
                Proof(
                    poll_id=town.poll.id,
                    person_id=town.voter,
                    channel=wrong.channel,
                    at=tx.now,
                    evidence=wrong.evidence,
                    reference="delivery of another day",
                )
            ],
        )


async def test_the_credit_that_wechat_took_stays_spent(town: Town) -> None:
    await town.house.fake.receipt(43101)
    await town.later(hours=12)
    await town.house.deliver()

    [account] = await town.house.rows(WechatAccount)
    async with town.db.begin() as tx:
        accept = Accept(tx.now + timedelta(days=2), client_key="later")
        window = timedelta(hours=1)
        await ledger.add_accept(tx, account.id, OPENED, accept, window=window)
        assert (await ledger.balances(tx, account.id))["T-poll"] == 1
