"""A poll whose count cannot be mended is annulled: a supervisor says why, the convener agrees, and
the topic goes back to where it may be voted on once more."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import PollVoided
from consultation.permissions import Deed
from consultation.polls import corrections
from consultation.polls.commands import erasure
from consultation.polls.commands.closing import about
from consultation.polls.commands.drafting import Writer
from consultation.polls.correction_queries import annulment_confirmation, last_annulment
from consultation.polls.correction_tables import AnnulmentConfirmation, PollAnnulment
from consultation.polls.phrases import Phrase
from consultation.polls.queries import Hold, access_poll, check_impartial
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.refusals import NotFound
from consultation.topics.documents import publish_document
from consultation.topics.lifecycle import advance
from consultation.topics.states import Act, DocumentKind, State
from consultation.topics.subjects import check_subject
from consultation.topics.tables import Document


async def propose_annulment(tx: Transaction, poll_id: UUID, *, reason: str) -> PollAnnulment:
    """A supervisor asks for the annulment of a closed poll. The same again changes nothing.

    Refuses with NotCounted, NotImpartial, CorrectionReasonMissing or ForbiddenSubject.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.WITNESS_COUNT, hold=Hold.TOPIC_AND_POLL)
    corrections.check_annullable(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    corrections.check_reason(reason)
    check_subject(reason)
    last = await last_annulment(tx, poll)
    if last is not None and (last.reason, last.proposed_by_id) == (reason.strip(), tx.person_id):
        return last

    proposed = PollAnnulment(
        poll_id=poll.id,
        version=1 if last is None else last.version + 1,
        community_id=poll.community_id,
        reason=reason.strip(),
        proposed_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(proposed)
    return proposed


async def confirm_annulment(tx: Transaction, poll_id: UUID, *, version: int, write: Writer) -> Poll:
    """The convener agrees: the poll is void, the reason is published as the next version of its
    notice, and the topic that voted is drafting its outcome again (T14a). Again changes nothing.

    Refuses with NotFound, AnnulmentSuperseded, AnnulmentNeedsSecondPerson, NotCounted or
    NotImpartial.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.CONVENE, hold=Hold.TOPIC_AND_POLL)
    known = await annulment_confirmation(tx, poll.id)
    if known is not None:
        return poll
    proposed = await last_annulment(tx, poll)
    if proposed is None:
        raise NotFound(what="annulment")
    if proposed.version != version:
        raise corrections.AnnulmentSuperseded(version=proposed.version)
    if proposed.proposed_by_id == tx.person_id:
        raise corrections.AnnulmentNeedsSecondPerson()
    corrections.check_annullable(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)

    said = Phrase("polls.annulment.text", {"reason": proposed.reason})
    document = await publish_document(
        tx,
        topic,
        DocumentKind.POLL_NOTICE,
        title=write([Phrase("polls.annulment.title", {"title": topic.title})]),
        body=write([said]),
        replaces=await tx.session.get(Document, poll.notice_id),
        correction_reason=proposed.reason,
    )
    tx.session.add(
        AnnulmentConfirmation(
            poll_id=poll.id,
            version=proposed.version,
            community_id=poll.community_id,
            document_id=document.id,
            confirmed_by_id=tx.person_id,
            at=tx.now,
        )
    )
    poll.state = PollState.VOIDED
    await tx.session.flush()
    if topic.state is State.VOTING and topic.round == poll.round:
        await advance(
            tx,
            topic,
            Act.ANNUL_VOTE,
            reason=proposed.reason,
            documents=(document.id,),
            consequence=True,
        )
    await erasure.order(tx, poll)

    tx.emit(PollVoided(**about(poll, topic)))
    return poll


async def read_annulment(
    tx: Transaction, poll_id: UUID
) -> tuple[PollAnnulment, AnnulmentConfirmation | None]:
    """Why a poll is to be annulled, or was: for everybody."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    proposed = await last_annulment(tx, poll)
    if proposed is None:
        raise NotFound(what="annulment")
    return proposed, await annulment_confirmation(tx, poll.id)
