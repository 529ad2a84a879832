"""The person who is logged in: who they are here, as what they may act, on which devices."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends

from api import phones, sessions
from api.dependencies import App, CurrentActor, Db, SessionId
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.session import Code, MobilePhone, SessionOut, SmsCode, never_stored
from api.wire import WireIn, WireOut
from consultation.community import residence_queries as queries
from consultation.community.identity import VerificationMethod, mask_phone
from consultation.community.tables import ResidenceKind
from consultation.permissions import Role

router = APIRouter(prefix="/v1/me", tags=["me"], dependencies=[Depends(never_stored)])


class OwnResidenceOut(WireOut):
    """``level``: 1 claimed, 2 verified. ``claim`` is the address one claims, until it is checked;
    ``refusal_reason`` says why a claim was refused: claim again."""

    id: UUID
    community_id: UUID
    community_name: str
    kind: ResidenceKind
    level: int
    method: VerificationMethod | None
    claim: str | None
    refusal_reason: str | None


class OwnRoleOut(WireOut):
    """A role to act under: send ``assignment_id`` as ``Minyi-Role``."""

    assignment_id: UUID
    role: Role
    title: str
    org_id: UUID
    org_name: str
    node_id: UUID
    node_name: str
    community_id: UUID | None
    valid_to: datetime | None


class MeOut(WireOut):
    """``masked_name`` is how others see one, empty until one has claimed a residence."""

    id: UUID
    masked_name: str
    phone: str | None
    residences: list[OwnResidenceOut]
    roles: list[OwnRoleOut]


class PhoneIn(WireIn):
    """``code`` is what the phone number button gave, not the code of wx.login."""

    code: Code


class PhoneByCodeIn(WireIn):
    """``code`` is what came to the phone by SMS."""

    phone: MobilePhone
    code: SmsCode


class PhoneOut(WireOut):
    """``session`` is null, or has new tokens for the person of the register whom the account
    turned out to be; the old tokens are then of no use."""

    phone: str
    person_id: UUID
    session: SessionOut | None


class DeviceOut(WireOut):
    """A session that runs; ``current`` is the one that asks."""

    id: UUID
    device: str
    created_at: datetime
    last_used_at: datetime
    current: bool


@router.get("")
async def get_me(db: Db, actor: CurrentActor) -> MeOut:
    """The person, their residences and the roles they hold now."""
    async with db.read(actor) as tx:
        me = await queries.access_own_person(tx)
        phone = queries.opened_phone(tx, me)
        residences = [
            OwnResidenceOut(
                id=residence.id,
                community_id=residence.community_id,
                community_name=name,
                kind=residence.kind,
                level=residence.level,
                method=None if residence.method is None else VerificationMethod(residence.method),
                claim=queries.opened_claim(tx, residence),
                refusal_reason=residence.refusal_reason,
            )
            for residence, name in await queries.residences_with_names(tx, me.id)
        ]
        roles = await queries.roles_held(tx, me.id)
    return MeOut(
        id=me.id,
        masked_name=me.masked_name,
        phone=None if phone is None else mask_phone(phone),
        residences=residences,
        roles=[OwnRoleOut.model_validate(held) for held in roles],
    )


@router.post("/phone")
async def bind_phone(body: PhoneIn, app: App, actor: CurrentActor, session: SessionId) -> PhoneOut:
    """Bind the phone that WeChat knows. If a register knows somebody by it, the account becomes
    that person, with their residences verified; use the tokens that come back."""
    bound = await phones.bind_phone(app, actor, session, body.code)
    return PhoneOut.model_validate(bound)


@router.put("/phone")
async def bind_phone_by_code(
    body: PhoneByCodeIn, app: App, actor: CurrentActor, session: SessionId
) -> PhoneOut:
    """Bind a phone with the code that came to it by SMS, for browsers. Otherwise like binding the
    phone that WeChat knows."""
    bound = await phones.bind_phone_by_code(app, actor, session, body.phone, body.code)
    return PhoneOut.model_validate(bound)


@router.get("/sessions")
async def list_my_sessions(
    db: Db, actor: CurrentActor, session: SessionId, cursor: CursorParam = None, limit: Limit = 20
) -> Page[DeviceOut]:
    """Where one is logged in, the newest first."""
    async with db.read(actor) as tx:
        found = await sessions.running_sessions(tx, after=read_time_cursor(cursor), limit=limit + 1)
    shown = found[:limit]
    return Page(
        items=[
            DeviceOut(
                id=one.id,
                device=one.device,
                created_at=one.created_at,
                last_used_at=one.last_used_at,
                current=one.id == session,
            )
            for one in shown
        ],
        next_cursor=time_cursor(shown[-1].created_at, shown[-1].id) if found[limit:] else None,
    )


@router.delete("/sessions/{session_id}", status_code=204)
async def end_my_session(session_id: UUID, db: Db, actor: CurrentActor) -> None:
    """Log another device out; requests and the socket end within five seconds."""
    async with db.begin(actor) as tx:
        await sessions.end_session(tx, session_id)
