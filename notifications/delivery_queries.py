"""The one place for SQL on deliveries: what is due, what stands beside it, what a week has left."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, update
from sqlalchemy import select as sa_select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, func, or_, select

from consultation.columns import EnumText, UtcDateTime
from consultation.community.tables import Person, Residence
from consultation.database import Transaction
from consultation.polls.notice_tables import VoterNotice
from consultation.polls.queries import on_present_roll
from consultation.polls.serving import BEING_SERVED, BY_STAFF
from consultation.polls.tables import Poll, RollEntry
from notifications.audience import Urgency
from notifications.policy import Channel, policy
from notifications.tables import Delivery, DeliveryState, Notice, NoticeSettings, WeekBudget
from notifications.wechat.tables import Scene, SceneKind


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come, with what decides whether it goes out. ``poll_over``: the
    poll has closed, or the person is not on its roll any more. ``link`` opens the poll from outside
    WeChat, where one is made and has not run out."""

    delivery: Delivery
    notice: Notice
    wants_wechat: bool
    wants_sms: bool
    poll_over: bool
    poll_closes_at: datetime | None
    phone_sealed: bytes | None
    link: str | None = None

    @property
    def wanted(self) -> bool:
        match self.delivery.channel:
            case Channel.WECHAT:
                return self.wants_wechat
            case Channel.SMS:
                return self.wants_sms
            case _:
                return True


async def due(tx: Transaction, channel: Channel, *, limit: int) -> list[Due]:
    """Deliveries of a channel that are due and in nobody's hands, the most urgent first and of
    those the earliest, locked; what another sender holds is skipped, and so is what it looks at on
    another channel just now. However much waits behind, what is urgent is found at once: each
    urgency is a range of the index."""
    found: list[Due] = []
    for urgency in await _urgencies(tx, channel):
        if len(found) < limit:
            found += await _due(tx, channel, urgency, limit=limit - len(found))
    return found


def _waits(urgency: Urgency, *, now: Any, channel: Any) -> list[ColumnElement[bool]]:
    """Of a delivery: it is due and in nobody's hands."""
    return [
        col(Delivery.urgency) == urgency,
        col(Delivery.state) == DeliveryState.WAITING,
        col(Delivery.channel) != Channel.PRINTED,
        col(Delivery.channel) == channel,
        col(Delivery.next_try) <= now,
        or_(col(Delivery.lease_until).is_(None), col(Delivery.lease_until) <= now),
    ]


@cache
def _any_due() -> Select[*tuple[Any, ...]]:
    """For each urgency whether anything is due. Most of the time nothing is, and that should cost
    a look into an index for each."""
    now = bindparam("now", type_=UtcDateTime())
    channel = bindparam("channel", type_=EnumText(Channel))
    return sa_select(
        *(exists().where(*_waits(urgency, now=now, channel=channel)) for urgency in Urgency)
    )


async def _urgencies(tx: Transaction, channel: Channel) -> list[Urgency]:
    connection = await tx.session.connection()
    row = (await connection.execute(_any_due(), {"now": tx.now, "channel": channel})).one()
    return [urgency for urgency, some in zip(Urgency, row, strict=True) if some]


async def _due(tx: Transaction, channel: Channel, urgency: Urgency, *, limit: int) -> list[Due]:
    rows = await tx.session.exec(
        select(
            Delivery,
            Notice,
            NoticeSettings.wechat,
            NoticeSettings.sms,
            Poll.state,
            Poll.closes_at,
            RollEntry.number,
            Person.phone_sealed,
            Scene.url_link,
        )  # type: ignore[call-overload]
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Person, col(Person.id) == col(Delivery.person_id))
        .outerjoin(NoticeSettings, col(NoticeSettings.person_id) == col(Delivery.person_id))
        .outerjoin(Poll, col(Poll.id) == col(Notice.poll_id))
        .outerjoin(
            RollEntry, on_present_roll() & (col(RollEntry.person_id) == col(Notice.person_id))
        )
        .outerjoin(
            Scene,
            (col(Scene.kind) == SceneKind.POLL)
            & (col(Scene.target_id) == col(Notice.poll_id))
            & (col(Scene.link_expires_at) > tx.now),
        )
        .where(*_waits(urgency, now=tx.now, channel=channel))
        .order_by(col(Delivery.next_try), col(Delivery.id))
        .limit(limit)
        .with_for_update(of=[Delivery, Notice], skip_locked=True)
    )
    return [
        Due(
            delivery=delivery,
            notice=notice,
            wants_wechat=wechat is not False,
            wants_sms=sms is not False,
            poll_over=state is not None
            and (state not in BEING_SERVED or tx.now >= closes_at or number is None),
            poll_closes_at=closes_at,
            phone_sealed=phone,
            link=link,
        )
        for delivery, notice, wechat, sms, state, closes_at, number, phone, link in rows
    ]


