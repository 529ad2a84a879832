"""Photos are checked by WeChat, for each person one at a time, and by a person where it gives no
pass."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from api.content_checks import openid_of
from api.errands import Means
from api.settings import Settings
from consultation import jobs
from consultation.community.tables import Person
from consultation.database import Transaction
from consultation.deliberation.commands.photos import show_photo
from consultation.deliberation.commands.reviewing import note_pass, open_review
from consultation.deliberation.photo_tables import Photo
from consultation.deliberation.review_rules import ReviewCause, ReviewSubject
from consultation.jobs import JobKind
from consultation.permissions import SYSTEM
from notifications.wechat import content
from notifications.wechat.content import MediaKind
from notifications.wechat.errors import NoRecentVisit, NotReached, Overused, TooOften, WechatError
from notifications.wechat.tables import CheckState, MediaCheck, MediaVerdict


def check_key(tx: Transaction, photo_id: UUID) -> str:
    """What opens a photo that waits to whoever was told its address."""
    return tx.vault.lookup("photo_check", str(photo_id))


async def ask_for_photo_check(tx: Transaction, settings: Settings, photo: Photo) -> None:
    """Have a photo checked that the acting person has just sent; without a machine a person looks.
    Nothing is shown before either let it pass."""
    if settings.content_check == "none":
        subject = (ReviewSubject.MEDIUM, photo.id, 1)
        await open_review(
            tx,
            subject,
            community_id=photo.community_id,
            topic_id=photo.topic_id,
            cause=ReviewCause.NO_MACHINE,
        )
        return
    base = settings.public_url.rstrip("/")
    await ask_for_media_check(
        tx,
        settings,
        id=photo.id,
        url=f"{base}/v1/photos/{photo.id}/check?key={check_key(tx, photo.id)}",
        kind=MediaKind.IMAGE,
        community_id=photo.community_id,
        topic_id=photo.topic_id,
    )


async def ask_for_media_check(
    tx: Transaction,
    settings: Settings,
    *,
    id: UUID,
    url: str,
    kind: MediaKind,
    community_id: UUID,
    topic_id: UUID | None,
) -> MediaCheck:
    """Have a medium checked that the acting person has put at ``url``. ``id`` is its own, and that
    of its check."""
    check = MediaCheck(
        id=id,
        community_id=community_id,
        topic_id=topic_id,
        person_id=tx.person_id,
        url=url,
        kind=int(kind),
        state=CheckState.PENDING,
        created_at=tx.now,
    )
    tx.session.add(check)
    await tx.session.flush()
    late = tx.now + timedelta(minutes=settings.wechat_media_minutes)
    await jobs.schedule(tx, JobKind.CHECK_MEDIA, check.id, tx.now, community_id=community_id)
    await jobs.schedule(tx, JobKind.MEDIA_OVERDUE, check.id, late, community_id=community_id)
    return check


async def check_media(means: Means, check_id: UUID) -> None:
    """The errand: ask WeChat to look at one medium. An answer that was lost is asked for again
    only if WeChat was surely not reached: else the deadline brings a person.

    One at a time for each person, for of several at once WeChat may let pass what it should not
    (its answer comes as an event): whoever gets an answer asks for the next one."""
    async with means.db.begin(SYSTEM) as tx:
        check = await tx.session.get(MediaCheck, check_id, with_for_update=True)
        if check is None or check.state is not CheckState.PENDING or check.trace_id is not None:
            return
        await _hold_media(tx, check.person_id)
        if check.asked_at is None and await _unanswered(tx, check.person_id):
            return
        check.asked_at = tx.now
        openid = await openid_of(tx, check.person_id, means.wechat.app_id)
    if openid is None:
        await _settle_media(means, check_id, ReviewCause.NO_ACCOUNT)
        return
    try:
        trace_id = await content.check_media(
            means.wechat,
            check.url,
            openid=openid,
            scene=content.Scene.FORUM,
            kind=MediaKind(check.kind),
        )
    except NoRecentVisit:
        await _settle_media(means, check_id, ReviewCause.NO_RECENT_VISIT)
        return
    except (NotReached, Overused, TooOften):
        raise
    except WechatError:
        await _settle_media(means, check_id, ReviewCause.CHECK_FAILED)
        return
    async with means.db.begin(SYSTEM) as tx:
        await note_media_trace(tx, check_id, trace_id)


async def note_media_trace(tx: Transaction, check_id: UUID, trace_id: str) -> None:
    """WeChat answered under which name it will tell of a medium. The row of the verdict is made
    here if the event has not made it: of the two at once the second waits for the first and finds
    what it wrote."""
    check = await tx.session.get(MediaCheck, check_id, with_for_update=True)
    if check is None:
        return
    check.trace_id = trace_id
    awaited = {"trace_id": trace_id, "state": CheckState.PENDING, "errcode": 0, "at": tx.now}
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    await tx.session.exec(
        insert(MediaVerdict).values(awaited).on_conflict_do_nothing(index_elements=["trace_id"])
    )
    verdict = await tx.session.get_one(MediaVerdict, trace_id)
    if verdict.state is not CheckState.PENDING:  # the event was faster than the answer
        await _apply(tx, check, verdict)


async def _hold_media(tx: Transaction, person_id: UUID) -> None:
    """Whoever takes up or settles a check of this person waits for whoever does so just now."""
    await tx.session.exec(
        select(Person.id).where(Person.id == person_id).with_for_update(key_share=True)
    )


async def _unanswered(tx: Transaction, person_id: UUID) -> bool:
    """A check of this person has been taken up, and is not settled."""
    found = await tx.session.exec(
        select(MediaCheck.id)
        .where(
            MediaCheck.person_id == person_id,
            MediaCheck.state == CheckState.PENDING,
            col(MediaCheck.asked_at).is_not(None),
        )
        .limit(1)
    )
    return found.first() is not None


async def _ask_for_next(tx: Transaction, settled: MediaCheck) -> None:
    """The person's next medium, which waited for this one."""
    await tx.session.flush()
    await _hold_media(tx, settled.person_id)
    found = await tx.session.exec(
        select(MediaCheck)
        .where(
            MediaCheck.person_id == settled.person_id,
            MediaCheck.state == CheckState.PENDING,
            col(MediaCheck.asked_at).is_(None),
        )
        .order_by(col(MediaCheck.created_at), col(MediaCheck.id))
        .limit(1)
    )
    following = found.first()
    if following is not None:
        await jobs.schedule(
            tx,
            JobKind.CHECK_MEDIA,
            following.id,
            tx.now,
            community_id=following.community_id,
            occasion=f"after {settled.id}",
        )


