"""Ballots 表决票 and the roll 名册 they come from; the signatures under the count."""

from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Header
from fastapi import Path as PathParam
from pydantic import Field

from api.dependencies import AnyActor, App, CurrentActor, Db, Locale
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.phrases import write
from api.routes.poll_shapes import PollOut, poll_out
from api.wire import WireIn, WireOut
from consultation.permissions import Deed
from consultation.polls import envelope_queries, queries
from consultation.polls.commands import casting, closing
from consultation.polls.envelope_tables import Envelope, Participation
from consultation.polls.express.judging import Answers as Given
from consultation.polls.express.judging import OwnCast
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.rules import NotOnRoll
from consultation.polls.tables import Ballot
from consultation.refusals import NotFound

router = APIRouter(prefix="/v1", tags=["ballots"])


Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,20}$")]
"""for, against, abstain or none; or the code of an option, candidate or grade."""


class BallotAnswerIn(WireIn):
    """``choices``: one code, or several where the item takes several."""

    item: int = Field(ge=1)
    choices: list[Code] = Field(min_length=1, max_length=50)


BallotSecret = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Confidential polls: a secret of the voter's client, 22 to 80 characters with "
        "128 random bits or more, new for each ballot, same on retry. It is never stored. Named "
        "polls with a re-vote: with it an earlier ballot that is delivered once more gets its "
        "first receipt and undoes no later one; without it, it counts as a change of mind.",
    ),
]

Answers = Annotated[list[BallotAnswerIn], Field(min_length=1, max_length=50)]


class BallotIn(WireIn):
    """One answer to every item of the poll."""

    answers: Answers


class AssistedBallotIn(WireIn):
    """``consent_note`` says how the voter asked. ``helper_id`` is whom the voter chose to write; if
    that is who enters the ballot, ``witness_id`` names a second member of staff."""

    answers: Answers
    consent_note: str = Field(min_length=1, max_length=400)
    helper_id: UUID
    witness_id: UUID | None = None


class MeetingVoteIn(WireIn):
    """``number`` is the member's place on the roll."""

    number: int = Field(ge=1)
    answers: Answers


class MeetingVotesIn(WireIn):
    """``channel`` is show_of_hands, by name; paper goes by its forms."""

    channel: BallotChannel
    votes: list[MeetingVoteIn] = Field(min_length=1, max_length=200)


class MeetingVotesOut(WireOut):
    recorded: int


class ReceiptOut(WireOut):
    """Proof that a ballot is in. The same ballot sent again gets the same receipt. Of a
    confidential ballot it holds no time, and the ``tracker`` under which the ballot is listed after
    the publication: nobody else has it, and nobody can find it again for the voter."""

    poll_id: UUID
    receipt: str
    cast_at: datetime | None
    tracker: str | None = None


class AnswerOut(WireOut):
    item: int
    choices: list[str]


class MyBallotOut(WireOut):
    """Of a confidential ballot there are no answers and no time, and no receipt any more once its
    box is opened."""

    receipt: str | None
    channel: BallotChannel
    answers: list[AnswerOut] | None
    cast_at: datetime | None


class RolledUnitOut(WireOut):
    code: str
    area_dm2: int


class EligibilityOut(WireOut):
    """The reader's own place on the frozen roll, or ``on_roll`` false and the rest null."""

    on_roll: bool
    number: int | None = None
    label: str | None = None
    area_dm2: int | None = None
    units: list[RolledUnitOut] = Field(default_factory=list)
    voted: bool = False


class PlaceOut(WireOut):
    """A place on the roll; ``label`` is masked (3幢 王*)."""

    number: int
    label: str


class NamedBallotOut(WireOut):
    number: int
    label: str
    channel: BallotChannel
    answers: list[AnswerOut]
    cast_at: datetime


class SignatureIn(WireIn):
    """``result_digest`` as ``get_poll`` showed it to the signer."""

    result_digest: str = Field(min_length=64, max_length=64)


@router.put("/polls/{poll_id}/ballot")
async def cast_ballot(
    poll_id: UUID, body: BallotIn, actor: CurrentActor, app: App, once: BallotSecret = None
) -> ReceiptOut:
    """Cast one's own ballot; it can be changed only where the rule of the poll says so."""
    # Declared here, answered by api/casting_lane.py, which stands before the routes.
    assert actor.person_id is not None
    cast = OwnCast(poll_id, actor.person_id, answers_in(body), once)
    if actor.assignment_id is not None:
        return ReceiptOut.model_validate(await app.casts.cast_alone(cast, actor))
    return ReceiptOut.model_validate(await app.casts.cast(cast))


@router.get("/polls/{poll_id}/ballot")
async def my_ballot(poll_id: UUID, actor: CurrentActor, db: Db) -> MyBallotOut:
    """What the reader voted. Nobody else sees it before the close."""
    async with db.read(actor) as tx:
        poll, _ = await queries.access_poll(tx, poll_id, Deed.READ_PUBLIC)
        found = await queries.place_and_ballot(tx, poll, tx.person_id)
        if found is None:
            raise NotOnRoll()
        place, ballot = found
        if poll.mode is BallotMode.CONFIDENTIAL:
            return _sealed(await envelope_queries.envelope_or_mark(tx, poll, place.id))
        if ballot is None:
            raise NotFound(what="ballot")
        return MyBallotOut(
            receipt=ballot.receipt,
            channel=ballot.channel,
            answers=_answers(ballot),
            cast_at=ballot.cast_at,
        )


