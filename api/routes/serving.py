"""Giving notice 送达: who of a roll has been told, whom the grid worker visits, and messages that
were given up."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParam
from pydantic import Field

from api.dependencies import CurrentActor, Db, Locale
from api.notice_words import speak_at_the_door
from api.pagination import (
    CursorParam,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    read_time_cursor,
    time_cursor,
)
from api.routes.session import never_stored
from api.wire import WireIn, WireOut
from consultation.permissions import Deed, grant_of
from consultation.polls.commands import serving
from consultation.polls.serving import NoticeChannel, NoticeEvidence
from notifications import dead_letters, sheets
from notifications.delivery_queries import drop_waiting_of_poll
from notifications.policy import Channel
from notifications.tables import DeliveryState

router = APIRouter(prefix="/v1", tags=["serving"], dependencies=[Depends(never_stored)])

Reference = Annotated[str, Field(min_length=1, max_length=100)]


class VoterNoticeIn(WireIn):
    """``channel`` is printed, doorstep or telephone; ``evidence`` what proves it, ``reference``
    where: the number of the slip, who was witness by office. No names. Where silence counts with
    the majority, it counts of whoever signed for the notice once two members of staff say so, one
    by printed and one by doorstep."""

    channel: NoticeChannel
    evidence: NoticeEvidence
    reference: Reference


class VoterNoticeOut(WireOut):
    number: int
    channel: NoticeChannel
    evidence: NoticeEvidence
    at: datetime


class UnservedOut(WireOut):
    """A place on the roll without proof of notice. ``label`` is masked; ``address`` is null for
    those who do not go there. ``known``: the register knows who votes there."""

    number: int
    label: str
    grid_id: UUID | None
    address: str | None
    known: bool


class RollAddressOut(WireOut):
    """A place on the roll; ``label`` is masked. ``codes`` are those of its units or household, or
    of the home of a voter who stands there without either."""

    number: int
    label: str
    codes: list[str]


class VisitOut(WireOut):
    """One notice to bring to a door."""

    id: UUID
    template: str
    title: str
    text: str
    label: str
    address: str
    number: int | None
    poll_id: UUID | None
    since: datetime


class SheetOut(WireOut):
    """The sheet of a grid, by address."""

    grid_id: UUID
    grid_name: str
    visits: list[VisitOut]


class CommunitySheetOut(WireOut):
    """The clerk's sheet: people of whom no grid is known."""

    community_id: UUID
    visits: list[VisitOut]


class HandoverIn(WireIn):
    """``evidence`` is signed_for or left."""

    evidence: NoticeEvidence
    reference: Reference


class DeliveryOut(WireOut):
    id: UUID
    state: DeliveryState
    done_at: datetime | None


class DeadLetterOut(WireOut):
    """A message that was given up: what kind and why, never to whom."""

    id: UUID
    channel: Channel
    template: str
    attempts: int
    error: str | None
    created_at: datetime
    given_up_at: datetime | None


@router.put("/polls/{poll_id}/roll/{number}/notice")
async def record_voter_notice(
    poll_id: UUID,
    number: Annotated[int, PathParam(ge=1)],
    body: VoterNoticeIn,
    actor: CurrentActor,
    db: Db,
) -> VoterNoticeOut:
    """Enter that a voter was told of the poll in person: a grid worker in the own grid, a clerk.
    Nothing more of it is sent to them or brought to their door."""
    async with db.begin(actor) as tx:
        place, entry = await serving.record_voter_notice(
            tx,
            poll_id,
            number,
            channel=body.channel,
            evidence=body.evidence,
            reference=body.reference,
        )
        if place.person_id is not None:
            await drop_waiting_of_poll(tx, poll_id, place.person_id)
    return VoterNoticeOut(
        number=number, channel=entry.channel, evidence=entry.evidence, at=entry.at
    )


