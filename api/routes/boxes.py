"""The box of a confidential poll 票箱: opened by three people, its ballots listed by tracker."""

from uuid import UUID

from fastapi import APIRouter

from api.dependencies import AnyActor, CurrentActor, Db, Locale
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.routes.ballots import AnswerOut
from api.routes.poll_shapes import PollOut, poll_out
from api.wire import WireOut
from consultation.permissions import Deed
from consultation.polls import envelope_queries, queries, rules
from consultation.polls.commands import unsealing
from consultation.polls.presets import BallotMode
from consultation.polls.rules import PollState
from consultation.refusals import NotFound

router = APIRouter(prefix="/v1", tags=["ballots"])


class OpenedBallotOut(WireOut):
    """``number`` is the rank by ``tracker``. ``answers`` is null of an invalid ballot."""

    number: int
    tracker: str
    answers: list[AnswerOut] | None


@router.put("/polls/{poll_id}/box-opening")
async def confirm_box_opening(
    poll_id: UUID, actor: CurrentActor, db: Db, locale: Locale
) -> PollOut:
    """Confirm as teller or supervisor that the box is to be opened. With two tellers and a
    supervisor it is: the ballots are counted, and the key and the envelopes destroyed."""
    async with db.begin(actor) as tx:
        poll = await unsealing.confirm_opening(tx, poll_id)
        return await poll_out(tx, poll, locale)


@router.get("/polls/{poll_id}/opened-ballots")
async def list_opened_ballots(
    poll_id: UUID, actor: AnyActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[OpenedBallotOut]:
    """The ballots of a confidential poll, by tracker, once its result is published. There is no
    search by tracker: it would tell the server who looks for which. Clients read on to their
    voter's own, without logging in."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.read(actor) as tx:
        poll, _ = await queries.access_poll(tx, poll_id, Deed.READ_PUBLIC)
        if poll.mode is not BallotMode.CONFIDENTIAL:
            raise NotFound(what="opened-ballots")
        if poll.state is PollState.VOIDED:
            raise rules.PollVoid()
        if poll.state is not PollState.PUBLISHED:
            raise rules.ChoicesSealed()
        found = await envelope_queries.opened_page(tx, poll.id, after=after, limit=limit + 1)
    shown = [
        OpenedBallotOut(
            number=ballot.number,
            tracker=ballot.tracker,
            answers=None
            if ballot.choices is None
            else [AnswerOut(item=int(item), choices=c) for item, c in ballot.choices.items()],
        )
        for ballot in found[:limit]
    ]
    more = len(found) > limit
    return Page(items=shown, next_cursor=encode_cursor(shown[-1].number) if more else None)