async def _settle_media(means: Means, check_id: UUID, cause: ReviewCause) -> None:
    async with means.db.begin(SYSTEM) as tx:
        await _media_error(tx, check_id, cause)


async def media_overdue(means: Means, check_id: UUID) -> None:
    """The errand of the deadline: no verdict came, a person looks."""
    await _settle_media(means, check_id, ReviewCause.TIMED_OUT)


async def _media_error(tx: Transaction, check_id: UUID, cause: ReviewCause) -> None:
    check = await tx.session.get(MediaCheck, check_id, with_for_update=True)
    if check is None or check.state is not CheckState.PENDING:
        return
    check.state, check.checked_at = CheckState.ERROR, tx.now
    await _review_medium(tx, check, cause)
    await _ask_for_next(tx, check)


async def note_media_verdict(
    tx: Transaction, trace_id: str, *, state: CheckState, label: int | None, errcode: int
) -> None:
    """An event told it. Told again, or otherwise, it changes nothing."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    told = {"state": state, "label": label, "errcode": errcode, "at": tx.now}
    await tx.session.exec(
        insert(MediaVerdict)
        .values(trace_id=trace_id, **told)
        .on_conflict_do_update(
            index_elements=["trace_id"],
            set_=told,
            where=col(MediaVerdict.state) == CheckState.PENDING,
        )
    )
    verdict = await tx.session.get_one(MediaVerdict, trace_id)
    found = await tx.session.exec(
        select(MediaCheck).where(MediaCheck.trace_id == trace_id).with_for_update()
    )
    check = found.first()
    if check is not None:
        await _apply(tx, check, verdict)


async def _apply(tx: Transaction, check: MediaCheck, verdict: MediaVerdict) -> None:
    """A verdict after the deadline is noted too: a pass settles the waiting review."""
    if check.state not in (CheckState.PENDING, CheckState.ERROR):
        return
    waited = check.state is CheckState.PENDING
    check.state, check.label, check.checked_at = verdict.state, verdict.label, tx.now
    causes = {CheckState.REVIEW: ReviewCause.REVIEW, CheckState.RISKY: ReviewCause.RISKY}
    if verdict.state is CheckState.PASS:
        traces = [verdict.trace_id]
        await note_pass(tx, (ReviewSubject.MEDIUM, check.id, 1), traces=traces)
        await show_photo(tx, check.id)
    else:
        await _review_medium(tx, check, causes.get(verdict.state, ReviewCause.CHECK_FAILED))
    if waited:
        await _ask_for_next(tx, check)


async def _review_medium(tx: Transaction, check: MediaCheck, cause: ReviewCause) -> None:
    await open_review(
        tx,
        (ReviewSubject.MEDIUM, check.id, 1),
        community_id=check.community_id,
        topic_id=check.topic_id,
        cause=cause,
        label=check.label,
        traces=[] if check.trace_id is None else [check.trace_id],
    )
