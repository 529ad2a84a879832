"""Claim to live somewhere, and check such claims against the register."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from api import accounts
from api.dependencies import CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.wire import WireIn, WireOut
from consultation.community import residence_queries as queries
from consultation.community.commands import verification
from consultation.community.identity import VerificationMethod, mask_phone
from consultation.community.tables import ResidenceKind

router = APIRouter(prefix="/v1", tags=["residence"])


class ResidenceIn(WireIn):
    """``place_id`` is the building, entrance or grid, which decides whose claim it is to check.
    ``name`` is the full name, needed at the first claim; others see it masked."""

    kind: ResidenceKind
    address: str = Field(min_length=2, max_length=120)
    place_id: UUID | None = None
    name: str | None = Field(default=None, min_length=2, max_length=40)


class ResidenceOut(WireOut):
    id: UUID
    community_id: UUID
    kind: ResidenceKind
    level: int
    method: VerificationMethod | None


class ClaimOut(WireOut):
    """What the one who checks must see, and nobody else."""

    id: UUID
    kind: ResidenceKind
    grid_id: UUID | None
    name: str
    address: str
    phone: str
    created_at: datetime


class HomePersonOut(WireOut):
    id: UUID
    masked_name: str


class HomeOut(WireOut):
    """``people`` are those whom the register has for the home: owners, and who represents it."""

    household_id: UUID | None
    household_code: str | None
    unit_id: UUID | None
    unit_code: str | None
    people: list[HomePersonOut]


class HomesOut(WireOut):
    items: list[HomeOut]


class VerificationIn(WireIn):
    """The home as the register has it. ``registered_person_id``: the claimant is this person of
    the register, one of the home's ``people``; the account then becomes that person."""

    household_id: UUID | None = None
    unit_id: UUID | None = None
    registered_person_id: UUID | None = None

    @model_validator(mode="after")
    def _names_a_home(self) -> Self:
        if self.household_id is None and self.unit_id is None:
            raise ValueError("household_id or unit_id")
        return self


class RefusalIn(WireIn):
    """``reason`` is shown to the person."""

    reason: str = Field(min_length=2, max_length=200)


@router.put("/communities/{community_id}/my-residence")
async def claim_residence(
    community_id: UUID, body: ResidenceIn, db: Db, actor: CurrentActor
) -> ResidenceOut:
    """Say where one lives, with a bound phone; a grid worker checks it. Again replaces it."""
    async with db.begin(actor) as tx:
        residence = await verification.claim_residence(
            tx,
            community_id,
            kind=body.kind,
            address=body.address,
            place_id=body.place_id,
            name=body.name,
        )
    return ResidenceOut.model_validate(residence)


@router.get("/communities/{community_id}/residence-claims")
async def list_residence_claims(
    community_id: UUID, db: Db, actor: CurrentActor, cursor: CursorParam = None, limit: Limit = 20
) -> Page[ClaimOut]:
    """Claims that wait, the oldest first: of the own grid for a grid worker, all for a clerk."""
    async with db.read(actor) as tx:
        found = await queries.claims(
            tx, community_id, after=read_time_cursor(cursor), limit=limit + 1
        )
    shown = found[:limit]
    return Page(
        items=[
            ClaimOut(
                id=claim.id,
                kind=claim.kind,
                grid_id=claim.grid_id,
                name=claim.name,
                address=claim.address,
                phone=mask_phone(claim.phone),
                created_at=claim.created_at,
            )
            for claim in shown
        ],
        next_cursor=time_cursor(shown[-1].created_at, shown[-1].id) if found[limit:] else None,
    )


@router.get("/residence-claims/{residence_id}/homes")
async def find_homes_for_claim(
    residence_id: UUID,
    db: Db,
    actor: CurrentActor,
    code: str = Query(min_length=1, max_length=80, description="Part of a unit's or household's"),
) -> HomesOut:
    """The register's homes that could be the claimed one: at most 20."""
    async with db.read(actor) as tx:
        homes = await queries.homes_for(tx, residence_id, code, limit=20)
    return HomesOut(
        items=[
            HomeOut(
                household_id=home.household_id,
                household_code=home.household_code,
                unit_id=home.unit_id,
                unit_code=home.unit_code,
                people=[HomePersonOut(id=id, masked_name=n) for id, n in home.people.items()],
            )
            for home in homes
        ]
    )


@router.put("/residence-claims/{residence_id}/verification")
async def verify_residence_claim(
    residence_id: UUID, body: VerificationIn, db: Db, actor: CurrentActor
) -> ResidenceOut:
    """Confirm a claim against the register: level 2."""
    async with db.begin(actor) as tx:
        verified = await verification.verify_claim(
            tx,
            residence_id,
            household_id=body.household_id,
            unit_id=body.unit_id,
            registered_person_id=body.registered_person_id,
        )
        if verified.joined is not None:
            await accounts.move(tx, verified.joined, to=verified.residence.person_id)
    return ResidenceOut.model_validate(verified.residence)


@router.put("/residence-claims/{residence_id}/refusal", status_code=204)
async def refuse_residence_claim(
    residence_id: UUID, body: RefusalIn, db: Db, actor: CurrentActor
) -> None:
    """Refuse a claim with a reason; the person may claim again."""
    async with db.begin(actor) as tx:
        await verification.refuse_claim(tx, residence_id, reason=body.reason)
