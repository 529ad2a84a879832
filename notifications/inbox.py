"""The inbox of a person: what lies in it, what is unread, and that it was fetched and read.

That a client fetched a notice, or its person opened it, ends the chain beyond the inbox, and is the
proof of notice of a poll.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, or_, select

from consultation.database import Transaction
from consultation.polls.serving import NoticeChannel, NoticeEvidence, Proof
from consultation.refusals import Invalid, NotFound
from notifications.delivery_queries import drop_waiting
from notifications.policy import policy
from notifications.tables import Inbox, Notice, NoticeSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """As they hold: the house's own where a person chose nothing. ``digest_hour`` None: the usual
    hour."""

    wechat: bool = True
    sms: bool = True
    digest: bool = True
    digest_hour: int | None = None


class DigestHourQuiet(Invalid):
    """A digest would have to be sent in the quiet hours."""

    code = "digest-hour-quiet"


async def notices(
    tx: Transaction, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Notice]:
    """The actor's own notices, newest first."""
    query = select(Notice).where(Notice.person_id == tx.person_id)
    if after is not None:
        at, id = after
        query = query.where(
            or_(col(Notice.created_at) < at, (col(Notice.created_at) == at) & (col(Notice.id) < id))
        )
    rows = await tx.session.exec(
        query.order_by(col(Notice.created_at).desc(), col(Notice.id).desc()).limit(limit)
    )
    return list(rows)


async def unread(tx: Transaction) -> int:
    """One row, however full the inbox is."""
    inbox = await tx.session.get(Inbox, tx.person_id)
    return 0 if inbox is None else inbox.unread


async def note_fetched(tx: Transaction, notice_ids: Sequence[UUID]) -> list[Proof]:
    """The actor's client has got these notices; the proofs that follow of the first time."""
    rows = await tx.session.exec(
        update(Notice)
        .where(
            col(Notice.id).in_(notice_ids),
            col(Notice.person_id) == tx.person_id,
            col(Notice.fetched_at).is_(None),
        )
        .values(fetched_at=tx.now)
        .returning(col(Notice.id), col(Notice.poll_id))
        .execution_options(synchronize_session=False)
    )
    new = list(rows)
    if new:
        await drop_waiting(tx, {id for id, _ in new})
    return [
        _proof(tx, id, poll_id, NoticeChannel.LIVE, NoticeEvidence.FETCHED)
        for id, poll_id in new
        if poll_id is not None
    ]


async def mark_read(tx: Transaction, notice_id: UUID) -> tuple[Notice, list[Proof]]:
    """The actor opened a notice of theirs; reading it again changes nothing. NotFound for one of
    somebody else."""
    rows = await tx.session.exec(
        select(Notice)
        .where(Notice.id == notice_id, Notice.person_id == tx.person_id)
        .with_for_update()
    )
    notice = rows.first()
    if notice is None:
        raise NotFound(what="notice")
    if notice.read_at is not None:
        return notice, []
    notice.read_at = tx.now
    notice.fetched_at = notice.fetched_at or tx.now
    await tx.session.flush()
    await tx.session.exec(
        update(Inbox).where(col(Inbox.person_id) == tx.person_id).values(unread=Inbox.unread - 1)
    )
    await drop_waiting(tx, {notice.id})
    if notice.poll_id is None:
        return notice, []
    channel, evidence = NoticeChannel.IN_APP, NoticeEvidence.READ
    return notice, [_proof(tx, notice.id, notice.poll_id, channel, evidence)]


def _proof(
    tx: Transaction,
    notice_id: UUID,
    poll_id: UUID,
    channel: NoticeChannel,
    evidence: NoticeEvidence,
) -> Proof:
    return Proof(
        poll_id=poll_id,
        person_id=tx.person_id,
        channel=channel,
        at=tx.now,
        evidence=evidence,
        reference=f"notice {notice_id}",
    )


# ---- settings -----------------------------------------------------------------------------


async def settings(tx: Transaction) -> Settings:
    kept = await tx.session.get(NoticeSettings, tx.person_id)
    if kept is None:
        return Settings()
    return Settings(kept.wechat, kept.sms, kept.digest, kept.digest_hour)


async def set_settings(tx: Transaction, wanted: Settings) -> Settings:
    """What the person chose last stands. Refuses with DigestHourQuiet."""
    if wanted.digest_hour is not None and not policy().may_digest_at(wanted.digest_hour):
        raise DigestHourQuiet(hour=wanted.digest_hour)
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    chosen = asdict(wanted)
    await tx.session.exec(
        insert(NoticeSettings)
        .values(person_id=tx.person_id, **chosen)
        .on_conflict_do_update(index_elements=["person_id"], set_=chosen)
    )
    return wanted


async def move_settings(tx: Transaction, person_id: UUID, *, to: UUID) -> None:
    """What an account chose stays chosen when it turns out to be another person's, unless that
    person chose too."""
    kept = await tx.session.get(NoticeSettings, person_id)
    if kept is None:
        return
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    await tx.session.exec(
        insert(NoticeSettings)
        .values(kept.model_dump() | {"person_id": to})
        .on_conflict_do_nothing(index_elements=["person_id"])
    )
    await tx.session.exec(delete(NoticeSettings).where(col(NoticeSettings.person_id) == person_id))
