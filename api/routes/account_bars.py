"""Barred accounts 停用账号: one person proposes, another confirms, either lifts it again."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, model_validator

from api import sessions
from api.dependencies import CurrentActor, Db
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.wire import WireIn, WireOut
from consultation.community import bar_queries as queries
from consultation.community.commands import bars
from consultation.community.tables import AccountBar, BarReason

router = APIRouter(prefix="/v1", tags=["account-bars"])


class AccountBarIn(WireIn):
    """Whose account, by ``person_id`` or, exactly one of the two, by ``phone``. ``basis`` names
    the record on which it rests, not the person."""

    person_id: UUID | None = None
    phone: str | None = Field(default=None, max_length=20)
    reason: BarReason
    basis: str = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.person_id is None) == (self.phone is None):
            raise ValueError("exactly one of person_id and phone")
        return self


class LiftBarIn(WireIn):
    basis: str = Field(min_length=1, max_length=200)


class AccountBarOut(WireOut):
    """``holder`` is a masked name. It bars from ``confirmed_at`` to ``lifted_at``."""

    id: UUID
    node_id: UUID
    person_id: UUID
    holder: str
    reason: BarReason
    basis: str
    proposed_by_id: UUID
    proposed_at: datetime
    confirmed_by_id: UUID | None
    confirmed_at: datetime | None
    lifted_at: datetime | None


def _out(bar: AccountBar, holder: str) -> AccountBarOut:
    return AccountBarOut(**bar.model_dump(include=AccountBarOut.model_fields.keys() - {"holder"}),
                         holder=holder)  # fmt: skip


@router.get("/nodes/{node_id}/account-bars")
async def list_account_bars(
    node_id: UUID, db: Db, actor: CurrentActor, cursor: CursorParam = None, limit: Limit = 50
) -> Page[AccountBarOut]:
    """Accounts barred at a place, and those that wait for a second person, oldest first; for
    those who bar."""
    async with db.read(actor) as tx:
        found = await queries.open_bars(
            tx, node_id, after=read_time_cursor(cursor), limit=limit + 1
        )
    items = [_out(bar, holder) for bar, holder in found[:limit]]
    more = len(found) > limit
    return Page(
        items=items, next_cursor=time_cursor(items[-1].proposed_at, items[-1].id) if more else None
    )


@router.post("/nodes/{node_id}/account-bars", status_code=201)
async def propose_account_bar(node_id: UUID, body: AccountBarIn, once: Once) -> AccountBarOut:
    """Propose that nobody may log in to an account. Nothing changes before another person
    confirms. The person stays on every roll and may vote on paper."""
    async with once.begin() as tx:
        bar = await bars.propose_bar(
            tx,
            node_id,
            person_id=body.person_id,
            phone=body.phone,
            reason=body.reason,
            basis=body.basis,
        )
        return once.keep(_out(bar, await queries.holder(tx, bar.person_id)))


@router.post("/account-bars/{bar_id}/confirm")
async def confirm_account_bar(bar_id: UUID, once: Once) -> AccountBarOut:
    """The second person bars the account: its sessions and sockets end within five seconds."""
    async with once.begin() as tx:
        bar = await bars.confirm_bar(tx, bar_id)
        await sessions.end_all(tx, bar.person_id)
        return once.keep(_out(bar, await queries.holder(tx, bar.person_id)))


@router.post("/account-bars/{bar_id}/lift")
async def lift_account_bar(bar_id: UUID, body: LiftBarIn, once: Once) -> AccountBarOut:
    """Let the person log in again; or decline or withdraw a proposal."""
    async with once.begin() as tx:
        bar = await bars.lift_bar(tx, bar_id, basis=body.basis)
        return once.keep(_out(bar, await queries.holder(tx, bar.person_id)))
