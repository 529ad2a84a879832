"""A count that is corrected 更正计票, and a poll that is annulled 宣告无效."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db
from api.phrases import write
from api.wire import WireIn, WireOut
from consultation.polls.commands import annulling, correcting
from consultation.polls.correction_tables import (
    AnnulmentConfirmation,
    CountCorrection,
    PollAnnulment,
)
from consultation.polls.results import Result
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll

router = APIRouter(prefix="/v1", tags=["polls"])

Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class CountCorrectionIn(WireIn):
    """Why it is counted anew; published with the corrected count."""

    reason: Reason


class CorrectionSignatureIn(WireIn):
    """``digest`` of the count anew, as it was seen."""

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class CorrectionOut(WireOut):
    """``result`` is what the ledger gives; it counts once ``stands`` is true, when two tellers who
    signed no earlier count have signed its ``result_digest``."""

    number: int
    reason: str
    result: Result
    result_digest: str
    corrects_digest: str
    at: datetime
    stands: bool


class AnnulmentIn(WireIn):
    """Why the poll cannot count; published with the annulment."""

    reason: Reason


class AnnulmentConfirmationIn(WireIn):
    """``version`` of the annulment that was read."""

    version: int = Field(ge=1)


class AnnulmentOut(WireOut):
    """``confirmed_at`` is null while the convener has not agreed; with it the poll is void."""

    version: int
    reason: str
    at: datetime
    confirmed_at: datetime | None
    document_id: UUID | None


class AnnulledPollOut(WireOut):
    id: UUID
    state: PollState


@router.put("/polls/{poll_id}/count-correction")
async def order_count_correction(
    poll_id: UUID, body: CountCorrectionIn, actor: CurrentActor, db: Db
) -> CorrectionOut:
    """As the supervisor, have the ledger counted anew where it does not give the stored count."""
    async with db.begin(actor) as tx:
        correction = await correcting.order_correction(tx, poll_id, reason=body.reason)
        return _correction(await tx.session.get_one(Poll, poll_id), correction)


@router.put("/polls/{poll_id}/count-correction/signature")
async def sign_count_correction(
    poll_id: UUID, body: CorrectionSignatureIn, actor: CurrentActor, db: Db
) -> CorrectionOut:
    """As a teller who signed no count of this poll, sign the count anew."""
    async with db.begin(actor) as tx:
        correction = await correcting.sign_correction(tx, poll_id, digest=body.digest, write=write)
        return _correction(await tx.session.get_one(Poll, poll_id), correction)


@router.get("/polls/{poll_id}/count-correction")
async def get_count_correction(poll_id: UUID, actor: CurrentActor, db: Db) -> CorrectionOut:
    """The last correction, for tellers and supervisor."""
    async with db.read(actor) as tx:
        poll, correction = await correcting.read_correction(tx, poll_id)
        return _correction(poll, correction)


@router.put("/polls/{poll_id}/annulment")
async def propose_annulment(
    poll_id: UUID, body: AnnulmentIn, actor: CurrentActor, db: Db
) -> AnnulmentOut:
    """As the supervisor, ask for the annulment of a closed poll before its publication."""
    async with db.begin(actor) as tx:
        return _annulment(await annulling.propose_annulment(tx, poll_id, reason=body.reason), None)


@router.put("/polls/{poll_id}/annulment/confirmation")
async def confirm_annulment(
    poll_id: UUID, body: AnnulmentConfirmationIn, actor: CurrentActor, db: Db
) -> AnnulledPollOut:
    """As the convener, agree: the poll is void, and the topic may be voted on once more."""
    async with db.begin(actor) as tx:
        poll = await annulling.confirm_annulment(tx, poll_id, version=body.version, write=write)
        return AnnulledPollOut.model_validate(poll)


@router.get("/polls/{poll_id}/annulment")
async def get_annulment(poll_id: UUID, actor: AnyActor, db: Db) -> AnnulmentOut:
    """Why a poll is to be annulled, or was."""
    async with db.read(actor) as tx:
        return _annulment(*await annulling.read_annulment(tx, poll_id))


def _correction(poll: Poll, correction: CountCorrection) -> CorrectionOut:
    return CorrectionOut(
        number=correction.number,
        reason=correction.reason,
        result=correction.result,
        result_digest=correction.result_digest,
        corrects_digest=correction.corrects_digest,
        at=correction.at,
        stands=poll.state is PollState.PUBLISHED and poll.result_digest == correction.result_digest,
    )


def _annulment(proposed: PollAnnulment, confirmation: AnnulmentConfirmation | None) -> AnnulmentOut:
    return AnnulmentOut(
        version=proposed.version,
        reason=proposed.reason,
        at=proposed.at,
        confirmed_at=None if confirmation is None else confirmation.at,
        document_id=None if confirmation is None else confirmation.document_id,
    )
