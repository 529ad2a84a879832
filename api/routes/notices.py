"""The inbox of notices 通知, and how one wants to be reached beyond it."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from api.dependencies import CurrentActor, Db, Locale
from api.notice_words import speak_notice
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.session import never_stored
from api.wire import WireIn, WireOut
from consultation.polls.commands.serving import record_proofs
from notifications import inbox
from notifications.audience import Urgency
from notifications.policy import policy
from notifications.tables import Notice

router = APIRouter(prefix="/v1/me", tags=["notices"], dependencies=[Depends(never_stored)])


class OwnNoticeOut(WireOut):
    """``template`` names the kind of notice (as in ``notice.added`` of the live stream); ``title``
    and ``text`` are in the reader's language. ``read_at`` is null until ``read_notice``."""

    id: UUID
    template: str
    title: str
    text: str
    urgency: Urgency
    topic_id: UUID | None
    poll_id: UUID | None
    created_at: datetime
    read_at: datetime | None


class UnreadOut(WireOut):
    unread: int


class NoticeSettingsIn(WireIn):
    """``wechat`` and ``sms``: whether messages may be sent that way; ``digest``: one a day about
    what one follows, at ``digest_hour`` of Asia/Shanghai, null for the usual hour. The inbox itself
    is always on, and what a vote owes its voters comes on paper if in no other way."""

    wechat: bool
    sms: bool
    digest: bool
    digest_hour: int | None = Field(default=None, ge=0, le=23)


class NoticeSettingsOut(WireOut):
    """``usual_digest_hour`` is the hour while ``digest_hour`` is null. Nothing is sent from
    ``quiet_from`` to ``quiet_until`` (Asia/Shanghai)."""

    wechat: bool
    sms: bool
    digest: bool
    digest_hour: int | None
    usual_digest_hour: int
    quiet_from: str
    quiet_until: str


@router.get("/notices")
async def list_my_notices(
    db: Db, actor: CurrentActor, locale: Locale, cursor: CursorParam = None, limit: Limit = 20
) -> Page[OwnNoticeOut]:
    """One's notices, the newest first. What is listed for the first time counts as received: no
    message is sent about it any more."""
    async with db.read(actor) as tx:
        found = await inbox.notices(tx, after=read_time_cursor(cursor), limit=limit + 1)
    shown = found[:limit]
    new = [notice.id for notice in shown if notice.fetched_at is None]
    if new:
        async with db.begin(actor) as tx:
            await record_proofs(tx, await inbox.note_fetched(tx, new))
    return Page(
        items=[notice_out(notice, locale) for notice in shown],
        next_cursor=time_cursor(shown[-1].created_at, shown[-1].id) if found[limit:] else None,
    )


@router.get("/notices/unread")
async def count_unread_notices(db: Db, actor: CurrentActor) -> UnreadOut:
    """How many of one's notices are unread."""
    async with db.read(actor) as tx:
        return UnreadOut(unread=await inbox.unread(tx))


@router.put("/notices/{notice_id}/read")
async def read_notice(notice_id: UUID, db: Db, actor: CurrentActor, locale: Locale) -> OwnNoticeOut:
    """Open a notice of one's own. Once is enough."""
    async with db.begin(actor) as tx:
        notice, proofs = await inbox.mark_read(tx, notice_id)
        await record_proofs(tx, proofs)
        return notice_out(notice, locale)


@router.get("/notice-settings")
async def get_notice_settings(db: Db, actor: CurrentActor) -> NoticeSettingsOut:
    """How one is reached beyond the inbox."""
    async with db.read(actor) as tx:
        return _settings(await inbox.settings(tx))


@router.put("/notice-settings")
async def set_notice_settings(
    body: NoticeSettingsIn, db: Db, actor: CurrentActor
) -> NoticeSettingsOut:
    """Choose how one is reached beyond the inbox."""
    async with db.begin(actor) as tx:
        return _settings(await inbox.set_settings(tx, inbox.Settings(**body.model_dump())))


def notice_out(notice: Notice, locale: str) -> OwnNoticeOut:
    title, text = speak_notice(locale, notice.words, notice.facts)
    return OwnNoticeOut(
        id=notice.id,
        template=notice.words,
        title=title,
        text=text,
        urgency=notice.urgency,
        topic_id=notice.topic_id,
        poll_id=notice.poll_id,
        created_at=notice.created_at,
        read_at=notice.read_at,
    )


def _settings(chosen: inbox.Settings) -> NoticeSettingsOut:
    quiet = policy().quiet
    return NoticeSettingsOut(
        wechat=chosen.wechat,
        sms=chosen.sms,
        digest=chosen.digest,
        digest_hour=chosen.digest_hour,
        usual_digest_hour=policy().digest.hour,
        quiet_from=f"{quiet.start:%H:%M}",
        quiet_until=f"{quiet.end:%H:%M}",
    )
