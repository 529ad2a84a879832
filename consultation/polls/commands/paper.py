"""Paper forms: printed, issued against a signature, entered by two people, and accounted for."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from consultation.database import Transaction
from consultation.events.people import BallotRecordedForVoter
from consultation.events.polls import PaperFormsPrinted, PaperFormsSettled
from consultation.permissions import Deed, Role, check
from consultation.polls import leaves, paper, rules, sheets
from consultation.polls.box import Cast, put_in
from consultation.polls.commands import countersigning
from consultation.polls.commands.casting import Answers, check_present
from consultation.polls.countersigning import CountersignSubject, EntryKey
from consultation.polls.mandate_queries import standing_channel
from consultation.polls.paper import EntryState, FormFate
from consultation.polls.paper_queries import (
    FormRow,
    entries_of,
    fate_of,
    forms_between,
    forms_page,
    issue_of,
    last_printed,
    live_form,
    scans_of_others,
)
from consultation.polls.paper_tables import PaperBlock, PaperEntry, PaperFate, PaperIssue
from consultation.polls.people_queries import STAFF, holds_a_role
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.queries import Hold, access_poll, check_impartial, places_numbered
from consultation.polls.rules import Choices, PollState
from consultation.polls.tables import Poll, RollEntry
from consultation.topics.lookups import insert_missing

MOST_FORMS = 5000
"""In one block, and in one settlement."""
BEFORE_THE_CLOSE = (PollState.ANNOUNCED, PollState.OPEN)


async def print_forms(tx: Transaction, poll_id: UUID, *, first: int, last: int) -> PaperBlock:
    """Print the forms ``first`` to ``last`` of a poll. Asking again changes nothing.

    Refuses with WrongChannel, PollClosed, PollNotOpen, NotImpartial or FormsOutOfOrder.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.TOPIC_AND_POLL)
    _check_paper(poll, BallotChannel.PAPER)
    known = await tx.session.get(PaperBlock, (poll.id, first))
    if known is not None and known.last == last:
        return known
    _check_before_close(tx, poll)
    await check_impartial(tx, poll, topic)
    if first != await last_printed(tx, poll) + 1 or not first <= last < first + MOST_FORMS:
        raise paper.FormsOutOfOrder()

    block = PaperBlock(
        poll_id=poll.id,
        first=first,
        last=last,
        community_id=poll.community_id,
        printed_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(block)
    tx.emit(
        PaperFormsPrinted(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            forms=last - first + 1,
        )
    )
    return block


async def issue_form(
    tx: Transaction,
    poll_id: UUID,
    form: int,
    *,
    number: int,
    signature_sha256: str,
    second_staff_id: UUID | None = None,
) -> bool | None:
    """Hand a form to the voter in place ``number``, who signs; with ``second_staff_id`` at the
    voter's door, who is asked to countersign it. Asking again changes nothing. Says whether a
    ballot of the voter stands already, which may spare the way; None in a confidential poll, where
    nobody learns that somebody voted.

    Refuses with WrongChannel, PollClosed, PollNotOpen, NotImpartial, FormNotPrinted, FormIssued,
    FormSettled, NotOnRoll, VoterHasForm or SecondStaffNeeded.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.POLL_SHARED)
    channel = BallotChannel.PAPER if second_staff_id is None else BallotChannel.HOME_VISIT
    _check_paper(poll, channel)
    asked = (number, signature_sha256, second_staff_id)
    if await _is_issued(tx, poll, form, asked):
        return await _voted(tx, poll, await voter_in(tx, poll, number))
    _check_before_close(tx, poll)
    await check_impartial(tx, poll, topic)
    if not 1 <= form <= await last_printed(tx, poll):
        raise paper.FormNotPrinted()
    if await fate_of(tx, poll, form) is not None:
        raise paper.FormSettled()
    place = await voter_in(tx, poll, number, lock=True)
    if await live_form(tx, poll, number) not in (None, form):
        raise paper.VoterHasForm()
    if second_staff_id is not None:
        staff = await holds_a_role(tx, poll.community_id, second_staff_id, STAFF)
        if not staff or second_staff_id in (tx.person_id, place.person_id):
            raise paper.SecondStaffNeeded()

    issue = PaperIssue(
        poll_id=poll.id,
        form=form,
        community_id=poll.community_id,
        number=number,
        voter_id=_person(place),
        channel=channel,
        signature_sha256=signature_sha256,
        issued_by_id=tx.person_id,
        second_staff_id=second_staff_id,
        at=tx.now,
    )
    if await insert_missing(tx, PaperIssue, **issue.model_dump()):
        key = EntryKey(CountersignSubject.HOME_VISIT, form, 1)
        await countersigning.ask(tx, poll, topic, key, [second_staff_id])
    else:  # somebody handed it out just now
        await _is_issued(tx, poll, form, asked)
    return await _voted(tx, poll, place)


async def _is_issued(
    tx: Transaction, poll: Poll, form: int, asked: tuple[int, str, UUID | None]
) -> bool:
    """Whether the form went out as asked: to the voter in that place, against that signature and
    with that colleague. Refuses with FormIssued."""
    known = await issue_of(tx, poll, form)
    if known is None:
        return False
    if (known.number, known.signature_sha256, known.second_staff_id) != asked:
        raise paper.FormIssued()
    return True


async def enter_form(
    tx: Transaction, poll_id: UUID, form: int, answers: Answers | None, *, scans: Sequence[str]
) -> EntryState:
    """Enter what a form says, or None if it cannot be read. Nobody learns what the other entry
    says; when two agree, the ballot goes into the ledger. The same entry again changes nothing.

    Refuses with FormStaysShut (``commands/sheets.py`` has the paper of a confidential poll),
    PollClosed, PollNotOpen, NotImpartial, FormNotIssued, FormSettled, EntryDiffers,
    BothScansNeeded, ScanOfAnotherPoll, BallotInvalid, NotOnRoll or NotAtMeeting.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.POLL_SHARED)
    if poll.mode is BallotMode.CONFIDENTIAL:
        raise sheets.FormStaysShut()
    choices = None if answers is None else rules.check_ballot(poll.items, answers)
    issue = await issue_of(tx, poll, form, lock=True)
    if issue is None:
        raise paper.FormNotIssued()
    entries = await entries_of(tx, poll, form)
    entry = paper.Entry(
        person_id=tx.person_id,
        by_teller=tx.standing.role is Role.TELLER,
        readable=choices is not None,
        content=_content(tx, poll, form, choices),
        scans=tuple(sorted(set(scans))),
    )
    if paper.repeated(entries, entry):
        settled = await fate_of(tx, poll, form) is not None
        return EntryState.ENTERED if settled else paper.state_of(entries) or EntryState.WAITING
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    if await fate_of(tx, poll, form) is not None:
        raise paper.FormSettled()
    place = await voter_in(tx, poll, issue.number)
    if place.person_id != issue.voter_id:  # an objection gave the place to another
        raise rules.NotOnRoll(numbers=[str(issue.number)])
    await check_present(tx, poll, [place])
    paper.check_scans(entries, entry.scans)
    await check_scans_here(tx, poll, entry.scans)

    tx.session.add(
        PaperEntry(
            poll_id=poll.id,
            form=form,
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
        await _put_in(tx, poll, issue, place, choices)
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The forms ``first`` to ``last`` met ``fate``."""

    first: int
    last: int
    fate: FormFate
    note: str | None = None


async def settle_forms(tx: Transaction, poll_id: UUID, settlements: Sequence[Settlement]) -> int:
    """Record what became of forms that did not become ballots; how many are new. A ballot that
    came too late, and a form that is gone, are for the supervisor. Of these, and of every form that
    a voter had, a note says how it came. The same again changes nothing; all or none.

    Refuses with NotImpartial, FormNotPrinted, FormSettled or FateNotPossible.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC, hold=Hold.TOPIC_AND_POLL)
    supervisor = tx.standing.role is Role.SUPERVISOR
    check(Deed.WITNESS_COUNT if supervisor else Deed.ENTER_PAPER, tx.standing.role)
    await check_impartial(tx, poll, topic)
    printed = await last_printed(tx, poll)
    for one in settlements:
        if one.fate is FormFate.RETURNED:
            raise paper.FateNotPossible(problem="entered")
        if one.fate in paper.BY_THE_SUPERVISOR and not (one.note or "").strip():
            raise paper.FateNotPossible(problem="note_missing")
        if not 1 <= one.first <= one.last <= printed:
            raise paper.FormNotPrinted()
    first = min((one.first for one in settlements), default=1)
    last = max((one.last for one in settlements), default=0)
    issues, entered, found = await forms_between(tx, poll, first, last)
    fates = {form: row.fate for form, row in found.items()}
    new = 0
    for one in settlements:
        for form in range(one.first, one.last + 1):
            known = fates.get(form)
            if known is not None:
                if known is not one.fate:
                    raise paper.FormSettled()
                continue
            if poll.state not in (*BEFORE_THE_CLOSE, PollState.CLOSED):
                raise rules.NotCounted(state=poll.state.value)
            if form in issues and not (one.note or "").strip():
                raise paper.FateNotPossible(problem="note_missing")
            paper.check_fate(
                one.fate,
                issued=form in issues,
                entered=form in entered,
                closed=poll.state is PollState.CLOSED,
                supervisor=supervisor,
            )
            tx.session.add(_fate(tx, poll, form, one.fate, note=one.note))
            fates[form] = one.fate
            new += 1
    if new:
        tx.emit(
            PaperFormsSettled(
                community_id=poll.community_id, topic_id=topic.id, poll_id=poll.id, forms=new
            )
        )
    return new


async def read_forms(tx: Transaction, poll_id: UUID, *, after: int, limit: int) -> list[FormRow]:
    """Printed forms after a number, for who enters them and the supervisor."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    watches = tx.standing.role is Role.SUPERVISOR
    check(Deed.WITNESS_COUNT if watches else Deed.ENTER_PAPER, tx.standing.role)
    return await forms_page(tx, poll, after=after, limit=limit)


async def _voted(tx: Transaction, poll: Poll, place: RollEntry) -> bool | None:
    if poll.mode is not BallotMode.NAMED:
        return None
    return await standing_channel(tx, poll, place) is not None


async def _put_in(
    tx: Transaction, poll: Poll, issue: PaperIssue, place: RollEntry, choices: Choices | None
) -> None:
    cast = Cast(place=place, choices=choices, channel=issue.channel)
    ballot = (await put_in(tx, poll, [cast]))[0]
    fate = _fate(tx, poll, issue.form, FormFate.RETURNED)
    fate.cast_no = ballot.cast_no
    tx.session.add(fate)
    tx.emit(
        BallotRecordedForVoter(
            community_id=poll.community_id,
            person_id=_person(place),
            poll_id=poll.id,
            channel=issue.channel.value,
        )
    )


def _fate(
    tx: Transaction, poll: Poll, form: int, fate: FormFate, *, note: str | None = None
) -> PaperFate:
    return PaperFate(
        poll_id=poll.id,
        form=form,
        community_id=poll.community_id,
        fate=fate,
        note=note,
        by_id=tx.person_id,
        at=tx.now,
    )


def _content(tx: Transaction, poll: Poll, form: int, choices: Choices | None) -> str:
    return tx.vault.lookup("paper", f"{poll.id} {form} {leaves.canonical(choices).decode()}")


def _person(place: RollEntry) -> UUID:
    assert place.person_id is not None
    return place.person_id


async def check_scans_here(tx: Transaction, poll: Poll, scans: Sequence[str]) -> None:
    """A scan shows papers of one poll. Refuses with ScanOfAnotherPoll."""
    others = await scans_of_others(tx, poll, scans)
    if others:
        raise paper.ScanOfAnotherPoll(scans=others)


async def voter_in(tx: Transaction, poll: Poll, number: int, *, lock: bool = False) -> RollEntry:
    """The place with this number. It must have a voter, who is not the actor."""
    places = await places_numbered(tx, poll, [number], lock=lock)
    if not places or places[0].person_id is None:
        raise rules.NotOnRoll(numbers=[str(number)])
    if places[0].person_id == tx.person_id:
        raise rules.NotImpartial()
    return places[0]


def _check_paper(poll: Poll, channel: BallotChannel) -> None:
    if channel not in poll.preset.channels:
        raise rules.WrongChannel(channel=channel.value)


def _check_before_close(tx: Transaction, poll: Poll) -> None:
    if poll.state is PollState.ANNOUNCED and tx.now < poll.closes_at:
        return
    rules.check_open(poll.state, poll.closes_at, tx.now)
