"""The close and what follows: counted inside the close, signed by two tellers and witnessed, then
published. Nobody sees a choice or a count before."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import (
    PollBallotsRead,
    PollClosed,
    PollRecountDue,
    PollResultPublished,
    PollSigned,
    PollVoided,
)
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed, Grant, Role, check, grant_of
from consultation.polls import disclosure, envelope_queries, recounts, result_wording, rules
from consultation.polls.commands import erasure
from consultation.polls.commands.certifying import certify
from consultation.polls.commands.drafting import Writer
from consultation.polls.commands.following import follow
from consultation.polls.commands.recording import schedule_last_round
from consultation.polls.counting import HandTotals, Result, Vote, count, result_digest
from consultation.polls.deeming_queries import votes_with_silent
from consultation.polls.hand_queries import hands_counted
from consultation.polls.phrases import Phrase
from consultation.polls.presence_queries import members_present
from consultation.polls.presets import BallotMode
from consultation.polls.queries import (
    Hold,
    access_poll,
    ballots_page,
    check_impartial,
    frozen_roll,
    place_of,
    signatures,
)
from consultation.polls.reconciliation import (
    FormsIssued,
    Reconciliation,
    check_reconciled,
    forms_issued,
)
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.rolls import Place, roll_digest
from consultation.polls.rules import PollState
from consultation.polls.tables import Ballot, CountSignature, Poll, SignerRole
from consultation.refusals import AlreadyDone, NotPermitted
from consultation.topics.documents import publish_document
from consultation.topics.states import DocumentKind, Layer
from consultation.topics.tables import Document, Topic


async def close_poll(tx: Transaction, poll_id: UUID) -> None:
    """At ``closes_at``: hold the poll alone, count what is in it, and store the count unpublished.
    The box of a confidential poll stays shut; three people open it (``unsealing``).

    A poll that was extended waits for its later close; one that never opened is void. The roll
    must still have the digest it was announced with, or nothing is counted.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.RUN_SYSTEM, hold=Hold.TOPIC_AND_POLL)
    if tx.now < poll.closes_at:
        if tx.began >= poll.closes_at:  # this process is ahead of the database, whose clock decides
            await schedule(
                tx,
                JobKind.POLL_CLOSE,
                poll.id,
                tx.began + (poll.closes_at - tx.now),
                community_id=poll.community_id,
                occasion=f"{poll.closes_at.isoformat()} {tx.now.isoformat()}",
            )
        return
    if poll.state is PollState.ANNOUNCED:
        poll.state = PollState.VOIDED
        tx.emit(PollVoided(**about(poll, topic)))
        await erasure.order(tx, poll)
    if poll.state is not PollState.OPEN:
        return
    roll = await frozen_roll(tx, poll)
    if roll_digest(list(roll.values())) != poll.roll_digest:
        raise RuntimeError("the roll is not the one that was announced")

    poll.present = await members_present(tx, poll) if poll.preset.held_in_meeting else None
    if poll.mode is BallotMode.NAMED:
        hands = await hands_counted(tx, poll)
        store_count(poll, roll, await votes_with_silent(tx, poll), hands)
    poll.state = PollState.CLOSED
    poll.closed_at = tx.now
    await schedule_last_round(tx, poll)

    tx.emit(PollClosed(**about(poll, topic)))


def store_count(
    poll: Poll, roll: Mapping[UUID, Place], votes: Sequence[Vote], hands: HandTotals | None = None
) -> None:
    """Count, unpublished, with the poll held alone."""
    poll.result, poll.result_digest = _counted(poll, roll, votes, hands)


def _counted(
    poll: Poll, roll: Mapping[UUID, Place], votes: Sequence[Vote], hands: HandTotals | None
) -> tuple[Result, str]:
    result = count(
        poll.preset,
        poll.items,
        {entry_id: place.area_dm2 for entry_id, place in roll.items()},
        votes,
        present=poll.present,
        budget_fen=poll.budget_fen,
        hands=hands,
    )
    return result, result_digest(
        result,
        poll_id=poll.id,
        text_hash=poll.text_hash or "",
        roll_digest=poll.roll_digest or "",
        salt=poll.result_salt,
    )


