"""Used parts 占用的专有部分: which the work uses, and whether their owners agree."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from api.dependencies import CurrentActor, Db
from api.routes.paper import Sha256
from api.routes.session import never_stored
from api.wire import WireIn, WireOut
from consultation.database import Transaction
from consultation.outcomes import part_queries as queries
from consultation.outcomes.commands import parts
from consultation.outcomes.part_tables import PartConsent

router = APIRouter(prefix="/v1", tags=["parts"], dependencies=[Depends(never_stored)])


class UsedPartIn(WireIn):
    """``code`` of the unit in the register; ``use`` in the words its owners agree to."""

    code: str = Field(min_length=1, max_length=80)
    use: str = Field(min_length=1, max_length=400)


class UsedPartsIn(WireIn):
    """An empty list says that no exclusive part is used."""

    parts: list[UsedPartIn] = Field(max_length=200)


class PartOwnerOut(WireOut):
    """``answer`` is null until the owner answers to the present words."""

    id: UUID
    name: str
    answer: bool | None
    at: datetime | None


class UsedPartOut(WireOut):
    """``digest`` stands for the unit and the words; who answers sends it back."""

    unit_id: UUID
    code: str
    use: str
    digest: str
    owners: list[PartOwnerOut]


class UsedPartsOut(WireOut):
    """``asked``: whether the vote asks for this consent. ``version`` is null until it is declared;
    ``total`` parts are used, of which an owner sees the own ones, and of those the own answer.
    ``missing`` consents, for who plans the work."""

    asked: bool
    version: int | None
    total: int
    missing: int | None
    parts: list[UsedPartOut]


class PartAnswerIn(WireIn):
    agrees: bool
    digest: Sha256


class PartPaperIn(PartAnswerIn):
    """What an owner signed, with the hash of its scan."""

    scan_sha256: Sha256


class PartAnswerOut(WireOut):
    agrees: bool
    at: datetime


@router.get("/topics/{topic_id}/used-parts")
async def get_used_parts(topic_id: UUID, db: Db, actor: CurrentActor) -> UsedPartsOut:
    """Which exclusive parts the work uses: all of them for who plans the work and the supervisor,
    one's own for an owner."""
    async with db.read(actor) as tx:
        return await _seen(tx, topic_id)


@router.put("/topics/{topic_id}/used-parts")
async def declare_used_parts(
    topic_id: UUID, body: UsedPartsIn, db: Db, actor: CurrentActor
) -> UsedPartsOut:
    """Say which exclusive parts the work uses, and how. Their owners are asked; work cannot begin
    before they all agree."""
    async with db.begin(actor) as tx:
        await parts.declare_used_parts(
            tx, topic_id, parts=[(part.code, part.use) for part in body.parts]
        )
        return await _seen(tx, topic_id)


@router.put("/topics/{topic_id}/used-parts/{unit_id}/consent")
async def answer_part_use(
    topic_id: UUID, unit_id: UUID, body: PartAnswerIn, db: Db, actor: CurrentActor
) -> PartAnswerOut:
    """Agree, as an owner of the part, to its use, or decline. Can be changed until work begins."""
    async with db.begin(actor) as tx:
        answer = await parts.answer_part_use(
            tx, topic_id, unit_id, agrees=body.agrees, digest=body.digest
        )
    return _answer_out(answer)


@router.put("/topics/{topic_id}/used-parts/{unit_id}/consents/{owner_id}")
async def record_part_consent(
    topic_id: UUID, unit_id: UUID, owner_id: UUID, body: PartPaperIn, db: Db, actor: CurrentActor
) -> PartAnswerOut:
    """Enter what an owner signed on paper. The owner is told."""
    async with db.begin(actor) as tx:
        answer = await parts.record_part_consent(
            tx,
            topic_id,
            unit_id,
            owner_id,
            agrees=body.agrees,
            digest=body.digest,
            scan_sha256=body.scan_sha256,
        )
    return _answer_out(answer)


async def _seen(tx: Transaction, topic_id: UUID) -> UsedPartsOut:
    seen = await queries.used_parts(tx, topic_id)
    return UsedPartsOut(
        asked=seen.asked,
        version=seen.version,
        total=seen.total,
        missing=seen.missing,
        parts=[
            UsedPartOut(
                unit_id=part.unit_id,
                code=part.code,
                use=part.use,
                digest=part.digest,
                owners=[PartOwnerOut.model_validate(owner) for owner in part.owners],
            )
            for part in seen.parts
        ],
    )


def _answer_out(answer: PartConsent) -> PartAnswerOut:
    return PartAnswerOut(agrees=answer.agrees, at=answer.at)
