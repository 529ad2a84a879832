"""The certified result of the system that the law takes for the vote, beside the indicative one."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db, Locale
from api.phrases import speak, write
from api.routes.paper import Sha256
from api.routes.poll_shapes import sees_areas
from api.wire import WireIn, WireOut
from consultation.permissions import Deed, grant_of
from consultation.polls import disclosure, result_wording, terms
from consultation.polls.commands import outside
from consultation.polls.outside import OutsideCount
from consultation.polls.outside_tables import OutsideConfirmation, OutsideResult
from consultation.polls.results import Result
from consultation.polls.tables import Poll

router = APIRouter(prefix="/v1", tags=["polls"])


class OutsideResultIn(WireIn):
    """``system`` is the name of the other system; ``sums`` are those of its certificate."""

    system: str = Field(min_length=1, max_length=200)
    certificate_sha256: Sha256
    sums: OutsideCount


class OutsideConfirmationIn(WireIn):
    """The sums once more, read from the certificate by a second person."""

    certificate_sha256: Sha256
    sums: OutsideCount


class OutsideResultOut(WireOut):
    """``result`` follows from the sums by the rule, and binds; it is not this server's count.
    ``areas_rounded``: as in a poll, the reader gets shares of areas and not their exact sums.
    ``confirmed_at`` is null while it waits for a second person."""

    system: str
    certificate_sha256: str
    result: Result
    areas_rounded: bool
    wording: list[str]
    confirmed_at: datetime | None
    document_id: UUID | None


@router.put("/polls/{poll_id}/outside-result")
async def enter_outside_result(
    poll_id: UUID, body: OutsideResultIn, actor: CurrentActor, db: Db, locale: Locale
) -> OutsideResultOut:
    """Enter the certified sums of the legal system of record."""
    async with db.begin(actor) as tx:
        entered = await outside.enter_outside_result(
            tx,
            poll_id,
            system=body.system,
            certificate_sha256=body.certificate_sha256,
            sums=body.sums,
        )
        poll = await tx.session.get_one(Poll, poll_id)
        return _out(poll, entered, None, locale)


@router.put("/polls/{poll_id}/outside-result/confirmation")
async def confirm_outside_result(
    poll_id: UUID, body: OutsideConfirmationIn, actor: CurrentActor, db: Db, locale: Locale
) -> OutsideResultOut:
    """Confirm, as a second person, what was entered; it is published as the other system's."""
    async with db.begin(actor) as tx:
        entered, confirmation = await outside.confirm_outside_result(
            tx, poll_id, certificate_sha256=body.certificate_sha256, sums=body.sums, write=write
        )
        poll = await tx.session.get_one(Poll, poll_id)
        return _out(poll, entered, confirmation, locale)


@router.get("/polls/{poll_id}/outside-result")
async def get_outside_result(
    poll_id: UUID, actor: AnyActor, db: Db, locale: Locale
) -> OutsideResultOut:
    """The certified result of the legal system of record."""
    async with db.read(actor) as tx:
        poll, entered, confirmation = await outside.read_outside_result(tx, poll_id)
        enters = grant_of(Deed.IMPORT_RESULT, tx.standing.role) is not None
        exact = enters or await sees_areas(tx, poll)
        return _out(poll, entered, confirmation, locale, exact=exact)


def _out(
    poll: Poll,
    entered: OutsideResult,
    confirmation: OutsideConfirmation | None,
    locale: str,
    *,
    exact: bool = True,
) -> OutsideResultOut:
    """``exact``: the reader has the certificate before them, or is entitled to sums of areas."""
    preset = terms.find_preset(poll.preset.key)
    rounded = disclosure.hides_areas(preset) and not exact
    result = disclosure.without_areas(entered.result) if rounded else entered.result
    said = result_wording.result(preset, poll.items, result, areas_rounded=rounded)
    return OutsideResultOut(
        system=entered.system,
        certificate_sha256=entered.certificate_sha256,
        result=result,
        areas_rounded=rounded,
        wording=[speak(locale, phrase) for phrase in said],
        confirmed_at=None if confirmation is None else confirmation.at,
        document_id=None if confirmation is None else confirmation.document_id,
    )
