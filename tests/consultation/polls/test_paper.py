"""Paper: numbered forms, two people who do not see one another's entry, and no form lost."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.polls import paper, rules
from consultation.polls.commands import casting
from consultation.polls.commands import paper as forms
from consultation.polls.commands.paper import Settlement
from consultation.polls.paper import EntryState, FormFate
from consultation.polls.paper_queries import forms_page
from consultation.polls.paper_tables import PaperEntry, PaperScan
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.reconciliation import PollDoesNotReconcile, Reconciliation
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.rules import PollState
from consultation.polls.tables import Ballot, Poll
from consultation.refusals import NotPermitted, Refusal
from consultation.topics.tables import InterestDeclaration
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_objections import announced, goes_to
from tests.world import World

SCAN, OTHER_SCAN, SIGNATURE = "a" * 64, "b" * 64, "c" * 64
CLERK, GRID = ("clerk", Role.CLERK), ("grid_worker", Role.GRID_WORKER)
ONE, TWO = ("teller1", Role.TELLER), ("teller2", Role.TELLER)
SUPERVISOR = ("supervisor", Role.SUPERVISOR)
Who = tuple[str, Role]


async def print_forms(stage: Stage, poll_id: UUID, first: int, last: int) -> None:
    async with stage.db.begin(stage.world.as_(*CLERK)) as tx:
        await forms.print_forms(tx, poll_id, first=first, last=last)


async def issue(
    stage: Stage, poll_id: UUID, form: int, number: int, *, who: Who = CLERK, **more: Any
) -> None:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        await forms.issue_form(tx, poll_id, form, number=number, signature_sha256=SIGNATURE, **more)


async def enter(
    stage: Stage,
    poll_id: UUID,
    form: int,
    who: Who,
    choice: str | None,
    scans: Sequence[str] = (SCAN,),
) -> EntryState:
    answers = None if choice is None else [(1, [choice])]
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        return await forms.enter_form(tx, poll_id, form, answers, scans=scans)


async def settle(stage: Stage, poll_id: UUID, who: Who, *settlements: Settlement) -> int:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        return await forms.settle_forms(tx, poll_id, settlements)


def fate(
    fate: FormFate, first: int, last: int | None = None, note: str | None = None
) -> Settlement:
    if note is None and fate in (FormFate.SPOILED, FormFate.KEPT):
        note = "票面残破收回" if fate is FormFate.SPOILED else "上门两次未交回"
    return Settlement(first=first, last=last or first, fate=fate, note=note)


async def ballots(stage: Stage, poll_id: UUID) -> list[Ballot]:
    async with stage.db.read() as tx:
        rows = await tx.session.exec(
            select(Ballot).where(Ballot.poll_id == poll_id).order_by(Ballot.cast_at)  # type: ignore[arg-type]
        )
        return list(rows)


async def poll_of_the_world(stage: Stage) -> Poll:
    """An open poll of the six residents of the world, two of whom may be made tellers."""
    entrance = stage.world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    return await stage.opened("lift_scope_owners", topic, entrance)


async def report(stage: Stage, poll_id: UUID) -> Reconciliation:
    poll = await stage.load(poll_id)
    async with stage.db.read() as tx:
        return await reconciliation_of(tx, poll)


async def test_two_people_enter_a_form_and_only_then_it_is_a_ballot(
    stage: Stage, world: World
) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 10)
    await issue(stage, poll.id, 1, 1)

    assert await enter(stage, poll.id, 1, ONE, "against") is EntryState.WAITING
    assert await ballots(stage, poll.id) == []
    assert await enter(stage, poll.id, 1, ONE, "against") is EntryState.WAITING  # the same again
    with pytest.raises(paper.EntryDiffers):  # nobody tries until it fits
        await enter(stage, poll.id, 1, ONE, "for")
    assert await enter(stage, poll.id, 1, TWO, "against") is EntryState.ENTERED
    assert await enter(stage, poll.id, 1, TWO, "against") is EntryState.ENTERED

    (ballot,) = await ballots(stage, poll.id)
    assert (ballot.channel, ballot.choices) == (BallotChannel.PAPER, {"1": ["against"]})
    assert ballot.entered_by_id == world.id("teller2")
    with pytest.raises(paper.FormSettled):
        await enter(stage, poll.id, 1, CLERK, "against")
    async with stage.db.read() as tx:
        entries = list(await tx.session.exec(select(PaperEntry)))
        told = [row.data for row in await tx.session.exec(select_journal("user.ballot_recorded"))]
    assert [len(entry.content) for entry in entries] == [64, 64]  # what they read stands nowhere
    assert told == [{"poll_id": str(poll.id), "channel": "paper"}]


def select_journal(kind: str) -> Any:
    return select(JournalEntry).where(JournalEntry.type == kind)


async def test_on_a_mismatch_a_third_person_decides_with_both_scans(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 10)
    await issue(stage, poll.id, 1, 1)
    await enter(stage, poll.id, 1, ONE, "for")
    assert await enter(stage, poll.id, 1, TWO, "against", [OTHER_SCAN]) is EntryState.DISPUTED
    assert await ballots(stage, poll.id) == []

    async with stage.db.read() as tx:
        rows = await forms_page(tx, poll, after=0, limit=2)
    assert [(row.form, row.number, row.state, row.scans) for row in rows] == [
        (1, 1, EntryState.DISPUTED, (SCAN, OTHER_SCAN)),
        (2, None, None, ()),
    ]
    with pytest.raises(paper.BothScansNeeded):
        await enter(stage, poll.id, 1, CLERK, "for")
    # even the third may read something else again; then a fourth has to look
    assert (
        await enter(stage, poll.id, 1, CLERK, "abstain", [SCAN, OTHER_SCAN]) is EntryState.DISPUTED
    )
    assert await enter(stage, poll.id, 1, GRID, "for", [SCAN, OTHER_SCAN]) is EntryState.ENTERED
    (ballot,) = await ballots(stage, poll.id)
    assert ballot.choices == {"1": ["for"]}


async def test_a_scan_shows_papers_of_one_poll_and_may_show_many(stage: Stage) -> None:
    polls = [
        (await stage.household_poll(2, name=name, mode=BallotMode.NAMED))[0]
        for name in ("甲苑", "乙苑")
    ]
    one, two = polls
    for poll in polls:
        await print_forms(stage, poll.id, 1, 2)
        for form in (1, 2):
            await issue(stage, poll.id, form, form)
    batch, mine = "1" * 64, "2" * 64

    for form in (1, 2):  # both forms are in one file of the scanner, and in one of the second's
        assert await enter(stage, one.id, form, ONE, "for", [batch]) is EntryState.WAITING
        assert await enter(stage, one.id, form, TWO, "for", [mine]) is EntryState.ENTERED
    for scans in ([batch], [OTHER_SCAN, mine]):
        with pytest.raises(paper.ScanOfAnotherPoll) as refused:
            await enter(stage, two.id, 1, ONE, "for", scans)
        assert refused.value.facts == {"scans": [scans[-1]]}
    assert await enter(stage, two.id, 1, ONE, "for", [OTHER_SCAN]) is EntryState.WAITING
    async with stage.db.read() as tx:
        rows = await tx.session.exec(select(PaperScan.sha256, PaperScan.poll_id))
        assert set(rows) == {(batch, one.id), (mine, one.id), (OTHER_SCAN, two.id)}


async def test_a_scan_that_comes_to_two_polls_at_once_is_of_one(stage: Stage) -> None:
    polls = [
        (await stage.household_poll(2, name=name, mode=BallotMode.NAMED))[0]
        for name in ("甲苑", "乙苑")
    ]
    for poll in polls:
        await print_forms(stage, poll.id, 1, 1)
        await issue(stage, poll.id, 1, 1)

    found = await asyncio.gather(
        *(enter(stage, poll.id, 1, ONE, "for", [SCAN, OTHER_SCAN]) for poll in polls),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in found) == ["EntryState", "ScanOfAnotherPoll"]


async def test_an_unreadable_form_is_invalid_by_two_tellers_and_by_nobody_else(
    stage: Stage,
) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 10)
    await issue(stage, poll.id, 1, 1)
    await enter(stage, poll.id, 1, CLERK, None)
    assert await enter(stage, poll.id, 1, GRID, None) is EntryState.DISPUTED
    assert await enter(stage, poll.id, 1, ONE, None) is EntryState.DISPUTED
    assert await ballots(stage, poll.id) == []
    assert await enter(stage, poll.id, 1, TWO, None) is EntryState.ENTERED

    (ballot,) = await ballots(stage, poll.id)
    assert ballot.choices is None
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert (closed.result.invalid.heads, closed.result.participating.heads) == (1, 0)
    await settle(stage, poll.id, CLERK, fate(FormFate.UNUSED, 2, 10))
    line = (await report(stage, poll.id)).channels[0]
    assert (line.channel, line.cast, line.invalid, line.counted) == (BallotChannel.PAPER, 1, 1, 0)
    assert (await report(stage, poll.id)).reconciles


async def test_the_same_entries_at_once_settle_a_form_once(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 4)
    await issue(stage, poll.id, 1, 1)

    states = await asyncio.gather(
        *(enter(stage, poll.id, 1, who, "for") for who in (ONE, TWO, ONE, TWO))
    )

    assert EntryState.ENTERED in states
    assert len(await ballots(stage, poll.id)) == 1


async def test_a_form_goes_to_one_voter_and_a_voter_has_one_form(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    with pytest.raises(paper.FormNotPrinted):
        await issue(stage, poll.id, 1, 1)
    with pytest.raises(paper.FormsOutOfOrder):
        await print_forms(stage, poll.id, 2, 5)  # a gap would look like lost forms
    await print_forms(stage, poll.id, 1, 4)
    await print_forms(stage, poll.id, 1, 4)
    await print_forms(stage, poll.id, 5, 6)
    with pytest.raises(paper.FormsOutOfOrder):
        await print_forms(stage, poll.id, 5, 8)
    await issue(stage, poll.id, 1, 1)
    await issue(stage, poll.id, 1, 1)
    with pytest.raises(paper.FormIssued):
        await issue(stage, poll.id, 1, 2)
    with pytest.raises(paper.VoterHasForm):
        await issue(stage, poll.id, 2, 1)
    with pytest.raises(paper.FormNotIssued):
        await enter(stage, poll.id, 2, ONE, "for")
    with pytest.raises(rules.NotOnRoll):
        await issue(stage, poll.id, 2, 99)

    with pytest.raises(paper.FateNotPossible) as refused:
        await settle(stage, poll.id, CLERK, fate(FormFate.SPOILED, 1, note=" "))
    assert refused.value.facts == {"problem": "note_missing"}
    assert await settle(stage, poll.id, CLERK, fate(FormFate.SPOILED, 1)) == 1
    assert await settle(stage, poll.id, CLERK, fate(FormFate.SPOILED, 1)) == 0
    await issue(stage, poll.id, 2, 1)  # a spoiled form is exchanged
    with pytest.raises(paper.FormSettled):
        await enter(stage, poll.id, 1, ONE, "for")


async def test_a_form_of_whoever_lost_the_place_is_no_ballot_of_who_has_it(stage: Stage) -> None:
    poll, owners, _ = await announced(stage)
    (buyer,) = await stage.people(1, poll.community_id)
    await print_forms(stage, poll.id, 1, 2)
    await issue(stage, poll.id, 1, 1)  # signed for by the seller, before the roll is settled
    await goes_to(stage, poll, owners[0], 1, buyer)
    stage.clock.now = poll.opens_at
    await stage.work()
    with pytest.raises(rules.NotOnRoll):
        await enter(stage, poll.id, 1, ONE, "for")
    assert await ballots(stage, poll.id) == []
    await settle(stage, poll.id, CLERK, fate(FormFate.SPOILED, 1))
    await issue(stage, poll.id, 2, 1)
    await enter(stage, poll.id, 2, ONE, "against")
    assert await enter(stage, poll.id, 2, TWO, "against") is EntryState.ENTERED


async def test_at_the_door_there_are_two_members_of_staff(stage: Stage, world: World) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 4)
    for second in (world.id("clerk"), world.id("resident1"), world.id("company")):
        with pytest.raises(paper.SecondStaffNeeded):
            await issue(stage, poll.id, 1, 1, second_staff_id=second)
    await issue(stage, poll.id, 1, 1, second_staff_id=world.id("grid_worker"))
    await enter(stage, poll.id, 1, ONE, "for")
    await enter(stage, poll.id, 1, TWO, "for")

    (ballot,) = await ballots(stage, poll.id)
    assert ballot.channel is BallotChannel.HOME_VISIT


async def test_a_voter_who_is_staff_is_not_the_second_at_their_own_door(
    stage: Stage, world: World
) -> None:
    poll = await poll_of_the_world(stage)
    await stage.other_tellers()
    await print_forms(stage, poll.id, 1, 4)
    number = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}
    voter = world.id("resident6")
    with pytest.raises(paper.SecondStaffNeeded):
        await issue(stage, poll.id, 1, number[voter], second_staff_id=voter)
    await issue(stage, poll.id, 1, number[world.id("resident2")], second_staff_id=voter)


async def test_who_may_not_touch_paper(stage: Stage, world: World) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 4)
    await issue(stage, poll.id, 1, 1)
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
    refused: list[tuple[Who, type[Refusal]]] = [
        (TWO, rules.NotImpartial),
        (("company", Role.PROPERTY_COMPANY), NotPermitted),
        (("secretary", Role.PARTY_SECRETARY), NotPermitted),
        (SUPERVISOR, NotPermitted),
    ]
    for who, refusal in refused:
        with pytest.raises(refusal):
            await enter(stage, poll.id, 1, who, "for")
        with pytest.raises(refusal):
            await issue(stage, poll.id, 2, 2, who=who)
    with pytest.raises(rules.WrongChannel):  # paper has no other road
        async with stage.db.begin(world.as_(*ONE)) as tx:
            await casting.record_ballot(
                tx,
                poll.id,
                1,
                [(1, ["for"])],
                channel=BallotChannel.PAPER,
                consent_note="x",
                helper_id=world.id("resident1"),
            )
    assert await ballots(stage, poll.id) == []


async def test_all_paper_is_in_before_the_close(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 4)
    await issue(stage, poll.id, 1, 1)
    await issue(stage, poll.id, 2, 2)
    await enter(stage, poll.id, 1, ONE, "for")
    poll = await stage.closed(poll.id)
    for call in (
        enter(stage, poll.id, 1, TWO, "for"),
        issue(stage, poll.id, 3, 3),
        print_forms(stage, poll.id, 5, 6),
    ):
        with pytest.raises(rules.PollClosed):
            await call

    # one form had one entry: nobody but the supervisor writes off a ballot that was handed in
    for who, one in (
        (CLERK, fate(FormFate.SPOILED, 1)),
        (CLERK, fate(FormFate.KEPT, 1)),
        (CLERK, fate(FormFate.LATE, 1, note="第二人未录入")),
        (SUPERVISOR, fate(FormFate.LATE, 1)),
        (CLERK, fate(FormFate.UNUSED, 2)),
        (CLERK, fate(FormFate.KEPT, 3)),
        (CLERK, fate(FormFate.MISSING, 3, note="找不到")),
        (CLERK, fate(FormFate.RETURNED, 3)),
    ):
        with pytest.raises(paper.FateNotPossible):
            await settle(stage, poll.id, who, one)
    await settle(stage, poll.id, SUPERVISOR, fate(FormFate.LATE, 1, note="截止前只录入一次"))
    await settle(stage, poll.id, CLERK, fate(FormFate.KEPT, 2), fate(FormFate.UNUSED, 3, 4))
    line = (await report(stage, poll.id)).paper
    assert (line.printed, line.issued, line.late, line.kept, line.unused) == (4, 2, 1, 1, 2)


async def test_nobody_signs_while_a_form_is_lost(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 12)
    await issue(stage, poll.id, 1, 1)
    await enter(stage, poll.id, 1, ONE, "for")
    await enter(stage, poll.id, 1, TWO, "for")
    await stage.vote(poll.id, owners[1:], "f" * 11)
    await stage.closed(poll.id)
    await settle(stage, poll.id, CLERK, fate(FormFate.UNUSED, 2, 11))

    lost = await report(stage, poll.id)
    assert (lost.reconciles, lost.paper.unaccounted) == (False, 1)
    with pytest.raises(PollDoesNotReconcile) as refused:
        await stage.sign(poll.id, "teller1", Role.TELLER)
    assert refused.value.facts == {"differences": ["forms_accounted 12/11"]}
    await settle(stage, poll.id, SUPERVISOR, fate(FormFate.MISSING, 12, note="印刷时少装一张"))
    assert (await stage.published(poll.id)).state is PollState.PUBLISHED


async def test_a_duplicate_on_paper_and_on_the_phone_is_settled_by_the_preset(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()  # electronic prevails
    await print_forms(stage, poll.id, 1, 2)
    await stage.cast(poll.id, owners[0], "for")
    for number in (1, 2):
        await issue(stage, poll.id, number, number)
        await enter(stage, poll.id, number, ONE, "against")
        await enter(stage, poll.id, number, TWO, "against")
    await stage.cast(poll.id, owners[1], "for")  # after the paper

    lines = {line.channel: line for line in (await report(stage, poll.id)).channels}
    paper_line, phone = lines[BallotChannel.PAPER], lines[BallotChannel.ELECTRONIC]
    assert (paper_line.cast, paper_line.set_aside, paper_line.replaced) == (2, 1, 1)
    assert (phone.cast, phone.counted) == (2, 2)
    published = await stage.published(poll.id)
    assert published.result is not None
    assert published.result.items[0].votes_for.heads == 2
