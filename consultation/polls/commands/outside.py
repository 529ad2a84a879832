"""The certified result of the legal system of record: entered by one, confirmed by another."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import PollOutsideResultConfirmed
from consultation.permissions import Deed, grant_of
from consultation.polls import disclosure, outside, result_wording, terms
from consultation.polls.commands.drafting import Writer
from consultation.polls.commands.following import follow
from consultation.polls.outside import OutsideCount
from consultation.polls.outside_queries import confirmed_outside, last_outside, outside_confirmation
from consultation.polls.outside_tables import OutsideConfirmation, OutsideResult
from consultation.polls.phrases import Phrase
from consultation.polls.queries import Hold, access_poll, check_impartial
from consultation.polls.tables import Poll
from consultation.refusals import NotFound
from consultation.topics.documents import publish_document
from consultation.topics.states import DocumentKind, State


async def enter_outside_result(
    tx: Transaction, poll_id: UUID, *, system: str, certificate_sha256: str, sums: OutsideCount
) -> OutsideResult:
    """Enter the sums of a certificate. Until it is confirmed another entry takes its place; the
    same again changes nothing.

    Refuses with OutsideResultNotExpected, OutsideResultInvalid, OutsideResultDiffers or
    NotImpartial.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.IMPORT_RESULT, hold=Hold.TOPIC_AND_POLL)
    outside.check_expected(of_record=poll.legal_system_of_record, state=poll.state)
    last = await last_outside(tx, poll)
    if last is not None and (last.system, last.certificate_sha256, last.sums) == (
        system,
        certificate_sha256,
        sums,
    ):
        return last
    await check_impartial(tx, poll, topic)
    if await outside_confirmation(tx, poll) is not None:
        raise outside.OutsideResultDiffers()
    result = outside.outside_result(
        terms.find_preset(poll.preset.key), poll.items, sums, budget_fen=poll.budget_fen
    )

    entered = OutsideResult(
        poll_id=poll.id,
        version=1 if last is None else last.version + 1,
        community_id=poll.community_id,
        system=system,
        certificate_sha256=certificate_sha256,
        sums=sums,
        result=result,
        entered_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(entered)
    return entered


async def confirm_outside_result(
    tx: Transaction, poll_id: UUID, *, certificate_sha256: str, sums: OutsideCount, write: Writer
) -> tuple[OutsideResult, OutsideConfirmation]:
    """A second person enters the sums from the certificate once more; if they are the same, the
    result is published as that of the other system, and the topic follows it: it is the vote.

    Refuses with NotFound, OutsideResultNotExpected, SecondPersonNeeded, OutsideResultDiffers or
    NotImpartial.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.IMPORT_RESULT, hold=Hold.TOPIC_AND_POLL)
    outside.check_expected(of_record=poll.legal_system_of_record, state=poll.state)
    entered = await last_outside(tx, poll)
    if entered is None:
        raise NotFound(what="outside_result")
    if (entered.certificate_sha256, entered.sums) != (certificate_sha256, sums):
        raise outside.OutsideResultDiffers()
    known = await outside_confirmation(tx, poll)
    if known is not None:
        return entered, known
    if entered.entered_by_id == tx.person_id:
        raise terms.SecondPersonNeeded()
    await check_impartial(tx, poll, topic)

    preset = terms.find_preset(poll.preset.key)
    rounded = disclosure.hides_areas(preset)
    public = disclosure.without_areas(entered.result) if rounded else entered.result
    said = [
        Phrase("polls.outside.source", {"system": entered.system, "hash": certificate_sha256[:16]}),
        *result_wording.result(preset, poll.items, public, areas_rounded=rounded),
    ]
    document = await publish_document(
        tx,
        topic,
        DocumentKind.TALLY_SHEET,
        title=write([Phrase("polls.outside.title", {"title": topic.title})]),
        body=write(said),
    )
    confirmation = OutsideConfirmation(
        poll_id=poll.id,
        version=entered.version,
        community_id=poll.community_id,
        document_id=document.id,
        confirmed_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(confirmation)
    await tx.session.flush()
    if topic.state is State.VOTING and topic.round == poll.round:
        await follow(tx, topic, entered.result.verdict, document.id)
    tx.emit(
        PollOutsideResultConfirmed(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            verdict=entered.result.verdict.value,
        )
    )
    return entered, confirmation


async def read_outside_result(
    tx: Transaction, poll_id: UUID
) -> tuple[Poll, OutsideResult, OutsideConfirmation | None]:
    """The confirmed result for everybody; one that waits for its second person for those who may
    enter it."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    confirmed = await confirmed_outside(tx, poll)
    if confirmed is not None:
        return poll, *confirmed
    entered = await last_outside(tx, poll)
    if entered is None or grant_of(Deed.IMPORT_RESULT, tx.standing.role) is None:
        raise NotFound(what="outside_result")
    return poll, entered, None
