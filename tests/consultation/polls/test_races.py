"""Two people at the same thing at once: the second waits for the first, and is answered."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlmodel import select

from api.phrases import write
from consultation.community.tables import Ownership
from consultation.database import Transaction
from consultation.permissions import Actor, Role
from consultation.polls import paper
from consultation.polls.commands import countersigning, designations, drafting, objections
from consultation.polls.commands import paper as forms
from consultation.polls.countersign_tables import Countersignature
from consultation.polls.countersigning import (
    CountersignAnswered,
    CountersignState,
    CountersignSubject,
    EntryKey,
)
from consultation.polls.designations import RollFrozen
from consultation.polls.objection_tables import RollObjection
from consultation.polls.objections import RollObjectionFiled, RollObjectionKind
from consultation.polls.paper_tables import PaperIssue
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_countersigning import help_to_vote
from tests.consultation.polls.test_electorates import SHA, co_owned
from tests.consultation.polls.test_objections import announced
from tests.consultation.polls.test_paper import SIGNATURE, print_forms

Deed = Callable[[Transaction], Awaitable[Any]]


async def while_it_runs(
    stage: Stage, first: tuple[Actor, Deed], second: tuple[Actor, Deed]
) -> object:
    """What the second gets, who comes when the first has done everything but commit."""

    async def come() -> Any:
        async with stage.db.begin(second[0]) as tx:
            return await second[1](tx)

    async with stage.db.begin(first[0]) as tx:
        await first[1](tx)
        later = asyncio.create_task(come())
        await asyncio.sleep(0.3)
    (found,) = await asyncio.gather(later, return_exceptions=True)
    return found


async def test_a_helper_who_taps_twice_countersigns_once(stage: Stage) -> None:
    poll, _ = await stage.household_poll(8)
    await help_to_vote(stage, poll, 3)
    helper = Actor(person_id=stage.world.id("resident6"))
    key = EntryKey(CountersignSubject.ASSISTED, 3, 1)

    def confirm(tx: Transaction) -> Awaitable[Any]:
        return countersigning.countersign(tx, poll.id, key, confirmed=True)

    def refuse(tx: Transaction) -> Awaitable[Any]:
        return countersigning.countersign(tx, poll.id, key, confirmed=False, reason="不是我")

    found = await while_it_runs(stage, (helper, confirm), (helper, confirm))
    assert found is CountersignState.CONFIRMED
    found = await while_it_runs(stage, (helper, confirm), (helper, refuse))
    assert isinstance(found, CountersignAnswered)
    async with stage.db.read() as tx:
        assert len(list(await tx.session.exec(select(Countersignature)))) == 1


async def test_nobody_is_named_while_a_roll_is_frozen(stage: Stage) -> None:
    entrance, unit, wife, husband = await co_owned(stage)
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.drafted("lift_scope_owners", topic, entrance)

    def announce(tx: Transaction) -> Awaitable[Any]:
        return drafting.announce_poll(tx, poll.id, write=write)

    def name(tx: Transaction) -> Awaitable[Any]:
        return designations.name_owner_voter(
            tx, unit, person_id=husband, evidence_sha256=SHA, witness_id=None
        )

    found = await while_it_runs(stage, (stage.secretary, announce), (stage.clerk, name))
    assert isinstance(found, RollFrozen)
    async with stage.db.read() as tx:
        assert (await tx.session.get_one(Ownership, (unit, wife))).named_voter
    assert wife in {place.person_id for place in (await stage.roll(poll.id)).values()}


async def test_a_roll_that_is_frozen_while_somebody_is_named_has_the_new_voter(
    stage: Stage,
) -> None:
    entrance, unit, wife, husband = await co_owned(stage)
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.drafted("lift_scope_owners", topic, entrance)

    def announce(tx: Transaction) -> Awaitable[Any]:
        return drafting.announce_poll(tx, poll.id, write=write)

    def name(tx: Transaction) -> Awaitable[Any]:
        return designations.name_owner_voter(
            tx, unit, person_id=husband, evidence_sha256=SHA, witness_id=None
        )

    found = await while_it_runs(stage, (stage.clerk, name), (stage.secretary, announce))
    assert not isinstance(found, BaseException)
    on_roll = {place.person_id for place in (await stage.roll(poll.id)).values()}
    assert (husband in on_roll, wife in on_roll) == (True, False)


async def test_one_form_that_two_people_hand_out_goes_to_one_voter(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 2)

    def to(number: int, form: int = 1) -> Deed:
        def hand_out(tx: Transaction) -> Awaitable[Any]:
            return forms.issue_form(tx, poll.id, form, number=number, signature_sha256=SIGNATURE)

        return hand_out

    worker = stage.world.as_("grid_worker", Role.GRID_WORKER)
    found = await while_it_runs(stage, (stage.clerk, to(1)), (worker, to(2)))
    assert isinstance(found, paper.FormIssued)
    again = await while_it_runs(stage, (stage.clerk, to(3, 2)), (stage.clerk, to(3, 2)))
    assert again is False  # the same at once; nobody voted yet
    async with stage.db.read() as tx:
        issues = await tx.session.exec(select(PaperIssue.form, PaperIssue.number))
        assert set(issues) == {(1, 1), (2, 3)}


async def test_an_objection_that_is_sent_twice_at_once_is_one(stage: Stage) -> None:
    poll, owners, _ = await announced(stage)
    owner = Actor(person_id=owners[0])

    def say(ground: str) -> Deed:
        def file(tx: Transaction) -> Awaitable[Any]:
            return objections.file_objection(
                tx, poll.id, 2, kind=RollObjectionKind.WRONG_AREA, ground=ground
            )

        return file

    found = await while_it_runs(stage, (owner, say("面积不对")), (owner, say("面积不对")))
    assert isinstance(found, RollObjection)
    found = await while_it_runs(stage, (owner, say("面积不对")), (owner, say("别的")))
    assert isinstance(found, RollObjectionFiled)
    async with stage.db.read() as tx:
        assert len(list(await tx.session.exec(select(RollObjection)))) == 1
