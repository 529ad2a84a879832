"""Paper in a confidential poll: envelopes are handed in until the close, and sheets that lead to
nobody are entered by two people after it."""

from collections.abc import Sequence
from uuid import UUID

from consultation.database import Transaction
from consultation.events.people import BallotRecordedForVoter
from consultation.permissions import Deed, Role, check
from consultation.polls import envelopes, leaves, paper, rules, sheets
from consultation.polls.commands.casting import Answers, check_present
from consultation.polls.commands.paper import check_scans_here, voter_in
from consultation.polls.envelope_box import hand_in
from consultation.polls.paper import EntryState, FormFate
from consultation.polls.paper_queries import fate_of, issue_of
from consultation.polls.paper_tables import PaperFate
from consultation.polls.presets import BallotMode
from consultation.polls.queries import Hold, access_poll, check_impartial
from consultation.polls.rules import Choices, PollState
from consultation.polls.sheet_queries import (
    SheetRow,
    entries_of_sheet,
    envelopes_on_paper,
    sheets_page,
)
from consultation.polls.sheet_tables import SealedSheet, SheetEntry
from consultation.polls.tables import Poll

STANDS = 1
"""``PaperFate.cast_no`` of an envelope that became its voter's ballot when it was handed in."""


async def take_envelope(tx: Transaction, poll_id: UUID, form: int) -> PaperFate:
    """The voter of a form handed in its envelope, shut, to somebody who did not issue the form. The
    voter is told. Whether it is their ballot, beside one from the phone, is said by the same rule
    as in a named poll. Asking again changes nothing.

    Refuses with NoBox, FormNotIssued, FormSettled, PollNotOpen, PollClosed, NotImpartial,
    SecondStaffNeeded, NotOnRoll, NotAtMeeting or AlreadyVoted.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.POLL_SHARED)
    check_has_box(poll)
    issue = await issue_of(tx, poll, form, lock=True)
    if issue is None:
        raise paper.FormNotIssued()
    known = await fate_of(tx, poll, form)
    if known is not None:
        if known.fate is not FormFate.RETURNED:
            raise paper.FormSettled()
        return known
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    if issue.issued_by_id == tx.person_id:
        raise paper.SecondStaffNeeded()
    place = await voter_in(tx, poll, issue.number)
    if place.person_id != issue.voter_id:  # an objection gave the place to another
        raise rules.NotOnRoll(numbers=[str(issue.number)])
    await check_present(tx, poll, [place])

    stands = await hand_in(tx, poll, place, channel=issue.channel, form=form)
    returned = PaperFate(
        poll_id=poll.id,
        form=form,
        community_id=poll.community_id,
        fate=FormFate.RETURNED,
        cast_no=STANDS if stands else None,
        by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(returned)
    tx.emit(
        BallotRecordedForVoter(
            community_id=poll.community_id,
            person_id=issue.voter_id,
            poll_id=poll.id,
            channel=issue.channel.value,
        )
    )
    return returned


async def enter_sheet(
    tx: Transaction, poll_id: UUID, sheet: int, answers: Answers | None, *, scans: Sequence[str]
) -> EntryState:
    """Enter what a sheet says, or None if it cannot be read. Nobody learns what the other entry
    says; when two agree, the ballot is sealed for the opening of the box. The same entry again
    changes nothing.

    Refuses with NoBox, BoxNotClosed, NotImpartial, SheetNotThere, FormSettled, EntryDiffers,
    BothScansNeeded, ScanOfAnotherPoll or BallotInvalid.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.TOPIC_AND_POLL)
    check_has_box(poll)
    choices = None if answers is None else rules.check_ballot(poll.items, answers)
    entries = await entries_of_sheet(tx, poll, sheet)
    entry = paper.Entry(
        person_id=tx.person_id,
        by_teller=tx.standing.role is Role.TELLER,
        readable=choices is not None,
        content=_content(tx, poll, sheet, choices),
        scans=tuple(sorted(set(scans))),
    )
    if paper.repeated(entries, entry):
        return paper.state_of(entries) or EntryState.WAITING
    if poll.state is not PollState.CLOSED or poll.box_opened_at is not None:
        raise rules.BoxNotClosed(state=poll.state.value)
    await check_impartial(tx, poll, topic)
    sheets.check_number(sheet, envelopes=await envelopes_on_paper(tx, poll))
    if paper.state_of(entries) is EntryState.ENTERED:
        raise paper.FormSettled()
    paper.check_scans(entries, entry.scans)
    await check_scans_here(tx, poll, entry.scans)

    tx.session.add(
        SheetEntry(
            poll_id=poll.id,
            sheet=sheet,
            person_id=tx.person_id,
            entry_no=len(entries) + 1,
            community_id=poll.community_id,
            by_teller=entry.by_teller,
            readable=entry.readable,
            content=entry.content,
            scans=list(entry.scans),
            at=tx.now,
        )
    )
    state = paper.state_of([*entries, entry])
    assert state is not None
    if state is EntryState.ENTERED:
        tx.session.add(
            SealedSheet(
                poll_id=poll.id,
                sheet=sheet,
                community_id=poll.community_id,
                sealed=envelopes.seal_sheet(
                    poll.box_public_key or "", poll_id=poll.id, items=poll.items, choices=choices
                ),
            )
        )
    return state


async def read_sheets(tx: Transaction, poll_id: UUID, *, after: int, limit: int) -> list[SheetRow]:
    """The sheets of a closed poll after a number, for who enters them and the supervisor."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    watches = tx.standing.role is Role.SUPERVISOR
    check(Deed.WITNESS_COUNT if watches else Deed.ENTER_PAPER, tx.standing.role)
    check_has_box(poll)
    if poll.state not in (PollState.CLOSED, PollState.PUBLISHED):
        raise rules.BoxNotClosed(state=poll.state.value)
    return await sheets_page(tx, poll, after=after, limit=limit)


def check_has_box(poll: Poll) -> None:
    if poll.mode is not BallotMode.CONFIDENTIAL:
        raise rules.NoBox(mode=poll.mode.value)


def _content(tx: Transaction, poll: Poll, sheet: int, choices: Choices | None) -> str:
    return tx.vault.lookup("sheet", f"{poll.id} {sheet} {leaves.canonical(choices).decode()}")