async def next_due(tx: Transaction) -> datetime | None:
    """When the next delivery falls due that nobody has in hand, or None."""
    rows = await tx.session.exec(
        select(func.min(Delivery.next_try)).where(
            col(Delivery.state) == DeliveryState.WAITING, col(Delivery.channel) != Channel.PRINTED
        )
    )
    return rows.one()


async def elsewhere(tx: Transaction, notice_ids: Collection[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Those of these notices that went out on some channel or whose person was told since, and
    those that a sender has in hand for one."""
    told = await tx.session.exec(
        select(Notice.id).where(col(Notice.id).in_(notice_ids), told_in_person_since())
    )
    out, in_hand = set(told), set[UUID]()
    rows = await tx.session.exec(
        select(Delivery.notice_id, Delivery.state).where(
            col(Delivery.notice_id).in_(notice_ids),
            or_(
                col(Delivery.state) == DeliveryState.SENT,
                and_(
                    col(Delivery.state) == DeliveryState.WAITING, col(Delivery.lease_until) > tx.now
                ),
            ),
        )
    )
    for notice_id, state in rows:
        (out if state is DeliveryState.SENT else in_hand).add(notice_id)
    return out, in_hand - out


def told_in_person_since() -> Any:
    """Of a notice: somebody told its person of its poll after it was written. What was in a
    sender's hands then goes no further when it comes back."""
    place = aliased(RollEntry)
    return exists().where(
        col(VoterNotice.poll_id) == col(Notice.poll_id),
        col(VoterNotice.roll_entry_id) == col(place.id),
        col(VoterNotice.channel).in_(BY_STAFF),
        col(VoterNotice.at) >= col(Notice.created_at),
        col(place.person_id) == col(Notice.person_id),
    )


async def notices_of(tx: Transaction, notice_ids: Collection[UUID]) -> dict[UUID, Notice]:
    rows = await tx.session.exec(select(Notice).where(col(Notice.id).in_(notice_ids)))
    return {row.id: row for row in rows}


async def poll_over(tx: Transaction, notice: Notice) -> bool:
    """The notice is of a poll that is served no more."""
    if notice.poll_id is None:
        return False
    rows = await tx.session.exec(
        select(Poll.state, Poll.closes_at).where(Poll.id == notice.poll_id)
    )
    state, closes_at = rows.one()
    return state not in BEING_SERVED or tx.now >= closes_at


async def held(tx: Transaction, leases: Mapping[UUID, datetime]) -> dict[UUID, Delivery]:
    """Those of the leased deliveries that are still ours, locked."""
    rows = await tx.session.exec(
        select(Delivery)
        .where(col(Delivery.id).in_(leases), col(Delivery.state) == DeliveryState.WAITING)
        .order_by(col(Delivery.id))
        .with_for_update()
    )
    return {row.id: row for row in rows if row.lease_until == leases[row.id]}


async def drop_waiting(
    tx: Transaction, notice_ids: Collection[UUID], *, but: Collection[UUID] = ()
) -> None:
    """The person has it: what else of these notices waits, and is in nobody's hands, need not go
    out, nor be on a sheet."""
    await _drop(tx, col(Delivery.notice_id).in_(notice_ids), col(Delivery.id).not_in(but))


async def _drop(tx: Transaction, *which: Any) -> None:
    rows = await tx.session.exec(
        update(Delivery)
        .where(
            *which,
            col(Delivery.state) == DeliveryState.WAITING,
            or_(col(Delivery.lease_until).is_(None), col(Delivery.lease_until) <= tx.now),
        )
        .values(state=DeliveryState.SEEN, done_at=tx.now)
        .returning(col(Delivery.person_id), col(Delivery.charged))
        .execution_options(synchronize_session=False)
    )
    await refund(tx, [(person, week) for person, week in rows if week is not None])


async def drop_waiting_of_poll(tx: Transaction, poll_id: UUID, person_id: UUID) -> None:
    """The person was told of the poll, by somebody: nothing more of it waits for them, whatever
    notices of it they had. Who calls holds the voter's place, and others take a delivery before a
    place: what they hold is therefore passed over (``told_in_person_since`` stops it)."""
    rows = await tx.session.exec(
        select(Delivery.id)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(
            Notice.poll_id == poll_id,
            Notice.person_id == person_id,
            col(Delivery.state) == DeliveryState.WAITING,
        )
        .with_for_update(of=Delivery, skip_locked=True)
    )
    if ids := list(rows):
        await _drop(tx, col(Delivery.id).in_(ids))


async def wake_next(tx: Transaction, row: Delivery) -> None:
    """The step after a delivery that did not arrive: it was dropped if it stood there already,
    because the delivery had counted as sent."""
    await tx.session.exec(
        update(Delivery)
        .where(
            col(Delivery.notice_id) == row.notice_id,
            col(Delivery.step) == row.step + 1,
            col(Delivery.state) == DeliveryState.SEEN,
        )
        .values(state=DeliveryState.WAITING, done_at=None, next_try=policy().loud_from(tx.now))
        .execution_options(synchronize_session=False)
    )


async def insert_steps(tx: Transaction, steps: list[dict[str, Any]]) -> None:
    """The next steps of chains; one that is there already stays as it is."""
    if not steps:
        return
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    await tx.session.flush()
    connection = await tx.session.connection()
    await connection.execute(
        insert(Delivery).on_conflict_do_nothing(index_elements=["dedupe_key"]), steps
    )


async def grids_of(tx: Transaction, notices: Collection[Notice]) -> dict[UUID, UUID]:
    """By notice, the grid whose worker brings it to the door: of the place on the roll, or of the
    residence in the community."""
    people = {notice.person_id for notice in notices}
    polls = {notice.poll_id for notice in notices if notice.poll_id is not None}
    homes = await tx.session.exec(
        select(Residence.person_id, Residence.community_id, Residence.grid_id)
        .where(col(Residence.person_id).in_(people), col(Residence.grid_id).is_not(None))
        .order_by(col(Residence.level).desc(), col(Residence.community_id))
    )
    grids: dict[Any, Any] = {}
    for person, community, grid in homes:
        grids[person, community] = grid
        grids.setdefault((person, None), grid)  # of what concerns an account and no community
    if polls:
        places = await tx.session.exec(
            select(RollEntry.person_id, RollEntry.poll_id, RollEntry.grid_id)
            .join(Poll, on_present_roll())
            .where(
                col(RollEntry.poll_id).in_(polls),
                col(RollEntry.person_id).in_(people),
                col(RollEntry.grid_id).is_not(None),
            )
        )
        grids |= {(person, poll): grid for person, poll, grid in places}
    found = {}
    for notice in notices:
        for place in [p for p in (notice.poll_id, notice.community_id) if p] or [None]:
            if (notice.person_id, place) in grids:
                found[notice.id] = grids[notice.person_id, place]
                break
    return found


# ---- the budget ---------------------------------------------------------------------------


async def charge(
    tx: Transaction, people: Collection[UUID], monday: date, *, most: int | None
) -> set[UUID]:
    """Charge one message to the week of each of these people; those whose week was not full.
    ``most`` None: whatever the week has had. The database adds up, so that two senders never
    spend the same last message."""
    if not people or most == 0:
        return set()
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    statement = insert(WeekBudget).values(
        [{"person_id": person, "monday": monday, "spent": 1} for person in sorted(people)]
    )
    statement = statement.on_conflict_do_update(
        index_elements=["person_id", "monday"],
        set_={"spent": col(WeekBudget.spent) + 1},
        where=None if most is None else col(WeekBudget.spent) < most,
    ).returning(WeekBudget.person_id)
    return set((await tx.session.exec(statement)).scalars())


async def refund(tx: Transaction, charged: Collection[tuple[UUID, date]]) -> None:
    """What was charged and did not go out."""
    if not charged:
        return
    connection = await tx.session.connection()
    await connection.execute(
        update(WeekBudget)
        .where(
            col(WeekBudget.person_id) == bindparam("of_person"),
            col(WeekBudget.monday) == bindparam("of_week"),
        )
        .values(spent=WeekBudget.spent - 1),
        [{"of_person": person, "of_week": monday} for person, monday in sorted(charged)],
    )