async def sign_count(tx: Transaction, poll_id: UUID, *, digest: str, write: Writer) -> Poll:
    """A teller signs the count, or a supervisor witnesses it, by the digest of what they saw. With
    the last signature needed the result is published and the topic goes on; unless it is so close
    that it is counted again: then two other tellers sign as well. Signing again changes nothing.

    Refuses with NotCounted, BoxNotDestroyed, NotImpartial, SignedDigestDiffers,
    PollDoesNotReconcile, CountersignaturesMissing, or AlreadyDone for a second signature of one
    person in another role.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC, hold=Hold.TOPIC_AND_POLL)
    witness = tx.standing.role is Role.SUPERVISOR
    check(Deed.WITNESS_COUNT if witness else Deed.SIGN_COUNT, tx.standing.role)
    role = SignerRole.SUPERVISOR if witness else SignerRole.TELLER
    signed = await signatures(tx, poll)
    mine = next((one for one in signed if one.person_id == tx.person_id), None)
    again = poll.recount_due_at is not None and recounts.first_count_signed(signed)
    if again and not witness and mine is not None and not mine.recount:
        raise rules.RecountByOthers()
    if mine is not None and mine.role is role:
        return poll
    if mine is not None:
        raise AlreadyDone()
    if poll.state is not PollState.CLOSED or poll.result is None:
        raise rules.NotCounted(state=poll.state.value)
    if poll.mode is BallotMode.CONFIDENTIAL and poll.box_destroyed_at is None:
        raise rules.BoxNotDestroyed()
    await check_impartial(tx, poll, topic)
    if digest != poll.result_digest:
        raise rules.SignedDigestDiffers()
    report = await reconciliation_of(tx, poll)
    check_reconciled(report)
    if again and digest != (await counted_again(tx, poll))[1]:
        raise rules.RecountDiffers()

    signature = CountSignature(
        poll_id=poll.id,
        person_id=tx.person_id,
        community_id=poll.community_id,
        role=role,
        result_digest=digest,
        recount=again and not witness,
        at=tx.now,
    )
    tx.session.add(signature)
    await tx.session.flush()

    tx.emit(PollSigned(**about(poll, topic), role=role.value))
    signed.append(signature)
    if not recounts.first_count_signed(signed):
        return poll
    if poll.recount_due_at is None and recounts.is_close(poll.preset, poll.result):
        poll.recount_due_at = tx.now
        tx.emit(PollRecountDue(**about(poll, topic), ordered=False))
    if poll.recount_due_at is None or recounts.recount_signed(signed):
        await publish(tx, poll, topic, signed, report, write)
    return poll


async def order_recount(tx: Transaction, poll_id: UUID) -> Poll:
    """The supervisor has the count made again by other tellers before it is published. Ordering
    again changes nothing. Refuses with NotCounted."""
    poll, topic = await access_poll(tx, poll_id, Deed.WITNESS_COUNT, hold=Hold.TOPIC_AND_POLL)
    if poll.state is not PollState.CLOSED or poll.result is None:
        raise rules.NotCounted(state=poll.state.value)
    if poll.recount_due_at is None:
        poll.recount_due_at = tx.now
        tx.emit(PollRecountDue(**about(poll, topic), ordered=True))
    return poll


async def counted_again(tx: Transaction, poll: Poll) -> tuple[Result, str]:
    """What lies in the ledger now, and its digest; the stored count is not touched."""
    hands = None
    if poll.mode is BallotMode.NAMED:
        votes = await votes_with_silent(tx, poll)
        hands = await hands_counted(tx, poll)
    else:
        listed = await envelope_queries.listed_choices(tx, poll.id)
        votes = [Vote(voter=None, choices=choices) for choices in listed]
    return _counted(poll, await frozen_roll(tx, poll), votes, hands)


async def read_ballots(
    tx: Transaction, poll_id: UUID, *, after: int, limit: int
) -> list[tuple[int, str, Ballot]]:
    """Named ballots after a number on the roll: for tellers and supervisor after the close, and for
    the owners on the roll of an owners' decision after the publication, who may inspect its records
    (最高人民法院建筑物区分所有权解释 art. 13). That they looked is journalled.

    Refuses with NotNamed, PollVoid, ChoicesSealed or NotPermitted.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.SEE_NAMED_CHOICES)
    if poll.mode is not BallotMode.NAMED:
        raise rules.NotNamed(mode=poll.mode.value)
    staff = check(Deed.SEE_NAMED_CHOICES, tx.standing.role) is Grant.YES
    if not staff and not await may_inspect(tx, poll):
        raise NotPermitted(deed=Deed.SEE_NAMED_CHOICES.value, role=tx.standing.role.value)
    if poll.state is PollState.VOIDED:
        raise rules.PollVoid()
    if poll.state is not PollState.PUBLISHED and not (staff and poll.state is PollState.CLOSED):
        raise rules.ChoicesSealed()

    tx.emit(PollBallotsRead(**about(poll, topic), role=tx.standing.role.value))
    return await ballots_page(tx, poll, after=after, limit=limit)