@router.get("/polls/{poll_id}/unserved")
async def list_unserved(
    poll_id: UUID,
    actor: CurrentActor,
    db: Db,
    grid_id: UUID | None = None,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[UnservedOut]:
    """Who has not been told of the poll yet, for the grid worker of the grid, the clerk and the
    supervisor. That they look is on record."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.begin(actor) as tx:
        found = await serving.read_unserved(
            tx, poll_id, grid_id=grid_id, after=after, limit=limit + 1
        )
        goes_there = grant_of(Deed.READ_REGISTER, tx.standing.role) is not None
    shown = found[:limit]
    return Page(
        items=[
            UnservedOut(
                number=one.number,
                label=one.label,
                grid_id=one.grid_id,
                address=one.address if goes_there else None,
                known=one.known,
            )
            for one in shown
        ],
        next_cursor=encode_cursor(shown[-1].number) if found[limit:] else None,
    )


@router.get("/polls/{poll_id}/roll-addresses")
async def list_roll_addresses(
    poll_id: UUID,
    actor: CurrentActor,
    db: Db,
    unit: Annotated[str, Query(max_length=80, description="How the code begins.")] = "",
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[RollAddressOut]:
    """The number on the roll of a home, for whoever hands out forms, registers mandates, helps to
    vote or serves notice: in the order of the numbers, all or those of the codes that begin so. A
    grid worker sees the own grid. That they look is on record."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.begin(actor) as tx:
        found = await serving.read_addresses(tx, poll_id, unit=unit, after=after, limit=limit + 1)
    shown = found[:limit]
    return Page(
        items=[RollAddressOut.model_validate(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].number) if found[limit:] else None,
    )


@router.get("/grids/{grid_id}/sheet")
async def get_grid_sheet(grid_id: UUID, actor: CurrentActor, db: Db, locale: Locale) -> SheetOut:
    """Whom to visit with a printed notice, because no message reaches them."""
    async with db.read(actor) as tx:
        grid, visits = await sheets.sheet(tx, grid_id)
    return SheetOut(
        grid_id=grid.id, grid_name=grid.name, visits=[visit_out(visit, locale) for visit in visits]
    )


@router.get("/communities/{community_id}/sheet")
async def get_community_sheet(
    community_id: UUID, actor: CurrentActor, db: Db, locale: Locale
) -> CommunitySheetOut:
    """Whom no message reaches and no grid knows, for the clerk of the community."""
    async with db.read(actor) as tx:
        _, visits = await sheets.sheet_of_no_grid(tx, community_id)
    return CommunitySheetOut(
        community_id=community_id, visits=[visit_out(visit, locale) for visit in visits]
    )


@router.put("/deliveries/{delivery_id}/handover")
async def hand_over_notice(
    delivery_id: UUID, body: HandoverIn, actor: CurrentActor, db: Db
) -> DeliveryOut:
    """A printed notice was handed over, or left before a witness."""
    async with db.begin(actor) as tx:
        row, proofs = await sheets.hand_over(
            tx, delivery_id, evidence=body.evidence, note=body.reference
        )
        await serving.record_proofs(tx, proofs)
        return DeliveryOut.model_validate(row)


@router.get("/communities/{community_id}/dead-letters")
async def list_dead_letters(
    community_id: UUID, actor: CurrentActor, db: Db, limit: Limit = 20, cursor: CursorParam = None
) -> Page[DeadLetterOut]:
    """Messages that were given up, the newest first, for the system administrator."""
    async with db.read(actor) as tx:
        found = await dead_letters.dead_letters(
            tx, community_id, after=read_time_cursor(cursor), limit=limit + 1
        )
    shown = found[:limit]
    return Page(
        items=[
            DeadLetterOut(
                id=one.id,
                channel=one.channel,
                template=one.words,
                attempts=one.attempts,
                error=one.error,
                created_at=one.created_at,
                given_up_at=one.given_up_at,
            )
            for one in shown
        ],
        next_cursor=time_cursor(shown[-1].created_at, shown[-1].id) if found[limit:] else None,
    )


@router.put("/deliveries/{delivery_id}/resending")
async def resend_delivery(delivery_id: UUID, actor: CurrentActor, db: Db) -> DeliveryOut:
    """Try a message again that was given up."""
    async with db.begin(actor) as tx:
        return DeliveryOut.model_validate(await dead_letters.resend(tx, delivery_id))


def visit_out(visit: sheets.Visit, locale: str) -> VisitOut:
    title, text = speak_at_the_door(locale, visit.notice.words, visit.notice.facts)
    return VisitOut(
        id=visit.id,
        template=visit.notice.words,
        title=title,
        text=text,
        label=visit.label,
        address=visit.address,
        number=visit.number,
        poll_id=visit.notice.poll_id,
        since=visit.since,
    )
