"""The count is corrected: counted anew out of the ledger on a supervisor's order, signed by two
other tellers, and certified under the reason."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import (
    PollCorrectionOrdered,
    PollCountCorrected,
    PollRecountDue,
    PollResultPublished,
    PollSigned,
)
from consultation.permissions import Deed, grant_of
from consultation.polls import corrections, recounts, rules
from consultation.polls.commands.certifying import certify
from consultation.polls.commands.closing import about, counted_again, publish, publish_sheet
from consultation.polls.commands.drafting import Writer
from consultation.polls.correction_queries import last_correction, signatures_of
from consultation.polls.correction_tables import CountCorrection
from consultation.polls.presets import BallotMode
from consultation.polls.queries import Hold, access_poll, check_impartial
from consultation.polls.reconciliation import check_reconciled
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.results import Result
from consultation.polls.rules import PollState
from consultation.polls.tables import CountSignature, Poll, SignerRole
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.bodies import TELLERS_NEEDED
from consultation.topics.subjects import check_subject
from consultation.topics.tables import Topic


async def order_correction(tx: Transaction, poll_id: UUID, *, reason: str) -> CountCorrection:
    """A supervisor has what lies in the ledger counted anew, and witnesses what is found. It waits
    for two tellers who signed no count of this poll. Ordering it again changes nothing.

    Refuses with NotCounted, BoxNotDestroyed, NotImpartial, CorrectionReasonMissing,
    ForbiddenSubject, CountStands or CorrectionTooLate.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.WITNESS_COUNT, hold=Hold.TOPIC_AND_POLL)
    if poll.state not in (PollState.CLOSED, PollState.PUBLISHED) or poll.result is None:
        raise rules.NotCounted(state=poll.state.value)
    if poll.mode is BallotMode.CONFIDENTIAL and poll.box_destroyed_at is None:
        raise rules.BoxNotDestroyed()
    await check_impartial(tx, poll, topic)
    corrections.check_reason(reason)
    check_subject(reason)  # it stands on the tally sheet
    result, digest = await counted_again(tx, poll)
    if digest == poll.result_digest:
        raise corrections.CountStands()
    last = await last_correction(tx, poll)
    if last is not None and last.result_digest == digest:
        return last
    _check_correctable(poll, topic, result)

    correction = CountCorrection(
        poll_id=poll.id,
        number=1 if last is None else last.number + 1,
        community_id=poll.community_id,
        corrects_digest=poll.result_digest or "",
        result=result,
        result_digest=digest,
        reason=reason.strip(),
        ordered_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(correction)
    tx.emit(PollCorrectionOrdered(**about(poll, topic)))
    return correction


async def sign_correction(
    tx: Transaction, poll_id: UUID, *, digest: str, write: Writer
) -> CountCorrection:
    """Another teller signs the count anew by its digest. With the second of them it takes the place
    of the stored one: published if that was not, else certified and told as its correction. One
    that was not published and is close waits for two more, who count again (domain 4.4). Signing
    again changes nothing.

    Refuses with NotFound, SignedDigestDiffers, RecountByOthers, NotCounted, CorrectionTooLate,
    NotImpartial, RecountDiffers or PollDoesNotReconcile.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.SIGN_COUNT, hold=Hold.TOPIC_AND_POLL)
    correction = await last_correction(tx, poll)
    if correction is None:
        raise NotFound(what="count_correction")
    if digest != correction.result_digest:
        raise rules.SignedDigestDiffers()
    known = await signatures_of(tx, poll)
    mine = next((one for one in known if one.person_id == tx.person_id), None)
    if mine is not None and mine.result_digest == digest:
        return correction
    if mine is not None or tx.person_id == correction.ordered_by_id:
        raise rules.RecountByOthers()
    if poll.result_digest == digest or poll.state is PollState.VOIDED:
        raise rules.NotCounted(state=poll.state.value)
    _check_correctable(poll, topic, correction.result)  # since it was ordered the topic may be gone
    await check_impartial(tx, poll, topic)
    if (await counted_again(tx, poll))[1] != digest:
        raise rules.RecountDiffers()

    signed = [one for one in known if one.result_digest == digest]
    signature = CountSignature(
        poll_id=poll.id,
        person_id=tx.person_id,
        community_id=poll.community_id,
        role=SignerRole.TELLER,
        result_digest=digest,
        recount=len(signed) >= TELLERS_NEEDED,
        at=tx.now,
    )
    tx.session.add(signature)
    tx.emit(PollSigned(**about(poll, topic), role=SignerRole.TELLER.value))
    signed.append(signature)
    # a published count had its own signatures: its correction is itself another count
    first = poll.state is PollState.CLOSED
    close = first and recounts.is_close(poll.preset, correction.result)
    if close and len(signed) == TELLERS_NEEDED:
        poll.recount_due_at = tx.now
        tx.emit(PollRecountDue(**about(poll, topic), ordered=False))
    if len(signed) >= TELLERS_NEEDED and (not close or recounts.recount_signed(signed)):
        await _replace(tx, poll, topic, correction, signed, write)
    return correction


def _check_correctable(poll: Poll, topic: Topic, found: Result) -> None:
    assert poll.result is not None
    corrections.check_correctable(
        poll.state,
        stored=poll.result.verdict,
        found=found.verdict,
        topic=topic.state,
        same_round=topic.round == poll.round,
        followed=poll.legal_system_of_record,
    )


async def read_correction(tx: Transaction, poll_id: UUID) -> tuple[Poll, CountCorrection]:
    """The last correction, for who signs or witnesses; everybody reads sheet and certificate of one
    that stands. Refuses with NotPermitted or NotFound."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    if not any(grant_of(d, tx.standing.role) for d in (Deed.SIGN_COUNT, Deed.WITNESS_COUNT)):
        raise NotPermitted(deed=Deed.SIGN_COUNT.value, role=tx.standing.role.value)
    correction = await last_correction(tx, poll)
    if correction is None:
        raise NotFound(what="count_correction")
    return poll, correction


async def _replace(
    tx: Transaction,
    poll: Poll,
    topic: Topic,
    correction: CountCorrection,
    signed: list[CountSignature],
    write: Writer,
) -> None:
    witness = CountSignature(
        poll_id=poll.id,
        person_id=correction.ordered_by_id,
        community_id=poll.community_id,
        role=SignerRole.SUPERVISOR,
        result_digest=correction.result_digest,
        at=correction.at,
    )
    signatures = [*signed, witness]
    poll.result, poll.result_digest = correction.result, correction.result_digest
    await tx.session.flush()
    report = await reconciliation_of(tx, poll)
    check_reconciled(report)
    tx.emit(PollCountCorrected(**about(poll, topic), verdict=correction.result.verdict.value))
    if poll.state is PollState.CLOSED:
        await publish(tx, poll, topic, signatures, report, write, reason=correction.reason)
        return
    await certify(tx, poll, signed=signatures, report=report, reason=correction.reason)
    await publish_sheet(tx, poll, topic, write, reason=correction.reason)
    tx.emit(PollResultPublished(**about(poll, topic), verdict=correction.result.verdict.value))
