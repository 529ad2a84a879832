"""Paper in a confidential poll: from a form that a voter signs for to a sheet that is nobody's."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from consultation.append_only import APPEND_ONLY
from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.polls import paper, rules, sheets
from consultation.polls.commands import sheets as commands
from consultation.polls.envelope_tables import Envelope, OpenedBallot, Participation
from consultation.polls.objections import CorrectionKind, RollObjectionKind
from consultation.polls.paper import EntryState, FormFate
from consultation.polls.paper_queries import forms_page
from consultation.polls.presets import BallotChannel, BallotMode, Duplicates, InvalidBallots
from consultation.polls.queries import turnout
from consultation.polls.reconciliation import PollDoesNotReconcile, SheetLine
from consultation.polls.rules import PollState
from consultation.polls.sheet_tables import SealedSheet, SheetEntry
from consultation.polls.tables import Poll
from consultation.refusals import NotPermitted
from consultation.topics.tables import InterestDeclaration
from tests.consultation.polls.stage import OPENERS, Stage
from tests.consultation.polls.test_confidential import rows
from tests.consultation.polls.test_objections import confirm, correction, file, propose
from tests.consultation.polls.test_packs import next_round, notice, pack, signed_receipt
from tests.consultation.polls.test_paper import (
    CLERK,
    GRID,
    ONE,
    OTHER_SCAN,
    SCAN,
    SUPERVISOR,
    TWO,
    Who,
    enter,
    fate,
    issue,
    print_forms,
    report,
    settle,
)
from tests.consultation.polls.test_runoffs import election, village
from tests.verifier import failing


async def hand_in(stage: Stage, poll_id: UUID, form: int, who: Who = GRID) -> None:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        await commands.take_envelope(tx, poll_id, form)


async def enter_sheet(
    stage: Stage,
    poll_id: UUID,
    sheet: int,
    who: Who,
    choice: str | None,
    scans: Sequence[str] = (SCAN,),
) -> EntryState:
    answers = None if choice is None else [(1, [choice])]
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        return await commands.enter_sheet(tx, poll_id, sheet, answers, scans=scans)


async def enter_twice(stage: Stage, poll_id: UUID, sheet: int, choice: str | None) -> None:
    await enter_sheet(stage, poll_id, sheet, ONE, choice)
    assert await enter_sheet(stage, poll_id, sheet, TWO, choice) is EntryState.ENTERED


async def on_paper(stage: Stage, poll: Poll, numbers: Sequence[int]) -> None:
    """The voters in these places sign for the form of their number and hand its envelope in."""
    await print_forms(stage, poll.id, 1, max(numbers) + 2)
    for number in numbers:
        await issue(stage, poll.id, number, number)
        await hand_in(stage, poll.id, number)


async def open_box(stage: Stage, poll_id: UUID) -> Poll:
    """Open the box of a closed poll."""
    for name, role in OPENERS:
        await stage.confirm_opening(poll_id, name, role)
    return await stage.load(poll_id)


async def places(stage: Stage, poll_id: UUID) -> dict[int, UUID]:
    """The voter of each place."""
    roll = (await stage.roll(poll_id)).values()
    return {place.number: place.person_id for place in roll if place.person_id is not None}


async def test_paper_and_phones_are_counted_from_one_box_and_verified_from_the_pack(
    stage: Stage, tmp_path: Path
) -> None:
    poll, _ = await stage.household_poll(8)
    voter = await places(stage, poll.id)
    await on_paper(stage, poll, [1, 2, 3])
    phones = {await stage.cast_sealed(poll.id, voter[n], "for") for n in (4, 5)}
    mine = await signed_receipt(stage, poll.id, voter[1])
    await next_round(stage)
    poll = await stage.closed(poll.id)
    for sheet, choice in ((1, "against"), (2, "for"), (3, None)):
        await enter_twice(stage, poll.id, sheet, choice)
    opened = await open_box(stage, poll.id)
    assert opened.result is not None
    assert (opened.result.valid.heads, opened.result.invalid.heads) == (4, 1)
    await settle(stage, poll.id, CLERK, fate(FormFate.UNUSED, 4, 5))
    await stage.work()
    assert (await stage.published(poll.id)).state is PollState.PUBLISHED

    listed = await rows(stage.db, OpenedBallot, poll.id)
    assert [one.tracker for one in listed] == sorted(one.tracker for one in listed)
    assert {phone.tracker for phone in phones} < {one.tracker for one in listed}
    assert sorted(str(one.choices) for one in listed) == sorted(
        ["{'1': ['for']}"] * 3 + ["{'1': ['against']}", "None"]
    )
    marks = await rows(stage.db, Participation, poll.id)
    assert sorted(mark.channel for mark in marks) == ["electronic"] * 2 + ["paper"] * 3
    assert await rows(stage.db, SealedSheet, poll.id) == []
    assert (await report(stage, poll.id)).sheets == SheetLine(envelopes=3, entered=3)

    files = await pack(stage, poll.id)
    code = await notice(stage, poll.id)
    assert failing(tmp_path, files, notice=code, receipts=[mine]) == {}
    assert len(files["ballots.jsonl"].splitlines()) == 5
    assert b"paper" not in files["ballots.jsonl"]


async def test_nothing_that_a_sheet_says_is_entered_before_the_close_or_under_a_form(
    stage: Stage,
) -> None:
    poll, _ = await stage.household_poll(4)
    await on_paper(stage, poll, [1, 2])
    for state in (PollState.OPEN, PollState.CLOSED):
        assert (await stage.load(poll.id)).state is state
        with pytest.raises(sheets.FormStaysShut):
            await enter(stage, poll.id, 1, ONE, "for")
        if state is PollState.OPEN:
            with pytest.raises(rules.BoxNotClosed):
                await enter_sheet(stage, poll.id, 1, ONE, "for")
            with pytest.raises(rules.BoxNotClosed):
                async with stage.db.read(stage.world.as_(*ONE)) as tx:
                    await commands.read_sheets(tx, poll.id, after=0, limit=5)
            await stage.closed(poll.id)
    await enter_twice(stage, poll.id, 1, "against")
    (sealed,) = await rows(stage.db, SealedSheet, poll.id)
    assert b"against" not in sealed.sealed
    assert len({len(sealed.sealed)} | {await phone_length(stage)}) == 1
    assert {len(one.content) for one in await rows(stage.db, SheetEntry, poll.id)} == {64}
    assert (await stage.load(poll.id)).result is None


async def phone_length(stage: Stage) -> int:
    """How long an envelope from a phone is in such a poll."""
    other, people = await stage.household_poll(2, name="别苑")
    await stage.cast_sealed(other.id, people[0], "for")
    (envelope,) = await rows(stage.db, Envelope, other.id)
    return len(envelope.sealed)


async def test_the_box_stays_shut_until_every_sheet_is_entered_and_there_is_no_other(
    stage: Stage, box_keys_dir: Path
) -> None:
    poll, _ = await stage.household_poll(5)
    await on_paper(stage, poll, [1, 2])
    await stage.closed(poll.id)
    with pytest.raises(sheets.SheetNotThere) as none:  # a sheet that no envelope holds
        await enter_sheet(stage, poll.id, 3, ONE, "for")
    assert none.value.facts == {"sheets": 2}
    await enter_twice(stage, poll.id, 2, "for")
    await enter_sheet(stage, poll.id, 1, ONE, "for")
    for name, role in OPENERS[:2]:
        await stage.confirm_opening(poll.id, name, role)
    with pytest.raises(sheets.SheetsNotEntered) as refused:
        await stage.confirm_opening(poll.id, *OPENERS[2])
    assert refused.value.facts == {"entered": 1, "sheets": 2}
    assert (await stage.load(poll.id)).box_opened_at is None

    await enter_sheet(stage, poll.id, 1, TWO, "for")
    opened = await stage.confirm_opening(poll.id, *OPENERS[2])
    assert opened.result is not None
    assert opened.result.items[0].votes_for.heads == 2
    assert await enter_sheet(stage, poll.id, 1, TWO, "for") is EntryState.ENTERED  # the same again
    with pytest.raises(rules.BoxNotClosed):
        await enter_sheet(stage, poll.id, 1, CLERK, "for")


async def test_two_people_enter_a_sheet_and_a_third_with_both_scans_on_a_mismatch(
    stage: Stage,
) -> None:
    poll, _ = await stage.household_poll(4)
    await on_paper(stage, poll, [1, 2])
    await stage.closed(poll.id)
    assert await enter_sheet(stage, poll.id, 1, ONE, "for") is EntryState.WAITING
    assert await enter_sheet(stage, poll.id, 1, ONE, "for") is EntryState.WAITING
    with pytest.raises(paper.EntryDiffers):
        await enter_sheet(stage, poll.id, 1, ONE, "against")
    assert await enter_sheet(stage, poll.id, 1, TWO, "against", [OTHER_SCAN]) is EntryState.DISPUTED
    async with stage.db.read(stage.world.as_(*SUPERVISOR)) as tx:
        seen = await commands.read_sheets(tx, poll.id, after=0, limit=5)
    assert [(one.sheet, one.state, one.scans) for one in seen] == [
        (1, EntryState.DISPUTED, (SCAN, OTHER_SCAN)),
        (2, None, ()),
    ]
    with pytest.raises(paper.BothScansNeeded):
        await enter_sheet(stage, poll.id, 1, CLERK, "for")
    both = [SCAN, OTHER_SCAN]
    assert await enter_sheet(stage, poll.id, 1, CLERK, "for", both) is EntryState.ENTERED
    with pytest.raises(paper.FormSettled):
        await enter_sheet(stage, poll.id, 1, GRID, "for", both)

    # an empty envelope: two tellers say so
    await enter_sheet(stage, poll.id, 2, CLERK, None)
    assert await enter_sheet(stage, poll.id, 2, GRID, None) is EntryState.DISPUTED
    await enter_sheet(stage, poll.id, 2, ONE, None)
    assert await enter_sheet(stage, poll.id, 2, TWO, None) is EntryState.ENTERED
    opened = await open_box(stage, poll.id)
    assert opened.result is not None
    assert (opened.result.valid.heads, opened.result.invalid.heads) == (1, 1)


async def test_what_was_read_stays_on_record_and_what_was_sealed_does_not(stage: Stage) -> None:
    poll, _ = await stage.household_poll(3)
    await on_paper(stage, poll, [1])
    await stage.closed(poll.id)
    await enter_twice(stage, poll.id, 1, "for")
    for change in ("DELETE FROM sheet_entry", "UPDATE sheet_entry SET readable = NOT readable"):
        with pytest.raises(IntegrityError, match="sheet_entry is append-only"):
            async with stage.db.begin() as tx:
                await tx.session.exec(text(change))
    assert "sheet_entry" in APPEND_ONLY
    await open_box(stage, poll.id)
    assert len(await rows(stage.db, SheetEntry, poll.id)) == 2
    assert await rows(stage.db, SealedSheet, poll.id) == []


async def test_who_may_not_take_in_or_enter(stage: Stage) -> None:
    poll, _ = await stage.household_poll(4)
    await print_forms(stage, poll.id, 1, 3)
    with pytest.raises(paper.FormNotIssued):
        await hand_in(stage, poll.id, 1)
    await issue(stage, poll.id, 1, 1)
    with pytest.raises(paper.SecondStaffNeeded):  # one person alone makes no ballot
        await hand_in(stage, poll.id, 1, CLERK)
    async with stage.db.begin() as tx:
        tx.session.add(
            InterestDeclaration(
                topic_id=poll.topic_id,
                person_id=stage.world.id("teller2"),
                community_id=poll.community_id,
                has_interest=True,
                note="亲属",
                at=tx.now,
            )
        )
    with pytest.raises(rules.NotImpartial):
        await hand_in(stage, poll.id, 1, TWO)
    for who in (SUPERVISOR, ("secretary", Role.PARTY_SECRETARY)):
        with pytest.raises(NotPermitted):
            await hand_in(stage, poll.id, 1, who)
    await hand_in(stage, poll.id, 1)
    await stage.closed(poll.id)
    with pytest.raises(rules.NotImpartial):
        await enter_sheet(stage, poll.id, 1, TWO, "for")
    with pytest.raises(NotPermitted):
        await enter_sheet(stage, poll.id, 1, SUPERVISOR, "for")


async def test_an_envelope_of_whoever_lost_the_place_is_not_taken_in(stage: Stage) -> None:
    place, people = await village(stage, 4)
    topic = await stage.topic("village_election", place)
    poll = await stage.announced("village_election", topic, place, items=[election("ab", 1)])
    voter = await places(stage, poll.id)
    await print_forms(stage, poll.id, 1, 1)
    await issue(stage, poll.id, 1, 2)
    (other,) = await stage.people(1, place.id)
    objection = await file(stage, poll.id, people[0], 2, RollObjectionKind.WRONG_VOTER, "不是他")
    fix = correction(CorrectionKind.SET_VOTER, number=2, person_id=other)
    await propose(stage, objection, correction=fix)
    await confirm(stage, objection)
    assert (await places(stage, poll.id))[2] == other != voter[2]
    stage.clock.now = poll.opens_at
    await stage.work()
    with pytest.raises(rules.NotOnRoll):
        await hand_in(stage, poll.id, 1, ONE)
    assert (await turnout_of(stage, poll.id)) == 0


async def turnout_of(stage: Stage, poll_id: UUID) -> int:
    async with stage.db.read() as tx:
        return (await turnout(tx, poll_id)).heads


async def test_a_sheet_is_not_entered_from_a_scan_of_another_poll(stage: Stage) -> None:
    named, _ = await stage.household_poll(2, name="别苑", mode=BallotMode.NAMED)
    await print_forms(stage, named.id, 1, 1)
    await issue(stage, named.id, 1, 1)
    await enter(stage, named.id, 1, ONE, "for", [SCAN])
    poll, _ = await stage.household_poll(2)
    await on_paper(stage, poll, [1, 2])
    await stage.closed(poll.id)
    with pytest.raises(paper.ScanOfAnotherPoll):
        await enter_sheet(stage, poll.id, 1, ONE, "for", [SCAN])
    for sheet in (1, 2):
        state = await enter_sheet(stage, poll.id, sheet, ONE, "for", [OTHER_SCAN])
        assert state is EntryState.WAITING


async def test_named_polls_have_no_sheets(stage: Stage) -> None:
    poll, _ = await stage.household_poll(3, mode=BallotMode.NAMED)
    await print_forms(stage, poll.id, 1, 2)
    await issue(stage, poll.id, 1, 1)
    with pytest.raises(rules.NoBox):
        await hand_in(stage, poll.id, 1)
    await stage.closed(poll.id)
    with pytest.raises(rules.NoBox):
        await enter_sheet(stage, poll.id, 1, ONE, "for")


async def test_handing_in_is_turnout_and_the_voter_is_told_once(stage: Stage) -> None:
    poll, _ = await stage.household_poll(4)
    voter = await places(stage, poll.id)
    await print_forms(stage, poll.id, 1, 4)
    await issue(stage, poll.id, 1, 1)
    async with stage.db.read() as tx:
        assert (await turnout(tx, poll.id)).heads == 0  # who has a form has not voted
    await hand_in(stage, poll.id, 1)
    await hand_in(stage, poll.id, 1, ONE)
    async with stage.db.read() as tx:
        assert (await turnout(tx, poll.id)).heads == 1
        told = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == "user.ballot_recorded")
        )
        assert [(one.stream, one.data) for one in told] == [
            (f"user:{voter[1]}", {"poll_id": str(poll.id), "channel": "paper"})
        ]
    with pytest.raises(paper.FormSettled):
        await settle(stage, poll.id, CLERK, fate(FormFate.SPOILED, 1))
    await issue(stage, poll.id, 2, 2)
    await settle(stage, poll.id, CLERK, fate(FormFate.SPOILED, 2))
    with pytest.raises(paper.FormSettled):
        await hand_in(stage, poll.id, 2)
    await issue(stage, poll.id, 3, 2)
    await stage.closed(poll.id)
    with pytest.raises(rules.PollClosed):
        await hand_in(stage, poll.id, 3)


@pytest.mark.parametrize("duplicates", list(Duplicates))
async def test_of_paper_and_phone_the_one_that_the_preset_names_stands(
    stage: Stage, duplicates: Duplicates
) -> None:
    poll, _ = await stage.household_poll(6, rule={"duplicates": duplicates})
    voter = await places(stage, poll.id)
    prevails = duplicates is Duplicates.PAPER_PREVAILS
    await stage.cast_sealed(poll.id, voter[1], "for")
    await on_paper(stage, poll, [1, 2])  # place 1 after the phone
    if prevails:
        with pytest.raises(rules.AlreadyVoted):
            await stage.cast_sealed(poll.id, voter[2], "for")
    else:
        await stage.cast_sealed(poll.id, voter[2], "for")
    await issue(stage, poll.id, 3, 3)
    await stage.cast_sealed(poll.id, voter[3], "for")  # a form that is not handed in takes nothing

    poll = await stage.closed(poll.id)
    async with stage.db.read() as tx:
        forms = await forms_page(tx, poll, after=0, limit=4)
    assert [one.to_open for one in forms] == [prevails, prevails, None, None]
    if prevails:
        await enter_twice(stage, poll.id, 1, "against")
        await enter_twice(stage, poll.id, 2, "against")
    else:
        with pytest.raises(sheets.SheetNotThere):  # both envelopes stay shut
            await enter_sheet(stage, poll.id, 1, ONE, "against")
    opened = await open_box(stage, poll.id)
    assert opened.result is not None
    motion = opened.result.items[0]
    assert (motion.votes_for.heads, motion.votes_against.heads) == ((1, 2) if prevails else (3, 0))
    await settle(stage, poll.id, CLERK, fate(FormFate.KEPT, 3), fate(FormFate.UNUSED, 4))
    found = await report(stage, poll.id)
    assert found.differences == []
    lines = {line.channel: line for line in found.channels}
    line = lines[BallotChannel.PAPER]
    assert (line.cast, line.counted, line.set_aside, line.replaced) == (
        (2, 2, 0, 0) if prevails else (2, 0, 1, 1)
    )
    assert (found.paper.returned, found.voters) == (2, 3)
    await stage.work()
    assert (await stage.published(poll.id)).state is PollState.PUBLISHED


async def test_nobody_signs_while_sheets_envelopes_and_forms_differ(stage: Stage) -> None:
    poll, _ = await stage.household_poll(6)
    await on_paper(stage, poll, [1, 2, 3])
    await stage.closed(poll.id)
    for sheet in (1, 2, 3):
        await enter_twice(stage, poll.id, sheet, "for")
    await open_box(stage, poll.id)
    await stage.work()
    await settle(stage, poll.id, CLERK, fate(FormFate.UNUSED, 4, 5))
    async with stage.db.begin() as tx:  # by somebody with a hand in the database
        tx.session.add(
            SheetEntry(
                poll_id=poll.id,
                sheet=4,
                person_id=stage.world.id("teller1"),
                entry_no=1,
                community_id=poll.community_id,
                by_teller=True,
                readable=False,
                content="0" * 64,
                scans=[SCAN],
                at=tx.now,
            )
        )
        tx.session.add(
            SheetEntry(
                poll_id=poll.id,
                sheet=4,
                person_id=stage.world.id("teller2"),
                entry_no=2,
                community_id=poll.community_id,
                by_teller=True,
                readable=False,
                content="0" * 64,
                scans=[SCAN],
                at=tx.now,
            )
        )
    with pytest.raises(PollDoesNotReconcile) as refused:
        await stage.sign(poll.id, "teller1", Role.TELLER)
    assert refused.value.facts == {"differences": ["sheets 3/4", "sheets_invalid 1/0"]}


@pytest.mark.parametrize("invalid", list(InvalidBallots))
async def test_whether_a_sheet_that_cannot_be_read_takes_part_is_the_presets(
    stage: Stage, invalid: InvalidBallots
) -> None:
    poll, _ = await stage.household_poll(4, rule={"invalid": invalid})
    await on_paper(stage, poll, [1, 2])
    await stage.closed(poll.id)
    await enter_twice(stage, poll.id, 1, "for")
    await enter_twice(stage, poll.id, 2, None)
    opened = await open_box(stage, poll.id)
    assert opened.result is not None
    counts = invalid is InvalidBallots.PARTICIPATING
    assert opened.result.participating.heads == (2 if counts else 1)
    assert (await report(stage, poll.id)).voters == 2