async def read_reconciliation(tx: Transaction, poll_id: UUID) -> Reconciliation | FormsIssued:
    """How the registers of a poll add up: for tellers and supervisor from the close on, for
    everybody once the result is published. Before the close tellers and supervisor see what went
    out, and no number of what came in. Of a poll that was annulled they see all that is left: where
    a box was destroyed unopened, what went out. Refuses with NotPermitted or PollVoid."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    signs = any(grant_of(d, tx.standing.role) for d in (Deed.SIGN_COUNT, Deed.WITNESS_COUNT))
    if poll.state is PollState.VOIDED and not signs:
        raise rules.PollVoid()
    if poll.state is not PollState.PUBLISHED and not signs:
        raise NotPermitted(deed=Deed.SIGN_COUNT.value, role=tx.standing.role.value)
    report = await reconciliation_of(tx, poll)
    over = poll.state in (PollState.CLOSED, PollState.PUBLISHED)
    if poll.state is PollState.VOIDED:
        unopened = poll.mode is BallotMode.CONFIDENTIAL and poll.box_opened_at is None
        over = poll.closed_at is not None and not unopened
    return report if over else forms_issued(report)


async def may_inspect(tx: Transaction, poll: Poll) -> bool:
    """Whether the actor is one of the owners who decided."""
    of_owners = poll.preset.layer is Layer.OWNERS
    return of_owners and await place_of(tx, poll, tx.person_id) is not None


async def publish(
    tx: Transaction,
    poll: Poll,
    topic: Topic,
    signed: Sequence[CountSignature],
    report: Reconciliation,
    write: Writer,
    *,
    reason: str | None = None,
) -> None:
    """The tally sheet, T13 or T14 if this count is the vote, and the event: a consequence of the
    last signature. ``reason``: why it is not the count that was stored at the close."""
    assert poll.result is not None
    await certify(tx, poll, signed=signed, report=report)
    document = await publish_sheet(tx, poll, topic, write, reason=reason)
    poll.state = PollState.PUBLISHED
    poll.published_at = tx.now
    if poll.legal_system_of_record:  # else it follows the certified result (``outside``)
        await follow(tx, topic, poll.result.verdict, document.id)

    tx.emit(PollResultPublished(**about(poll, topic), verdict=poll.result.verdict.value))


async def publish_sheet(
    tx: Transaction, poll: Poll, topic: Topic, write: Writer, *, reason: str | None = None
) -> Document:
    """The tally sheet; of a corrected count, with its reason, the next version of the one before if
    there is any."""
    assert poll.result is not None
    rounded = disclosure.hides_areas(poll.preset)  # the sheet is public
    said = result_wording.result(
        poll.preset,
        poll.items,
        disclosure.without_areas(poll.result) if rounded else poll.result,
        areas_rounded=rounded,
    )
    if reason is not None:
        said = [Phrase("polls.result.corrected", {"reason": reason}), *said]
    before = poll.tally_sheet_id
    document = await publish_document(
        tx,
        topic,
        DocumentKind.TALLY_SHEET,
        title=write([Phrase("polls.result.title", {"title": topic.title})]),
        body=write(said),
        replaces=None if before is None else await tx.session.get(Document, before),
        correction_reason=None if before is None else reason,
    )
    poll.tally_sheet_id = document.id
    return document


def about(poll: Poll, topic: Topic) -> dict[str, Any]:
    return {"community_id": poll.community_id, "topic_id": topic.id, "poll_id": poll.id}