@router.get("/polls/{poll_id}/eligibility")
async def my_eligibility(poll_id: UUID, actor: CurrentActor, db: Db) -> EligibilityOut:
    """Whether and with what the reader stands on the roll."""
    async with db.read(actor) as tx:
        poll, _ = await queries.access_poll(tx, poll_id, Deed.READ_PUBLIC)
        found = await queries.place_and_ballot(tx, poll, tx.person_id)
        if found is None:
            return EligibilityOut(on_roll=False)
        place, ballot = found
        voted = ballot is not None
        if poll.mode is BallotMode.CONFIDENTIAL:
            voted = await envelope_queries.envelope_or_mark(tx, poll, place.id) is not None
        return EligibilityOut(
            on_roll=True,
            number=place.number,
            label=place.label,
            area_dm2=place.area_dm2,
            units=[RolledUnitOut.model_validate(unit) for unit in place.units],
            voted=voted,
        )


@router.get("/polls/{poll_id}/roll")
async def list_roll(
    poll_id: UUID, actor: AnyActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[PlaceOut]:
    """The frozen roll, masked, in the order of its numbers. Whoever needs the number of a home has
    ``list_roll_addresses``."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.read(actor) as tx:
        poll, _ = await queries.access_poll(tx, poll_id, Deed.READ_PUBLIC)
        found = await queries.roll_page(tx, poll, after=after, limit=limit + 1)
    places = [PlaceOut(number=number, label=label) for number, label in found]
    return _page(places, limit)


@router.put("/polls/{poll_id}/roll/{number}/ballot")
async def record_ballot(
    poll_id: UUID,
    number: Annotated[int, PathParam(ge=1)],
    body: AssistedBallotIn,
    actor: CurrentActor,
    db: Db,
    once: BallotSecret = None,
) -> ReceiptOut:
    """Enter the ballot of a voter who asked for help. The voter is told; the receipt is theirs."""
    async with db.begin(actor) as tx:
        ballot = await casting.record_ballot(
            tx,
            poll_id,
            number,
            given(body.answers),
            channel=BallotChannel.ASSISTED,
            consent_note=body.consent_note,
            once=once,
            helper_id=body.helper_id,
            witness_id=body.witness_id,
        )
        return ReceiptOut.model_validate(ballot)


@router.put("/polls/{poll_id}/meeting-votes")
async def record_meeting_votes(
    poll_id: UUID, body: MeetingVotesIn, actor: CurrentActor, db: Db
) -> MeetingVotesOut:
    """Enter how members present at the meeting voted: all of them or none."""
    votes = {vote.number: given(vote.answers) for vote in body.votes}
    async with db.begin(actor) as tx:
        ballots = await casting.record_meeting_votes(tx, poll_id, votes, channel=body.channel)
    return MeetingVotesOut(recorded=len(ballots))


@router.get("/polls/{poll_id}/ballots")
async def list_ballots(
    poll_id: UUID, actor: CurrentActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[NamedBallotOut]:
    """Named ballots, for tellers and supervisor after the close, and after the publication for the
    owners on the roll of an owners' decision. That they look is on record."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.begin(actor) as tx:
        found = await closing.read_ballots(tx, poll_id, after=after, limit=limit + 1)
    ballots = [
        NamedBallotOut(
            number=number,
            label=label,
            channel=ballot.channel,
            answers=_answers(ballot),
            cast_at=ballot.cast_at,
        )
        for number, label, ballot in found
    ]
    return _page(ballots, limit)


@router.put("/polls/{poll_id}/signature")
async def sign_count(
    poll_id: UUID, body: SignatureIn, actor: CurrentActor, db: Db, locale: Locale
) -> PollOut:
    """Sign the count as teller, or witness it as supervisor. The last signature needed publishes
    the result."""
    async with db.begin(actor) as tx:
        poll = await closing.sign_count(tx, poll_id, digest=body.result_digest, write=write)
        return await poll_out(tx, poll, locale)


@router.put("/polls/{poll_id}/recount")
async def order_recount(poll_id: UUID, actor: CurrentActor, db: Db, locale: Locale) -> PollOut:
    """As supervisor, have other tellers count again before the result is published."""
    async with db.begin(actor) as tx:
        poll = await closing.order_recount(tx, poll_id)
        return await poll_out(tx, poll, locale)


def _sealed(found: Envelope | Participation | None) -> MyBallotOut:
    if found is None:
        raise NotFound(what="ballot")
    receipt = found.receipt if isinstance(found, Envelope) else None
    return MyBallotOut(receipt=receipt, channel=found.channel, answers=None, cast_at=None)


def answers_in(body: BallotIn) -> Given:
    return tuple([(answer.item, tuple(answer.choices)) for answer in body.answers])


def given(answers: list[BallotAnswerIn]) -> list[tuple[int, list[str]]]:
    return [(answer.item, list(answer.choices)) for answer in answers]


def _answers(ballot: Ballot) -> list[AnswerOut]:
    return [
        AnswerOut(item=int(item), choices=codes) for item, codes in (ballot.choices or {}).items()
    ]


Numbered = TypeVar("Numbered", PlaceOut, NamedBallotOut)


def _page(items: list[Numbered], limit: int) -> Page[Numbered]:
    shown = items[:limit]
    more = len(items) > limit
    return Page(items=shown, next_cursor=encode_cursor(shown[-1].number) if more else None)
